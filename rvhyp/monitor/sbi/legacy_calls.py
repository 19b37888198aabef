"""The legacy calls (SBI specification, chapter "Legacy Extensions"): replaced since 0.2, still used by small kernels."""
from rvhyp.monitor.sbi import FAILED, SUCCESS, legacy
from rvhyp.monitor.sbi.time import set_timer_of
from rvhyp.monitor.vcpu import VSSIP

SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SHUTDOWN = 0, 1, 2, 3, 8


@legacy(SET_TIMER)
def set_timer(call):
    set_timer_of(call.vcpu, call.arguments[0])
    return SUCCESS


@legacy(PUTCHAR)
def console_putchar(call):
    call.vm.config.output(bytes([call.arguments[0] & 0xFF]))
    return SUCCESS


@legacy(GETCHAR)
def console_getchar(call):
    data = call.hypervisor.console_read(call.vm, 1)
    return data[0] if data else FAILED


@legacy(CLEAR_IPI)
def clear_ipi(call):
    """"0 if no IPI had been pending, or an implementation specific positive value if an IPI had been pending"."""
    was_pending = bool(call.vcpu["hvip"] & VSSIP)
    call.vcpu.set_pending(VSSIP, False)
    return int(was_pending)


@legacy(SHUTDOWN)
def shutdown(call):
    call.hypervisor.reset(call.vm, is_shutdown=True, has_failed=False)
    return SUCCESS

"""TIME: the timer (SBI specification, chapter "Timer Extension"), on vstimecmp."""
from rvhyp.monitor.pmu import Firmware
from rvhyp.monitor.sbi import SUCCESS, extension, function
from rvhyp.monitor.vcpu import VSTIP

EID = extension(0x5449_4D45, "TIME", "Timer")


def set_timer_of(vcpu, ticks: int) -> None:
    """Interrupt the guest at `ticks` of its own time; a pending timer interrupt goes away until then."""
    vcpu["vstimecmp"] = ticks
    vcpu.set_pending(VSTIP, False)
    vcpu.pmu.count(Firmware.SET_TIMER)


@function(EID, 0)
def set_timer(call):
    set_timer_of(call.vcpu, call.arguments[0])
    return SUCCESS

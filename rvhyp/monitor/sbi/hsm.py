"""HSM: starting, stopping and suspending harts (SBI specification, chapter "Hart State Management Extension")."""
from rvhyp.monitor.sbi import (
    ALREADY_AVAILABLE,
    FAILED,
    INVALID_ADDRESS,
    INVALID_PARAM,
    SUCCESS,
    extension,
    function,
)
from rvhyp.monitor.vcpu import State

EID = extension(0x48_534D, "HSM", "Hart State Management")
STOPPED, STARTED, SUSPENDED = 1, 0, 4
RETENTIVE, NON_RETENTIVE = 0x0000_0000, 0x8000_0000
STATUS = {State.STARTED: STARTED, State.WAITING: STARTED, State.STOPPED: STOPPED, State.SUSPENDED: SUSPENDED}


def find(call, number):
    """The vcpu with a hart id, or None."""
    return call.vm.vcpus[number] if number < len(call.vm.vcpus) else None


@function(EID, 0)
def hart_start(call):
    number, start, opaque = call.arguments[:3]
    vcpu = find(call, number)
    if vcpu is None:
        return INVALID_PARAM
    if vcpu.state is not State.STOPPED:
        return ALREADY_AVAILABLE
    if not call.is_code(start):
        return INVALID_ADDRESS
    vcpu.start(start, number, opaque)
    call.hypervisor.limit_slice()
    return SUCCESS


@function(EID, 1)
def hart_stop(call):
    call.vcpu.state = State.STOPPED
    return FAILED                       # seen only if the hart could not be stopped; a new start clears it


@function(EID, 2)
def hart_get_status(call):
    vcpu = find(call, call.arguments[0])
    return INVALID_PARAM if vcpu is None else (SUCCESS, STATUS[vcpu.state])


@function(EID, 3)
def hart_suspend(call):
    """Retentive suspend is a WFI that returns, non-retentive a stop that an interrupt ends: the hart goes on at resume_addr.

    "suspend_type is reserved or is platform-specific and unimplemented": invalid.
    """
    kind, resume, opaque = call.arguments[0] & 0xFFFF_FFFF, *call.arguments[1:3]
    if kind == RETENTIVE:
        call.vcpu.state = State.SUSPENDED
        return SUCCESS
    if kind != NON_RETENTIVE:
        return INVALID_PARAM
    if not call.is_code(resume):
        return INVALID_ADDRESS
    call.vcpu.suspend(resume, opaque)
    return SUCCESS

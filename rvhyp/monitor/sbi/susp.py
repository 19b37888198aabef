"""SUSP: suspend to RAM (SBI specification, chapter "System Suspend Extension").

A guest's RAM lasts anyway: what is left is a hart that is off until an interrupt that it has enabled in sie, and starts anew.
"""
from rvhyp.monitor.sbi import DENIED, INVALID_ADDRESS, INVALID_PARAM, SUCCESS, extension, function
from rvhyp.monitor.vcpu import State

EID = extension(0x5355_5350, "SUSP", "System Suspend")
SUSPEND_TO_RAM = 0


@function(EID, 0)
def system_suspend(call):
    kind, resume, opaque = call.arguments[:3]
    if kind & 0xFFFF_FFFF != SUSPEND_TO_RAM:
        return INVALID_PARAM
    if not call.is_code(resume):
        return INVALID_ADDRESS
    if any(vcpu is not call.vcpu and vcpu.state is not State.STOPPED for vcpu in call.vm.vcpus):
        return DENIED
    call.vcpu.suspend(resume, opaque)
    return SUCCESS

"""IPI: interrupts between harts (SBI specification, chapter "IPI Extension")."""
from rvhyp.monitor.sbi import INVALID_PARAM, SUCCESS, function
from rvhyp.monitor.vcpu import VSSIP

EID = 0x73_5049


@function(EID, 0)
def send_ipi(call):
    harts = call.harts(*call.arguments[:2])
    if harts is None:
        return INVALID_PARAM
    for vcpu in harts:
        vcpu.set_pending(VSSIP, True)
    return SUCCESS

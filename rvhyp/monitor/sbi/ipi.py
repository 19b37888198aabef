"""IPI: interrupts between harts (SBI specification, chapter "IPI Extension")."""
from rvhyp.monitor.pmu import Firmware
from rvhyp.monitor.sbi import INVALID_PARAM, SUCCESS, extension, function
from rvhyp.monitor.vcpu import VSSIP

EID = extension(0x73_5049, "sPI", "IPI")


@function(EID, 0)
def send_ipi(call):
    harts = call.harts(*call.arguments[:2])
    if harts is None:
        return INVALID_PARAM
    for vcpu in harts:
        vcpu.set_pending(VSSIP, True)
    for other in call.others(harts):
        call.vcpu.pmu.count(Firmware.IPI_SENT)
        other.pmu.count(Firmware.IPI_RECEIVED)
    return SUCCESS

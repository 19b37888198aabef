"""SRST: shutdown and reboot (SBI specification, chapter "System Reset Extension").  They end the guest, never the host."""
from rvhyp.monitor.sbi import INVALID_PARAM, SUCCESS, extension, function

EID = extension(0x5352_5354, "SRST", "System Reset")
SHUTDOWN, COLD_REBOOT, WARM_REBOOT = 0, 1, 2
NO_REASON, SYSTEM_FAILURE = 0, 1


@function(EID, 0)
def system_reset(call):
    kind, reason = (a & 0xFFFF_FFFF for a in call.arguments[:2])
    if kind > WARM_REBOOT or reason > SYSTEM_FAILURE:   # "reserved or platform-specific and unimplemented"
        return INVALID_PARAM
    call.hypervisor.reset(call.vm, is_shutdown=kind == SHUTDOWN, has_failed=reason == SYSTEM_FAILURE)
    return SUCCESS

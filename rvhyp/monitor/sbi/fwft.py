"""FWFT: features that the guest may turn on or off (SBI specification, chapter "SBI Firmware Features Extension").

All are local to the calling hart.  Misaligned exceptions are delegated to the guest and stay so; what the guest's hart does not
have is not supported.
"""
from rvhyp.isa.csr import ENVCFG_ADUE
from rvhyp.monitor.sbi import DENIED, DENIED_LOCKED, INVALID_PARAM, NOT_SUPPORTED, SUCCESS, extension, function

EID = extension(0x4657_4654, "FWFT", "Firmware Features")
MISALIGNED_EXC_DELEG, LANDING_PAD, SHADOW_STACK, DOUBLE_TRAP, PTE_AD_HW_UPDATING, POINTER_MASKING_PMLEN = range(6)
LOCK = 1


def read(call, feature: int) -> int | tuple[int, int]:
    """(SUCCESS, its value), or why there is none."""
    if feature > POINTER_MASKING_PMLEN:
        return DENIED                                   # reserved, or of a platform that this is not
    if feature == MISALIGNED_EXC_DELEG:
        return SUCCESS, 1
    if feature == PTE_AD_HW_UPDATING:
        return SUCCESS, int(bool(call.vcpu["henvcfg"] & ENVCFG_ADUE.mask))
    return NOT_SUPPORTED


@function(EID, 0)
def fwft_set(call):
    """"The set operation will succeed if requested value matches the existing value", also of a locked one."""
    feature, value, flags = call.arguments[0] & 0xFFFF_FFFF, *call.arguments[1:3]
    found = read(call, feature)
    if not isinstance(found, tuple):
        return found
    if value > 1 or flags & ~LOCK:
        return INVALID_PARAM
    if value != found[1]:
        if feature in call.vcpu.locked:
            return DENIED_LOCKED
        if feature == MISALIGNED_EXC_DELEG:
            return DENIED
        call.vcpu.set_ad_updating(bool(value))
    if flags & LOCK:
        call.vcpu.locked.add(feature)
    return SUCCESS


@function(EID, 1)
def fwft_get(call):
    """"In case of failure, the content of sbiret.value is zero"."""
    return read(call, call.arguments[0] & 0xFFFF_FFFF)

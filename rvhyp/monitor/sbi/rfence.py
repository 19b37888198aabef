"""RFENCE: fences on other harts (SBI specification, chapter "RFENCE Extension").

All vcpus of a guest run on one hart, whose caches of translations are all there are, so one fence there serves every target.
Instruction memory is coherent: FENCE.I has nothing to do.  The functions for guests with the H extension are absent.
"""
from rvhyp.monitor.sbi import INVALID_ADDRESS, INVALID_PARAM, SUCCESS, function

EID = 0x5246_4E43
WHOLE = (1 << 64) - 1


def fence_translations(call):
    """SFENCE.VMA on the targets; wider than asked is always allowed."""
    mask, base, start, size = call.arguments[:4]
    if call.harts(mask, base) is None:
        return INVALID_PARAM
    if size not in (0, WHOLE) and start + size > 1 << 64:
        return INVALID_ADDRESS
    call.hypervisor.fence_guest(call.vm)
    return SUCCESS


@function(EID, 0)
def remote_fence_i(call):
    return INVALID_PARAM if call.harts(*call.arguments[:2]) is None else SUCCESS


@function(EID, 1)
def remote_sfence_vma(call):
    return fence_translations(call)


@function(EID, 2)
def remote_sfence_vma_asid(call):
    if call.arguments[4] >> 16:
        return INVALID_PARAM
    return fence_translations(call)

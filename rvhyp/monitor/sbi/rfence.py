"""RFENCE: fences on other harts (SBI specification, chapter "RFENCE Extension").

The functions for guests with the H extension are not supported.
"""
from rvhyp.monitor.pmu import Firmware
from rvhyp.monitor.sbi import INVALID_ADDRESS, INVALID_PARAM, NOT_SUPPORTED, SUCCESS, extension, function

EID = extension(0x5246_4E43, "RFNC", "RFENCE")
WHOLE = (1 << 64) - 1


def count(call, harts, sent: Firmware, received: Firmware) -> None:
    """The events of a fence that has been made."""
    for other in call.others(harts):
        call.vcpu.pmu.count(sent)
        other.pmu.count(received)


def fence_translations(call, sent: Firmware, received: Firmware):
    """SFENCE.VMA on the targets; wider than asked is always allowed."""
    mask, base, start, size = call.arguments[:4]
    harts = call.harts(mask, base)
    if harts is None:
        return INVALID_PARAM
    if size not in (0, WHOLE) and start + size > 1 << 64:
        return INVALID_ADDRESS
    call.hypervisor.fence_guest(call.vm, harts)
    count(call, harts, sent, received)
    return SUCCESS


@function(EID, 0)
def remote_fence_i(call):
    harts = call.harts(*call.arguments[:2])
    if harts is None:
        return INVALID_PARAM
    call.hypervisor.fence_instructions(harts)
    count(call, harts, Firmware.FENCE_I_SENT, Firmware.FENCE_I_RECEIVED)
    return SUCCESS


@function(EID, 1)
def remote_sfence_vma(call):
    return fence_translations(call, Firmware.SFENCE_VMA_SENT, Firmware.SFENCE_VMA_RECEIVED)


@function(EID, 2)
def remote_sfence_vma_asid(call):
    """An ASID that vsatp cannot hold is not valid."""
    if call.arguments[4] >> call.hypervisor.machine.choices["asid-bits"]:
        return INVALID_PARAM
    return fence_translations(call, Firmware.SFENCE_VMA_ASID_SENT, Firmware.SFENCE_VMA_ASID_RECEIVED)


@function(EID, 3)
def remote_hfence_gvma_vmid(call):
    return NOT_SUPPORTED


@function(EID, 4)
def remote_hfence_gvma(call):
    return NOT_SUPPORTED


@function(EID, 5)
def remote_hfence_vvma_asid(call):
    return NOT_SUPPORTED


@function(EID, 6)
def remote_hfence_vvma(call):
    return NOT_SUPPORTED

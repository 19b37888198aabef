"""STA: the time in which a hart could have run and did not (SBI specification, chapter "Steal-time Accounting Extension")."""
from rvhyp.monitor.sbi import ALL_ONES, INVALID_ADDRESS, INVALID_PARAM, SUCCESS, extension, function
from rvhyp.monitor.steal import SIZE, StealTime

EID = extension(0x53_5441, "STA", "Steal-time Accounting")


@function(EID, 0)
def steal_time_set_shmem(call):
    low, high, flags = call.arguments[:3]
    if flags:
        return INVALID_PARAM
    if low == high == ALL_ONES:
        call.vcpu.steal = None
        return SUCCESS
    if low % SIZE:
        return INVALID_PARAM
    if not call.is_ram(low, high, SIZE):
        return INVALID_ADDRESS
    call.vm.memory.zero(low, SIZE)
    call.vcpu.steal = StealTime(call.vm.memory, low)
    return SUCCESS

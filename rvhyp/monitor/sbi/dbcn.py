"""DBCN: the debug console (SBI specification, chapter "Debug Console Extension")."""
from rvhyp.monitor.sbi import INVALID_PARAM, SUCCESS, extension, function

EID = extension(0x4442_434E, "DBCN", "Debug Console")
CHUNK = 1 << 16                         # partial writes and reads are allowed: bound the work of one call


def is_buffer(call) -> bool:
    """Whether a0 bytes at (a1, a2) are the guest's RAM."""
    size, low, high = call.arguments[:3]
    return call.is_ram(low, high, size)


@function(EID, 0)
def console_write(call):
    if not is_buffer(call):
        return INVALID_PARAM
    size = min(call.arguments[0], CHUNK)
    call.vm.config.output(call.vm.memory.read(call.arguments[1], size))
    return SUCCESS, size


@function(EID, 1)
def console_read(call):
    if not is_buffer(call):
        return INVALID_PARAM
    data = call.hypervisor.console_read(call.vm, min(call.arguments[0], CHUNK))
    call.vm.memory.write(call.arguments[1], data)
    return SUCCESS, len(data)


@function(EID, 2)
def console_write_byte(call):
    call.vm.config.output(bytes([call.arguments[0] & 0xFF]))
    return SUCCESS

"""SBI calls, by the specification's argument rules."""
import pytest

from rvhyp.monitor import sbi
from tests.monitor.guest import boot

NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS, ALREADY_AVAILABLE = -2, -3, -5, -6


def call(eid, fid=0, *arguments, before="", **config):
    """Make one call; gives the error, the value, and the run.  They reach the test as text, in hexadecimal."""
    registers = "".join(f"    li a{n}, {value}\n" for n, value in enumerate(arguments))
    run = boot(f"""
{before}
    li a1, 0x1234
{registers}
    li a7, {eid}
    li a6, {fid}
    ecall
    la t0, results
    sd a0, 0(t0)
    sd a1, 8(t0)
    li a7, 8
    ecall
    .balign 8
results: .dword 0, 0
buffer: .ascii "some text"
""", **config)
    vm = run.vm
    at = vm.config.program.symbols["results"]
    error, value = (vm.memory.word(at + offset) for offset in (0, 8))
    return error - (error >> 63 << 64), value, run


@pytest.mark.parametrize("fid, value", [(0, 0x0300_0000), (1, 0x7276), (4, 0), (5, 0), (6, 0)])
def test_base(fid, value):
    assert call(0x10, fid)[:2] == (0, value)


@pytest.mark.parametrize("eid, exists", [
    (0x10, 1), (0x5449_4D45, 1), (0x73_5049, 1), (0x5246_4E43, 1), (0x48_534D, 1), (0x5352_5354, 1), (0x4442_434E, 1),
    (1, 1), (0x504D_55, 1), (0x5355_5350, 1), (0x53_5441, 1), (0x4657_4654, 1),
    (0x0A00_0000, 0), (0x0900_0000, 0), (0xFFFF_FFFF, 0),
    (0x4350_5043, 0), (0x4E41_434C, 0), (0x4442_5452, 0), (0x53_5345, 0), (0x4D50_5859, 0), (0x0800_0000, 0), (15, 0)])
def test_probe(eid, exists):
    assert call(0x10, 3, eid)[:2] == (0, exists)


@pytest.mark.parametrize("eid, fid", [(0x0A00_0000, 0), (0x10, 7), (0x5449_4D45, 1), (0x5246_4E43, 3), (-1, 0)])
def test_what_does_not_exist_is_not_supported(eid, fid):
    assert call(eid, fid)[0] == NOT_SUPPORTED


def test_ids_are_32_bits_however_extended():
    assert call(0xFFFF_FFFF_0000_0010, 0xABCD_0000_0000_0000)[:2] == (0, 0x0300_0000)


def test_legacy_calls_keep_a1():
    error, value, run = call(1, 0, ord("x"))
    assert (error, value, run.text) == (0, 0x1234, "x")


def test_console_getchar_without_input():
    assert call(2)[0] == -1


def test_dbcn_writes():
    error, value, run = call(0x4442_434E, 0, 9, "buffer", 0)
    assert (error, value, run.text) == (0, 9, "some text")


@pytest.mark.parametrize("size, low, high", [
    (1, 0x1000, 0), (1, 0x8020_0000, 1), (1, 0x8000_0000 + (16 << 20), 0), (2, 0x8000_0000 + (16 << 20) - 1, 0),
    (1 << 63, 0x8020_0000, 0), ((1 << 64) - 1, 0x8020_0000, 0), (1, (1 << 64) - 1, 0)])
@pytest.mark.parametrize("fid", [0, 1])
def test_dbcn_refuses_what_is_not_ram(fid, size, low, high):
    error, _, run = call(0x4442_434E, fid, size, low, high)
    assert (error, run.text) == (INVALID_PARAM, "")


def test_dbcn_of_nothing_is_a_success():
    assert call(0x4442_434E, 0, 0, 0x8020_0000, 0)[:2] == (0, 0)


@pytest.mark.parametrize("mask, base, error", [
    (1, 0, 0), (0, 0, 0), (0, (1 << 64) - 1, 0), (123, (1 << 64) - 1, 0), (2, 0, INVALID_PARAM), (1, 5, INVALID_PARAM),
    (1 << 63, 1 << 62, INVALID_PARAM), (0, 99, 0)])
@pytest.mark.parametrize("eid, fid", [(0x73_5049, 0), (0x5246_4E43, 0), (0x5246_4E43, 1)])
def test_hart_masks(eid, fid, mask, base, error):
    assert call(eid, fid, mask, base, 0, 0)[0] == error


def test_ipi_to_itself_is_pending():
    error, _, run = call(0x73_5049, 0, 1, 0, before="")
    assert error == 0
    assert run.vm.vcpus[0]["hvip"] & 4


@pytest.mark.parametrize("hart, error", [(0, 0), (1, INVALID_PARAM), (1 << 63, INVALID_PARAM)])
def test_hart_status(hart, error):
    assert call(0x48_534D, 2, hart)[0] == error


@pytest.mark.parametrize("hart, start, error", [
    (0, 0x8020_0000, ALREADY_AVAILABLE), (9, 0x8020_0000, INVALID_PARAM), (1, 0x1000, INVALID_ADDRESS),
    (1, 0x8020_0001, INVALID_ADDRESS), (1, 1 << 63, INVALID_ADDRESS)])
def test_hart_start(hart, start, error):
    assert call(0x48_534D, 0, hart, start, 7, cpus=2)[0] == error


@pytest.mark.parametrize("kind, error", [
    (1, INVALID_PARAM), (0x1000_0000, INVALID_PARAM), (0x7FFF_FFFF, INVALID_PARAM),
    (0x8000_0001, INVALID_PARAM), (0x9000_0000, INVALID_PARAM), (0xFFFF_FFFF, INVALID_PARAM)])
def test_a_suspend_type_that_is_reserved_or_not_implemented_is_an_invalid_parameter(kind, error):
    assert call(0x48_534D, 3, kind, 0x8020_0000, 0)[0] == error


@pytest.mark.parametrize("kind, reason, error", [
    (3, 0, INVALID_PARAM), (0, 2, INVALID_PARAM), (1 << 31, 0, INVALID_PARAM), (0xF000_0000, 0, INVALID_PARAM),
    (0, 0xE000_0000, INVALID_PARAM), (0, 0xF000_0000, INVALID_PARAM)])
def test_reset_of_no_kind(kind, reason, error):
    assert call(0x5352_5354, 0, kind, reason)[0] == error


@pytest.mark.parametrize("kind, reason, status", [(0, 0, 0), (0, 1, 1), (1, 0, 0), (2, 1, 1), (1 << 32, 0, 0)])
def test_reset_ends_the_guest(kind, reason, status):
    made = f"    li a7, 0x53525354\n    li a6, 0\n    li a0, {kind}\n    li a1, {reason}\n    ecall\n    j .\n"
    run = boot(made, reboots=False)
    assert run.outcome.status == status


def test_a_legacy_call_that_is_not_there_keeps_a1():
    assert call(4, 0, 0)[:2] == (NOT_SUPPORTED, 0x1234)


def test_clear_ipi_says_whether_one_was_pending():
    """"An implementation specific positive value if an IPI had been pending"."""
    assert call(3)[0] == 0
    assert call(3, before="    csrsi sip, 2\n")[0] > 0


def test_every_function_is_reachable_by_the_specifications_name():
    """Function ids of an extension are consecutive from 0."""
    for eid in {eid for eid, _ in sbi.FUNCTIONS}:
        fids = sorted(fid for extension, fid in sbi.FUNCTIONS if extension == eid)
        assert fids == list(range(len(fids)))

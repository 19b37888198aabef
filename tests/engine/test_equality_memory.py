"""The engines held to each other on memory: every kind of access, through valid and broken page tables of one and two stages."""
from hypothesis import given
from hypothesis import strategies as st

from rvhyp.isa.instruction import INSTRUCTIONS, Kind
from tests.engine.paging import Allocator, addresses, mostly, spaces
from tests.engine.programs import ACCESSES, install, program, registers, uniform64
from tests.engine.support import examples, hold_equal, sizes

ACCESS_NAMES = [name for name, record in INSTRUCTIONS.items() if record.kind in ACCESSES]
GUEST_NAMES = [name for name in ACCESS_NAMES if INSTRUCTIONS[name].guest]
MEMORY_NAMES = [name for name in ACCESS_NAMES if INSTRUCTIONS[name].kind is Kind.MEMORY]
ADDRESS_REGISTERS, STATUS_REGISTERS, HSTATUS_REGISTERS, VSSTATUS_REGISTERS = range(18, 24), (26, 27), (28, 29), (30, 31)
FENCES = ("sfence.vma", "hfence.vvma", "hfence.gvma")
MPRV, FS_DIRTY = 1 << 17, 3 << 13
RAM = 1 << 19


@st.composite
def access_words(draw):
    """An access, often with a change of the status that it depends on, or a fence, before it."""
    words = []
    kind = draw(st.integers(0, 9))
    if kind < 5:
        registers, csr = ((STATUS_REGISTERS, 0x300), (STATUS_REGISTERS, 0x300), (STATUS_REGISTERS, 0x300),
                          (HSTATUS_REGISTERS, 0x600), (VSSTATUS_REGISTERS, 0x200))[kind]
        words.append(INSTRUCTIONS["csrrw"].encode(rd=0, csr=csr, rs1=draw(st.sampled_from(registers))))
    elif kind == 5:
        rs1, rs2 = draw(st.sampled_from((0, *ADDRESS_REGISTERS))), draw(st.sampled_from((0, 0, 1)))
        words.append(INSTRUCTIONS[draw(st.sampled_from(FENCES))].encode(rs1=rs1, rs2=rs2))
    name = draw(st.one_of(*map(st.sampled_from, (ACCESS_NAMES, GUEST_NAMES, MEMORY_NAMES, ("ld", "sd", "lw", "sw")))))
    record = INSTRUCTIONS[name]
    operands = {"rs1": draw(st.sampled_from(ADDRESS_REGISTERS)), "rd": draw(st.integers(10, 15)), "rs2": draw(st.integers(3, 15)),
                "fd": 10, "fs2": draw(st.integers(0, 10)), "imm": draw(st.sampled_from((0, 0, 0, 1, 4, -4))), "aq": 0, "rl": 0}
    words.append(record.encode(**{name: operands[name] & ~(field.step - 1) for name, field in record.fields.items()}))
    return words


@st.composite
def situations(draw):
    """Page tables of host and guest, and the state around them."""
    guest = draw(spaces())
    host = draw(spaces(g_modes=(0,), first_modes=(guest.mode or 8,)))
    if guest.mode:
        host.va = guest.va                                  # so that one address means something to both
    state = {f"x{n}": draw(addresses(draw(st.sampled_from((host, guest, guest))))) for n in ADDRESS_REGISTERS}
    for n in STATUS_REGISTERS:                              # MPRV, MPP, MPV, SUM, MXR
        state[f"x{n}"] = draw(uniform64) & (1 << 11 | 3 << 18 | 1 << 39) | FS_DIRTY | draw(mostly((MPRV,), st.just(0)))
    for n in HSTATUS_REGISTERS:
        state[f"x{n}"] = draw(uniform64)
    for n in VSSTATUS_REGISTERS:                            # SUM, MXR
        state[f"x{n}"] = draw(uniform64) & (3 << 18) | FS_DIRTY
    state |= {"menvcfg": draw(uniform64) | draw(mostly((3 << 61,), st.just(0))), "henvcfg": draw(uniform64), "mstatus": FS_DIRTY}
    if draw(st.integers(0, 5)) == 0:                        # PMP: an entry for some bytes of the data, before that of all
        state |= {"pmpaddr1": (1 << 54) - 1, "pmpaddr0": (0x8000_8000 >> 2) + draw(st.integers(0, 0x800)),
                  "pmpcfg0": (0x1F << 8 | draw(st.sampled_from((2, 3))) << 3 | draw(st.integers(0, 7))
                              | draw(st.sampled_from((0, 0x80))))}
    return host, guest, state


@sizes(120, 3000)
def test_accesses_through_random_page_tables(count):
    """MPRV and HLV, HSV reach the data from M-mode: Sv39 to Sv57 and their x4 forms, SUM, MXR, SPVP, ADUE, PBMT, PMP, fences."""
    @examples(count)
    @given(st.lists(access_words(), min_size=15, max_size=40), situations(), registers(),
           st.lists(st.integers(1, 80), min_size=2))
    def check(accesses, situation, values, counts):
        host, guest, state = situation

        def prepare(bench):
            install(bench, program(sum(accesses, [])), **values | state)
            allocate = Allocator()
            bench.set(**host.install(bench, False, allocate), **guest.install(bench, True, allocate))
        hold_equal(prepare, [*counts, 200], size=RAM)
    check()

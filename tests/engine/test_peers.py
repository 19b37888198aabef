"""Code of harts that run at the same time, one step of one hart after the other: what each fetches after its FENCE.I."""
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp import assemble, make_engine
from rvhyp.hart.peers import ENTRY_EPOCH, ENTRY_NEXT, ENTRY_SHIFT
from rvhyp.hart.state import OFFSET
from rvhyp.isa.rule import load64
from rvhyp.machine.machine import Machine
from rvhyp.machine.ram import Ram
from rvhyp.machine.turns import retired

BASE = 0x8000_0000
# Functions; the last runs into another page.
SITES = [BASE + at for at in (0x1000, 0x1008, 0x1040, 0x1FF8, 0x2000, 0x2FFC)]
RUNNING = OFFSET["running"] // 8
PROGRAM = assemble("""
write:  sw a1, (a0)
        sw a2, 4(a0)
        j .
fence:  fence.i
        j .
call:   li a0, 0
        jalr a3
        j .
""", BASE)
RET = 0x8067
STEPS = {"write": 2, "fence": 1, "call": 4}
ENGINE = make_engine("interpreter")


class Pair:
    """Two harts, and what each may fetch at each site: what is there, and all that was there since its last FENCE.I."""

    def __init__(self):
        self.machine = Machine([Ram(BASE, 1 << 20)], engine=ENGINE, harts=2, concurrent=True)
        self.machine.memory.write(BASE, PROGRAM.code)
        self.entries = [ENGINE.bind(hart)[0] for hart in self.machine.harts]
        self.now = dict.fromkeys(SITES, 0)
        self.allowed = [{site: {0} for site in SITES} for _ in self.entries]
        for site in SITES:
            self.host(site, 0)
        for hart in (0, 1):
            self.fence(hart)

    def run(self, hart: int, name: str) -> None:
        words = self.machine.harts[hart]
        words.pc = PROGRAM.symbols[name]
        words.quantum_end = retired(words) + STEPS[name]
        other = self.machine.harts[1 - hart]
        other.words[RUNNING], kept = self.busy[1 - hart], other.words[RUNNING]
        self.entries[hart]()
        other.words[RUNNING] = kept

    busy = (0, 0)

    def _changed(self, site: int, value: int) -> None:
        self.now[site] = value
        for allowed in self.allowed:
            allowed[site].add(value)

    def host(self, site: int, value: int) -> None:
        """The host writes "li a0, value; ret"."""
        self.machine.memory.write(site, (value << 20 | 0x513).to_bytes(4, "little") + RET.to_bytes(4, "little"))
        self._changed(site, value)

    def write(self, hart: int, site: int, value: int) -> None:
        """A hart does."""
        words = self.machine.harts[hart]
        words.x[10], words.x[11], words.x[12] = site, value << 20 | 0x513, RET
        self.run(hart, "write")
        self._changed(site, value)

    def fence(self, hart: int) -> None:
        self.run(hart, "fence")
        self.allowed[hart] = {site: {value} for site, value in self.now.items()}

    def call(self, hart: int, site: int) -> int:
        words = self.machine.harts[hart]
        words.x[13] = site
        self.run(hart, "call")
        return int(words.x[10])

    def list_of(self, hart: int) -> list[int]:
        """Entries of its list of stale pages."""
        words, found = self.machine.harts[hart], []
        entry = int(words.stale)
        while entry:
            assert entry not in found, "a circle"
            found.append(entry)
            entry = int(load64(entry + ENTRY_NEXT)) & ~1
        return found

    def entry(self, hart: int, site: int) -> int:
        return int(self.machine.harts[hart].region_pages[0]) + (site - BASE >> 12 << ENTRY_SHIFT)


WHO = st.integers(0, 1)
STEPS_OF_TWO = st.lists(st.one_of(
    st.tuples(st.just("write"), WHO, st.sampled_from(SITES), st.integers(0, 2047)),
    st.tuples(st.just("host"), st.sampled_from(SITES), st.integers(0, 2047)),
    st.tuples(st.just("fence"), WHO),
    st.tuples(st.just("call"), WHO, st.sampled_from(SITES)),
    st.tuples(st.just("busy"), WHO, WHO)), max_size=60)


@settings(max_examples=200)
@given(STEPS_OF_TWO)
def test_each_hart_fetches_what_was_there_at_its_last_fence_i_or_later(steps):
    """Whatever was written by whom, and whether the other hart seems to run meanwhile: "busy"."""
    pair = Pair()
    for name, *arguments in steps:
        if name == "busy":
            pair.busy = tuple(arguments)
        elif name == "call":
            hart, site = arguments
            assert pair.call(hart, site) in pair.allowed[hart][site], (hart, hex(site))
        else:
            getattr(pair, name)(*arguments)
        for hart in (0, 1):
            pair.list_of(hart)
    pair.busy = (0, 0)
    for hart in (0, 1, 0, 1):
        pair.fence(hart)
        for site in SITES:
            assert pair.call(hart, site) == pair.now[site]
    assert pair.list_of(0) == pair.list_of(1) == []


def test_a_page_is_stale_by_birth_as_long_as_another_hart_may_store_to_it_unseen():
    pair, site = Pair(), SITES[0]
    pair.write(0, site, 1)                      # the page is in its write TLB now
    pair.busy = (1, 0)
    assert pair.call(1, site) == 1
    assert pair.list_of(1) == [pair.entry(1, site)]
    pair.fence(1)
    assert pair.list_of(1) == []
    assert pair.call(1, site) == 1
    assert pair.list_of(1) == [pair.entry(1, site)] and load64(pair.entry(1, site) + ENTRY_EPOCH)
    pair.fence(0)                               # a new slice of the first: it has seen the epoch
    pair.fence(1)
    assert pair.call(1, site) == 1
    assert pair.list_of(1) == [] and not load64(pair.entry(1, site) + ENTRY_EPOCH)


def test_a_store_beside_another_harts_code_puts_nothing_on_its_list():
    pair, site = Pair(), SITES[0]
    assert pair.call(1, site) == 0
    pair.fence(1)
    pair.write(0, SITES[2], 5)                  # the same page, another block
    assert pair.list_of(1) == []
    pair.write(0, SITES[1], 5)                  # the same block
    assert pair.list_of(1) == [pair.entry(1, site)]


def test_one_hart_alone_keeps_no_list():
    machine = Machine([Ram(BASE, 1 << 20)], engine=ENGINE)
    assert int(machine.hart.epoch) == 0 and int(machine.hart.next_peer) == machine.hart.address

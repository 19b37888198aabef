"""The PLIC: rules of the specification one by one, and as a machine against a model."""
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rvhyp.machine.bus import BusError
from rvhyp.machine.devices.plic import Context, Plic

PENDING, ENABLE, THRESHOLD, CLAIM = 0x1000, 0x2000, 0x20_0000, 0x20_0004


class Board:
    """A PLIC with lines to drive and targets that remember their level."""

    def __init__(self, contexts=2, sources=64):
        self.irq = [False] * contexts
        self.plic = Plic([Context(number // 2, 11 - number % 2 * 2, self.target(number))
                          for number in range(contexts)], sources)
        self.lines = [None, *(self.plic.line(source) for source in range(1, sources + 1))]

    def target(self, number):
        def drive(level):
            assert level != self.irq[number], "a target hears changes only"
            self.irq[number] = level
        return drive

    def __getitem__(self, offset):
        return self.plic.read(offset, 4)

    def __setitem__(self, offset, value):
        self.plic.write(offset, 4, value)

    def open(self, source, priority=1, context=0):
        """Let a source through to a context, and keep those already let through."""
        self[4 * source] = priority
        at = ENABLE + 0x80 * context + source // 32 * 4
        self[at] |= 1 << source % 32

    def claim(self, context=0):
        return self[CLAIM + 0x1000 * context]

    def complete(self, source, context=0):
        self[CLAIM + 0x1000 * context] = source


@pytest.fixture
def board():
    return Board()


def test_claim_and_complete(board):
    board.open(10)
    board.lines[10](True)
    assert board.irq == [True, False] and board[PENDING] == 1 << 10
    assert board.claim() == 10
    assert board.irq == [False, False] and board[PENDING] == 0 and board.claim() == 0
    board.lines[10](False)
    board.complete(10)
    assert not board.irq[0] and board.claim() == 0


def test_a_level_still_asserted_interrupts_again_after_completion(board):
    board.open(10)
    board.lines[10](True)
    assert board.claim() == 10
    board.lines[10](True)
    assert not board.irq[0], "one request until completion"
    board.complete(10)
    assert board.irq[0] and board.claim() == 10


def test_requests_are_not_retracted(board):
    board.open(3)
    board.lines[3](True)
    board.lines[3](False)
    assert board.irq[0] and board.claim() == 3
    board.complete(3)
    assert not board.irq[0]


def test_a_pulse_between_claim_and_completion_is_not_seen(board):
    board.open(3)
    board.lines[3](True)
    board.claim()
    board.lines[3](False)
    board.lines[3](True)
    board.lines[3](False)
    board.complete(3)
    assert not board.irq[0] and board[PENDING] == 0


def test_requests_wait_until_they_are_enabled(board):
    board.lines[40](True)
    assert board[PENDING + 4] == 1 << 8 and not board.irq[0] and board.claim() == 0
    board[4 * 40] = 1
    assert not board.irq[0]
    board.open(40)
    assert board.irq[0] and board.claim() == 40


def test_priority_then_lowest_number(board):
    for source, priority in ((5, 1), (6, 3), (7, 3), (33, 2)):
        board.open(source, priority)
        board.lines[source](True)
    assert [board.claim() for _ in range(5)] == [6, 7, 33, 5, 0]


def test_priority_0_never_interrupts(board):
    board.open(5, 0)
    board.lines[5](True)
    assert not board.irq[0] and board.claim() == 0 and board[PENDING] == 1 << 5
    board[4 * 5] = 1
    assert board.irq[0]


def test_threshold_masks_the_notification_but_not_the_claim(board):
    board[THRESHOLD] = 2
    board.open(5, 2)
    board.lines[5](True)
    assert not board.irq[0]
    board[THRESHOLD] = 1
    assert board.irq[0]
    board[THRESHOLD] = 7
    assert not board.irq[0] and board.claim() == 5


def test_all_enabled_targets_are_notified_and_the_first_claims(board):
    board.open(9, 1, 0)
    board.open(9, 1, 1)
    board.lines[9](True)
    assert board.irq == [True, True]
    assert board.claim(1) == 9 and board.irq == [False, False] and board.claim(0) == 0
    board.complete(9, 0)
    assert board.irq == [True, True], "any target that has the source enabled may complete it"


@pytest.mark.parametrize("context, source", [(1, 9), (0, 0), (0, 8), (0, 65), (0, 0xFFFF_FFFF), (5, 9)])
def test_completions_that_are_ignored(board, context, source):
    board.open(9)
    board.lines[9](True)
    board.claim()
    board.complete(source, context)
    board[CLAIM + 4] = 9                                # reserved
    assert board[PENDING] == 0 and not board.irq[0]
    board.complete(9)
    assert board.irq[0]


def test_registers_are_warl(board):
    board[4 * 64] = board[4 * 65] = board[0] = board[THRESHOLD] = 0xFFFF_FFFF
    assert (board[4 * 64], board[4 * 65], board[0], board[THRESHOLD]) == (7, 0, 0, 7)
    for word in range(32):
        board[ENABLE + 0x80 + 4 * word] = 0xFFFF_FFFF
    assert [board[ENABLE + 0x80 + 4 * word] for word in range(4)] == [0xFFFF_FFFE, 0xFFFF_FFFF, 1, 0]
    assert board[ENABLE] == 0
    board[PENDING] = 0xFF
    assert board[PENDING] == 0


@pytest.mark.parametrize("offset", [0xFFC, 0x1080, 0x2100, 0x1F_FFFC, 0x20_0008, 0x20_2000, 0x20_2004, 0x3FF_FFFC])
def test_reserved_words_are_0(board, offset):
    board[offset] = 0xFFFF_FFFF
    assert board[offset] == 0 and board.irq == [False, False]


@pytest.mark.parametrize("offset, size", [(CLAIM, 1), (CLAIM, 2), (THRESHOLD, 8), (1, 4), (CLAIM + 2, 4)])
def test_only_words_are_accessed(board, offset, size):
    board.open(9)
    board.lines[9](True)
    with pytest.raises(BusError):
        board.plic.read(offset, size)
    with pytest.raises(BusError):
        board.plic.write(offset, size, 1)
    assert board.irq[0], "nothing was claimed"


@pytest.mark.parametrize("sources", [0, 1024])
def test_how_many_sources(sources):
    with pytest.raises(ValueError):
        Board(1, sources)


@pytest.mark.parametrize("source", [0, -1, 65])
def test_lines_that_do_not_exist(board, source):
    with pytest.raises(ValueError):
        board.plic.line(source)


def test_the_largest():
    board = Board(5, 1023)
    board.open(1023, 7, 4)
    board.lines[1023](True)
    assert board.irq == [False] * 4 + [True] and board[PENDING + 0x7C] == 1 << 31 and board.claim(4) == 1023


SOURCES, CONTEXTS = 40, 3
some_source = st.sampled_from([1, 2, 5, 31, 32, 33, 40])
some_context = st.integers(0, CONTEXTS - 1)


class PlicMachine(RuleBasedStateMachine):
    """The specification in sets: which lines are up, which requests wait, which sources are being served."""

    def __init__(self):
        super().__init__()
        self.board = Board(CONTEXTS, SOURCES)
        self.up, self.pending, self.served = set(), set(), set()
        self.priority = dict.fromkeys(range(1, SOURCES + 1), 0)
        self.enabled = [set() for _ in range(CONTEXTS)]
        self.threshold = [0] * CONTEXTS

    def requests(self, context):
        """Sources that could interrupt a context, the first to be claimed first."""
        waiting = [s for s in self.pending & self.enabled[context] if self.priority[s]]
        return sorted(waiting, key=lambda s: (-self.priority[s], s))

    def gateway(self, source):
        if source in self.up and source not in self.served:
            self.pending.add(source)
            self.served.add(source)

    @rule(source=some_source, level=st.booleans())
    def line(self, source, level):
        self.board.lines[source](level)
        (self.up.add if level else self.up.discard)(source)
        self.gateway(source)

    @rule(source=some_source, priority=st.integers(0, 9))
    def set_priority(self, source, priority):
        self.board[4 * source] = priority
        self.priority[source] = priority % 8

    @rule(context=some_context, sources=st.sets(some_source))
    def set_enabled(self, context, sources):
        for word in range(2):
            self.board[ENABLE + 0x80 * context + 4 * word] = sum(1 << s % 32 for s in sources if s // 32 == word)
        self.enabled[context] = set(sources)

    @rule(context=some_context, threshold=st.integers(0, 7))
    def set_threshold(self, context, threshold):
        self.board[THRESHOLD + 0x1000 * context] = threshold
        self.threshold[context] = threshold

    @rule(context=some_context)
    def claim(self, context):
        first = self.requests(context)[:1]
        assert self.board.claim(context) == (first[0] if first else 0)
        self.pending -= set(first)

    @rule(context=some_context, source=some_source | st.integers(0, 70))
    def complete(self, context, source):
        self.board.complete(source, context)
        if source in self.enabled[context]:
            self.served.discard(source)
            self.gateway(source)

    @invariant()
    def targets_are_notified(self):
        expected = [any(self.priority[s] > self.threshold[c] for s in self.requests(c)) for c in range(CONTEXTS)]
        assert self.board.irq == expected

    @invariant()
    def pending_bits_are_readable(self):
        bits = self.board[PENDING] | self.board[PENDING + 4] << 32
        assert bits == sum(1 << s for s in self.pending)


TestPlicMachine = PlicMachine.TestCase
TestPlicMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

"""The console of one of several guests."""
from rvhyp.machine.console import LONGEST_LINE, Prefixed


def test_whole_lines_get_a_prefix():
    lines = []
    console = Prefixed("a | ", lines.append)
    for piece in (b"on", b"e\r\ntwo\nthr", b"ee"):
        console(piece)
    assert lines == [b"a | one\n", b"a | two\n"]
    console.flush()
    console.flush()
    assert lines[2:] == [b"a | three\n"]


def test_a_line_without_end_is_passed_on_in_pieces():
    """A guest that never ends its line does not fill the host's memory."""
    lines = []
    console = Prefixed("", lines.append)
    for _ in range(3 * LONGEST_LINE):
        console(b"x")
    assert b"".join(lines).count(b"x") >= 2 * LONGEST_LINE and max(map(len, lines)) <= LONGEST_LINE + 2

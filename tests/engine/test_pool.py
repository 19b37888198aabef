"""The pool of decoded pages belongs to a hart: machines that share an engine share no decoded code."""
import gc

from rvhyp import Board, assemble, load
from rvhyp.engine.interpreter import Interpreter

MANY_PAGES = "_start:\n" + "".join(f"    j page{n}\n    .balign 4096\npage{n}: nop\n" for n in range(40)) + """
    li t0, 1
    la t1, tohost
    sd t0, 0(t1)
1:  j 1b
    .data
    .balign 8
    .globl tohost
tohost: .dword 0
"""


def test_an_engine_outlives_its_machines():
    """With room for 25 pages each machine flushes its pool; none may touch what an earlier one, now gone, left behind."""
    engine = Interpreter(pool_bytes=1 << 20)
    program = load(assemble(MANY_PAGES, 0x8000_0000).to_elf(), "pages")
    for _ in range(30):
        board = Board(16 << 20, engine=engine)
        board.load(program)
        outcome = board.run(10_000)
        assert (outcome.ended.value, outcome.status) == ("exit", 0)
        del board
        gc.collect()

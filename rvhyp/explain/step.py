"""One instruction in plain Python, watched."""
from __future__ import annotations

from rvhyp.engine.reference import Reference
from rvhyp.explain.observe import Observer
from rvhyp.explain.trap import Explanation, explanation
from rvhyp.hart.paging import forget_tables
from rvhyp.hart.state import Hart


class Watched:
    """Runs a hart one instruction at a time on the reference engine, whatever engine it is attached to."""

    def __init__(self, hart: Hart):
        self._hart, self._engine = hart, Reference()
        hart.second_tlb = 0                 # walks are to be seen, not remembered
        forget_tables(hart)
        self.explanation: Explanation | None = None

    def run(self) -> int:
        """Run one instruction or less; the engine's reason to return.  If a trap was taken, `explanation` says why."""
        hart = self._hart
        hart.stop_at_traps = 1
        hart.quantum_end = min(int(hart.quantum_end), int(hart.slice_end - hart.budget) + 1)
        with Observer(hart) as observer:
            reason = self._engine.run(hart)
        self.explanation = explanation(observer)
        return reason

"""What control flow says about a region: an order to write blocks in, live and changed registers, the longest ways."""
from __future__ import annotations

from collections import defaultdict

from rvhyp.engine.translator.blocks import Region


class Flow:
    """All by the first slot of a block.

    order         blocks, each behind one that leads to it
    predecessors  blocks that lead to it
    loops         (from, to) of the edges that close loops
    need          instructions that may retire from its start before the region is left, or a loop closed
    changed       registers that may differ at its start from what is stored in the hart record
    live          registers whose values are wanted at its start
    """

    def __init__(self, region: Region):
        self.order: list[int] = []
        self.predecessors: dict[int, list[int]] = defaultdict(list)
        self.loops: set[tuple[int, int]] = set()
        self.need: dict[int, int] = {}
        self._blocks = blocks = region.blocks
        self._walk(region.entries)
        for start in self.order:
            for successor in blocks[start].successors:
                self.predecessors[successor].append(start)
        written = {start: {i.result for i in blocks[start].insns} - {None} for start in self.order}
        self.changed = self._changed(written)
        self.live = self._live(written)

    def _walk(self, entries: list[int]) -> None:
        """Depth first, without recursion: `order` is the order of discovery, `need` is known when a block is left."""
        on_path: set[int] = set()
        for entry in entries:
            if entry in self.need or entry in on_path:
                continue
            path = [(entry, iter(self._enter(entry, on_path)))]
            while path:
                start, ways = path[-1]
                for successor in ways:
                    if successor in on_path:
                        self.loops.add((start, successor))
                    elif successor not in self.need:
                        path.append((successor, iter(self._enter(successor, on_path))))
                        break
                else:
                    path.pop()
                    on_path.discard(start)
                    forward = [s for s in self._blocks[start].successors if (start, s) not in self.loops]
                    self.need[start] = len(self._blocks[start].insns) + max((self.need[s] for s in forward), default=0)

    def _enter(self, start: int, on_path: set[int]) -> list[int]:
        on_path.add(start)
        self.order.append(start)
        return self._blocks[start].successors

    def _changed(self, written: dict[int, set[int]]) -> dict[int, set[int]]:
        changed: dict[int, set[int]] = {start: set() for start in self.order}
        work = list(self.order)
        while work:
            start = work.pop()
            out = changed[start] | written[start]
            for successor in self._blocks[start].successors:
                if not out <= changed[successor]:
                    changed[successor] |= out
                    work.append(successor)
        return changed

    def _live(self, written: dict[int, set[int]]) -> dict[int, set[int]]:
        """Any block may be left, and what is changed must be stored then: changed registers are wanted."""
        live = {start: set(self.changed[start]) for start in self.order}
        for start in self.order:
            done: set[int] = set()
            for insn in self._blocks[start].insns:
                live[start] |= insn.sources - done
                if insn.result is not None:
                    done.add(insn.result)
        work = list(self.order)
        while work:
            start = work.pop()
            for successor in self._blocks[start].successors:
                wanted = live[successor] - written[start]
                if not wanted <= live[start]:
                    live[start] |= wanted
                    work += self.predecessors[start]
        return live


def loop_head(region: Region, slot: int) -> int:
    """The first slot of the innermost loop that a block is in, which is where to enter it; the slot itself if it is in none."""
    back = _backwards(region, slot)
    if slot not in back:
        return slot
    heads = [start for start in back if start <= slot and any(
        start in region.blocks[other].successors and other >= start for other in back)]
    return max((head for head in heads if slot in _around(region, head)), default=slot)


def _backwards(region: Region, slot: int) -> set[int]:
    """Blocks that can be reached from a block and lead back to it."""
    return _reach(region, slot, forward=True) & _reach(region, slot, forward=False)


def _around(region: Region, head: int) -> set[int]:
    """The blocks of the natural loops of a head: those that reach a backward branch to it without passing it."""
    found = {head}
    work = [start for start, block in region.blocks.items() if head in block.successors and start >= head]
    while work:
        start = work.pop()
        if start not in found:
            found.add(start)
            work += [other for other, block in region.blocks.items() if start in block.successors]
    return found


def _reach(region: Region, slot: int, forward: bool) -> set[int]:
    found: set[int] = set()
    work = [slot]
    while work:
        here = work.pop()
        near = region.blocks[here].successors if forward else [s for s, b in region.blocks.items() if here in b.successors]
        for other in near:
            if other not in found:
                found.add(other)
                work.append(other)
    return found

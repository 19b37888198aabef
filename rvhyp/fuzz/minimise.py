"""A corpus reduced: of its programs only so many as together reach all that it reaches."""
from __future__ import annotations

from dataclasses import dataclass

from rvhyp.engine.cache import lock
from rvhyp.fuzz.campaign import Campaign
from rvhyp.fuzz.corpus import Corpus, cover
from rvhyp.fuzz.plan import Plan


@dataclass
class Minimised:
    """What became of the programs of a target."""

    target: str
    programs: int
    kept: int
    features: int
    messages: list[str]


def minimise(folder: str, target: str, engine: str, jobs: int) -> Minimised:
    """Run all programs again, and delete those that the others make superfluous.

    Programs that differed from something stay, and so does what cannot be read or was not run.  Of several processes that do this
    to one folder, one does it at a time: each relies on what it keeps.
    """
    corpus = Corpus(folder, target)
    with lock(corpus.folder / ".lock"):
        return _minimise(corpus, folder, engine, jobs)


def _minimise(corpus: Corpus, folder: str, engine: str, jobs: int) -> Minimised:
    target, (entries, messages) = corpus.target, corpus.read()
    kept = features = 0
    for isa, repeats in sorted({(entry.isa, entry.repeats) for entry in entries.values()}):
        plan = Plan(target, isa=isa, engine=engine, oracles=(), jobs=jobs, examples=0, seconds=None, repeats=repeats,
                    corpus=folder)
        sets = Campaign(plan).replay()
        own = {name for name, entry in entries.items() if (entry.isa, entry.repeats) == (isa, repeats)}
        wanted = {name for name in own if entries[name].oracle or name not in sets}
        chosen = set(cover(sets, wanted)) | wanted
        for name in own - chosen:
            corpus.remove(name)
        kept += len(chosen & own)
        features += len(set().union(*sets.values()))
    return Minimised(target, len(entries), kept, features, messages)

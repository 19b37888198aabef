"""Running: engines that execute a hart's instructions."""
from __future__ import annotations

from rvhyp.engine.core import HostUnsupported, Progress, load_core

ENGINES = ("translator", "interpreter", "reference")


def make_engine(name: str = "auto", progress: Progress | None = None):
    """An engine by name; "auto" is the fastest that this host can run.

    `progress(done, total)` is called while the compiled core is built, the first time.  `HostUnsupported` if the engine
    cannot run here, `ValueError` for an unknown name.
    """
    if name in ("auto", "translator"):
        from rvhyp.engine.translator.engine import Translator
        return Translator(progress=progress)
    if name == "interpreter":
        from rvhyp.engine.interpreter import Interpreter
        return Interpreter(progress=progress)
    if name == "reference":
        from rvhyp.engine.reference import Reference
        return Reference()
    raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")


__all__ = ["ENGINES", "HostUnsupported", "Progress", "load_core", "make_engine"]

"""Where other simulators are installed."""
from __future__ import annotations

import shutil
import sys
from pathlib import Path


def find(program: str) -> str | None:
    """A program on the path, or installed beside this Python."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))

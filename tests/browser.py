"""A real browser for the pages that we write."""
import subprocess
from pathlib import Path

import pytest

from rvhyp.bench.peers import find

CHROMIUM = find("chromium")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--virtual-time-budget=2000", "--dump-dom")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Debian's package chromium is not installed")


def opened(page: Path, end: str = "") -> str:
    """What the browser makes of a page, with this at the end of its address."""
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={page.parent / 'profile'}", f"file://{page}{end}"]
    return subprocess.run(command, capture_output=True, timeout=60).stdout.decode()

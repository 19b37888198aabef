"""Before all tests."""
from contextlib import suppress

import pytest


@pytest.fixture(scope="session", autouse=True)
def core():
    """Tests that start commands look at what these say: the core is there before any does, and none compiles it or waits."""
    from rvhyp.engine import HostUnsupported, load_core
    with suppress(HostUnsupported):
        load_core()

"""Before all tests."""
import pytest


@pytest.fixture(scope="session", autouse=True)
def core():
    """Tests that start commands look at what these say: the core is there before any does, and none compiles it or waits."""
    from rvhyp.engine import load_core
    load_core()

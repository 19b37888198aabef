"""Real guests, for tests that are marked long."""
import urllib.request

import pytest

from rvhyp.guests import store
from rvhyp.guests.apt import MIRROR
from tests.cli.terminal import rvhyp


@pytest.fixture(scope="session")
def prepared():
    """Prepares a guest, in the cache folder, as a user does; skips without network."""
    try:
        urllib.request.urlopen(f"{MIRROR}/dists/trixie/InRelease", timeout=20).close()
    except OSError as error:
        pytest.skip(f"{MIRROR} cannot be reached ({error})")

    def prepare(name):
        if name not in store.prepared():
            done = rvhyp("guests", "prepare", name, "--allow-expired", timeout=1200)
            assert done.returncode == 0, done.stderr
        return name
    return prepare

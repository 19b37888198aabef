"""Real guests, for tests that are marked long."""
import urllib.request

import pytest

from rvhyp.guests import store
from rvhyp.guests.apt import MIRROR
from rvhyp.guests.cpio import Archive
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


@pytest.fixture
def initrd_with(prepared, tmp_path):
    """Makes the initial RAM disk of the guest debian with one program more, and gives its path."""
    def make(name, text):
        folder, debian = store.find(prepared("debian"))
        more = Archive()
        more.file(name, text.encode(), 0o755)
        path = tmp_path / "initrd"
        path.write_bytes((folder / debian.initrd).read_bytes() + more.to_bytes())     # Linux unpacks one after the other
        return str(path)
    return make

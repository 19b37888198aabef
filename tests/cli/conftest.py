"""What tests of the command line share."""
import pytest


@pytest.fixture
def warm_cache(tmp_path):
    """A private cache folder with the compiled core of this very code."""
    from rvhyp.engine import cache, load_core
    load_core()
    source = cache.folder() / f"core-{cache.source_key()}"
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    copy = folder / source.name
    copy.write_bytes(source.read_bytes())
    copy.chmod(0o600)
    rules = next(iter(cache.folder().glob("rules-*")), None)
    if rules:
        (folder / rules.name).write_bytes(rules.read_bytes())
        (folder / rules.name).chmod(0o600)
    return folder

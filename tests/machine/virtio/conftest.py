"""A folder that is shared, and who reads it."""
import pytest

from tests.machine.virtio.p9_client import connect


@pytest.fixture
def shared(tmp_path):
    """A folder with a file, a folder and links that lead out; beside it a file that nobody may reach."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "shared"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("contents")
    (folder / "sub" / "deep").write_text("deep")
    (folder / "out").symlink_to("../secret")
    (folder / "absolute").symlink_to(tmp_path)
    (folder / "up").symlink_to("..")
    return folder


@pytest.fixture
def client(shared):
    return connect(shared)

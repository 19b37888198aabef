"""Versions of what compiles, found without `importlib.metadata`, which takes long to import."""
import importlib.metadata

import pytest

from rvhyp.engine.cache import version


@pytest.mark.parametrize("name", ["numba", "llvmlite"])
def test_the_version_of_a_distribution_is_found_by_its_folder(name):
    assert version(name) == importlib.metadata.version(name)


def test_the_first_folder_of_the_path_counts(tmp_path, monkeypatch):
    (tmp_path / "numba-99.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version("numba") == "99.1"


def test_what_is_not_installed_is_named():
    with pytest.raises(importlib.metadata.PackageNotFoundError, match="nosuchthing"):
        version("nosuchthing")

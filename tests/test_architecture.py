"""Imports between packages point one way."""
import ast
from pathlib import Path

import pytest

import rvhyp

ORDER = ["isa", "hart", "engine", "machine", "monitor", "explain", "conformance", "fuzz", "guests", "bench", "cli"]
ROOT = Path(rvhyp.__file__).parent
FILES = [path for package in ORDER for path in sorted((ROOT / package).rglob("*.py"))]


def imported_packages(path: Path) -> set[str]:
    """Packages of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("rvhyp.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = ORDER.index(path.relative_to(ROOT).parts[0])
    for package in imported_packages(path):
        if package in ORDER:
            assert ORDER.index(package) <= own, f"{path} imports rvhyp.{package}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{path} has {lines} lines"


def test_public_names():
    assert all(getattr(rvhyp, name) is not None for name in rvhyp.__all__)

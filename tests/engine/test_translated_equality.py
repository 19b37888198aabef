"""Translated code held to the interpreter by the properties that hold the interpreter to plain Python."""
import inspect

import pytest

from tests.engine import (
    test_contexts,
    test_equality,
    test_equality_choices,
    test_equality_control,
    test_equality_memory,
    test_self_modifying,
)
from tests.engine.support import hold_translated

MODULES = test_contexts, test_equality, test_equality_choices, test_equality_control, test_equality_memory, test_self_modifying
PROPERTIES = [(module, name) for module in MODULES for name, function in vars(module).items()
              if name.startswith("test_") and list(inspect.signature(function).parameters) == ["count"]
              and "hold_equal" in inspect.getsource(function)]


@pytest.mark.parametrize("count", [4, pytest.param(400, marks=pytest.mark.long)])
@pytest.mark.parametrize("module, name", PROPERTIES, ids=[name for _, name in PROPERTIES])
def test_translated_code_is_equal(module, name, count, monkeypatch):
    monkeypatch.setattr(module, "hold_equal", hold_translated)
    getattr(module, name)(count)


def test_there_are_properties():
    assert len(PROPERTIES) >= 10

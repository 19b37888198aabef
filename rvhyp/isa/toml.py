"""TOML texts from people: whatever is wrong with one is a ValueError."""
from __future__ import annotations


def parse(text: str) -> dict:
    """The document.  `ValueError` if it is none, also where tomllib says so in other ways: deep nesting, endless numbers."""
    import tomllib
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("is not TOML: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"is not TOML: {error}") from error

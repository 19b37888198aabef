"""Entry points of the core as Python built-ins: a call through ctypes costs more than a whole trap, this one almost nothing.

The core has C functions in the form of METH_NOARGS; here they become function objects bound to one hart.
"""
from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from functools import cache

METH_NOARGS = 4
RESULTS = 8                     # small ints, which live for ever
IS_IMMORTAL = sys.version_info >= (3, 12)


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


_new = ctypes.pythonapi.PyCFunction_NewEx
_new.argtypes, _new.restype = (ctypes.POINTER(MethodDef), ctypes.py_object, ctypes.c_void_p), ctypes.py_object


@cache
def definition(name: str, address: int) -> MethodDef:
    """The one definition of an entry point: it is kept, since function objects point to it."""
    return MethodDef(name.encode(), address, METH_NOARGS, None)


def builtin(name: str, address: int, hart: int) -> Callable[[], int]:
    """The entry point at a host address, for the hart record at another."""
    bound = struct.pack(f"<{2 + RESULTS}Q", hart, 0 if IS_IMMORTAL else 1, *(id(value) for value in range(RESULTS)))
    return _new(definition(name, address), bound, None)

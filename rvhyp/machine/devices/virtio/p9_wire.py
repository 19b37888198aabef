"""Messages of 9P2000.L: which fields each request has, and how replies are put together (diod's protocol.md; 9P2000, intro(5)).

A message is size[4] type[1] tag[2] and its fields, little-endian; the type of a reply is that of its request plus one.
"""
from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

HEADER = Struct("<IBH")                 # size, type, tag
RLERROR = 7
QID = Struct("<BIQ")                    # type, version, path
NOFID = 0xFFFF_FFFF
MAX_WALK = 16                           # names in one Twalk
SIZES = {"b": 1, "h": 2, "w": 4, "d": 8}

# Type: (name, fields).  b, h, w, d are 1 to 8 bytes; s is a string, n a list of them; t is a count and so many bytes.
REQUESTS: dict[int, tuple[str, str]] = {
    8: ("statfs", "w"), 12: ("lopen", "ww"), 14: ("lcreate", "wswww"), 16: ("symlink", "wssw"), 18: ("mknod", "wswwww"),
    20: ("rename", "wws"), 22: ("readlink", "w"), 24: ("getattr", "wd"), 26: ("setattr", "wwwwwddddd"), 30: ("xattrwalk", "wws"),
    32: ("xattrcreate", "wsdw"), 40: ("readdir", "wdw"), 50: ("fsync", "ww"), 52: ("lock", "wbwddws"), 54: ("getlock", "wbddws"),
    70: ("link", "wws"), 72: ("mkdir", "wsww"), 74: ("renameat", "wsws"), 76: ("unlinkat", "wsw"), 100: ("version", "ws"),
    102: ("auth", "wssw"), 104: ("attach", "wwssw"), 108: ("flush", "h"), 110: ("walk", "wwn"), 116: ("read", "wdw"),
    118: ("write", "wdt"), 120: ("clunk", "w"), 122: ("remove", "w"),
}


class Malformed(Exception):
    """The fields are not those of the message's type."""


class Request(NamedTuple):
    name: str
    arguments: list


def parse(kind: int, body: bytes) -> Request:
    """The fields of a request behind its header.  Malformed if it is of no known type, too short or too long."""
    if kind not in REQUESTS:
        raise Malformed
    name, fields = REQUESTS[kind]
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        if at + size > len(body):
            raise Malformed
        at += size
        return body[at - size:at]

    def number(size: int) -> int:
        return int.from_bytes(take(size), "little")

    def values() -> Iterator:
        for field in fields:
            if field in SIZES:
                yield number(SIZES[field])
            elif field == "s":
                yield take(number(2))
            elif field == "t":
                yield take(number(4))
            else:
                yield [take(number(2)) for _ in range(number(2))]

    arguments = list(values())
    if at != len(body):
        raise Malformed
    return Request(name, arguments)


def message(kind: int, tag: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, tag) + body


def error(tag: int, number: int) -> bytes:
    """Rlerror, with an errno of Linux."""
    return message(RLERROR, tag, number.to_bytes(4, "little"))


def string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "little") + text


def words(*values: int, size: int = 4) -> bytes:
    return b"".join(value.to_bytes(size, "little") for value in values)

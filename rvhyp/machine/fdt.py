"""Flattened device trees: nodes as plain data, and the one writer.

A property is `True` (present, empty), a string, a list of strings, a 32-bit cell, a list of cells, or bytes.  A cell
that is `Ref("label")` becomes the phandle of the node with that label.  Devicetree Specification 0.4, sections 2 and 5.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rvhyp.isa.config import with_implied
from rvhyp.machine.errors import BadInput


@dataclass(frozen=True)
class Ref:
    """The phandle of the node labelled so."""

    label: str


Property = bool | str | int | Ref | bytes | Sequence[str | int | Ref]


@dataclass
class Node:
    """A node; one that is referred to has a `label`, unique in the tree."""

    name: str
    properties: dict[str, Property] = field(default_factory=dict)
    children: Sequence[Node] = ()
    label: str = ""


@dataclass(frozen=True)
class Cpu:
    """A hart as the tree describes it: `isa` as in `rv64imac_zicsr`; `mmu_type` is the largest, "sv57", or empty."""

    hart: int
    isa: str
    mmu_type: str = ""


PLIC = Ref("plic")


def u64(value: int) -> list[int]:
    """A 64-bit value as two cells."""
    return [value >> 32, value & 0xFFFF_FFFF]


def reg(base: int, size: int) -> list[int]:
    """A `reg` entry under #address-cells = #size-cells = 2."""
    return u64(base) + u64(size)


def cpu_intc(hart: int) -> Ref:
    """The interrupt controller inside a hart; its sources are the interrupt causes."""
    return Ref(f"cpu{hart}-intc")


def wired(interrupt: int) -> dict[str, Property]:
    """The properties of a device on that source of the PLIC; none for source 0, which does not exist."""
    return {"interrupt-parent": PLIC, "interrupts": interrupt} if interrupt else {}


_ISA = re.compile(r"rv(32|64)([ieg])([a-rt-wy]*)(?:_?([szx][a-z0-9]+(?:_[szx][a-z0-9]+)*))?")
_BLOCK_SIZES = {"zicbom": "riscv,cbom-block-size", "zicbop": "riscv,cbop-block-size", "zicboz": "riscv,cboz-block-size"}
BLOCK = 64                              # bytes of a cache block


def isa_extensions(isa: str) -> tuple[str, list[str]]:
    """("rv64i", ["i", "m", ...]) of an ISA string: the properties riscv,isa-base and riscv,isa-extensions.

    `g` and what other names imply are written out (Unprivileged ISA, "ISA Extension Naming Conventions").  BadInput if the string
    is malformed.
    """
    match = _ISA.fullmatch(isa)
    if not match:
        raise BadInput(f"{isa!r} is not an ISA string", do='give one like "rv64imafdc_zicsr_zifencei", in lower case')
    width, base, letters, rest = match.groups()
    names = list("imafd" if base == "g" else base) + list(letters)
    if base == "g":
        names += ["zicsr", "zifencei"]
    names += rest.split("_") if rest else []
    return f"rv{width}{'e' if base == 'e' else 'i'}", with_implied(names)


def mmu_type(choices: Mapping) -> str:
    """What a cpu's property mmu-type says of a hart with these choices, without "riscv,"."""
    widest = choices["widest-mode"]
    return "none" if widest == "bare" else widest


def device_tree(memory: Iterable[tuple[int, int]], cpus: Sequence[Cpu], timebase_frequency: int,
                devices: Iterable[Node] = (), bootargs: str = "", stdout_path: str = "",
                initrd: tuple[int, int] | None = None, model: str = "rvhyp board") -> bytes:
    """The tree of a machine, flattened.

    `memory` are (base, size); `timebase_frequency` is in Hz; `devices` are the nodes the devices describe themselves
    with; `initrd` is (start, end), the address after its last byte.
    """
    chosen: dict[str, Property] = {}
    if bootargs:
        chosen["bootargs"] = bootargs
    if stdout_path:
        chosen["stdout-path"] = stdout_path
    if initrd:
        chosen |= {"linux,initrd-start": u64(initrd[0]), "linux,initrd-end": u64(initrd[1])}
    devices = list(devices)
    on_bus = [node for node in devices if "@" in node.name]
    cells: dict[str, Property] = {"#address-cells": 2, "#size-cells": 2}
    children = [
        Node("chosen", chosen),
        Node("cpus", {"#address-cells": 1, "#size-cells": 0, "timebase-frequency": timebase_frequency},
             [_cpu(cpu) for cpu in cpus]),
        *[Node(f"memory@{base:x}", {"device_type": "memory", "reg": reg(base, size)}) for base, size in memory],
        Node("soc", cells | {"compatible": "simple-bus", "ranges": True}, on_bus),
        *[node for node in devices if "@" not in node.name],
    ]
    return flatten(Node("", cells | {"compatible": "rvhyp,board", "model": model}, children))


def _cpu(cpu: Cpu) -> Node:
    base, extensions = isa_extensions(cpu.isa)
    properties: dict[str, Property] = {
        "device_type": "cpu", "reg": cpu.hart, "status": "okay", "compatible": "riscv",
        "riscv,isa": cpu.isa, "riscv,isa-base": base, "riscv,isa-extensions": extensions,
    }
    properties |= {name: BLOCK for extension, name in _BLOCK_SIZES.items() if extension in extensions}
    if cpu.mmu_type:
        properties["mmu-type"] = f"riscv,{cpu.mmu_type}"
    intc = Node("interrupt-controller", {"compatible": "riscv,cpu-intc", "interrupt-controller": True,
                                         "#interrupt-cells": 1, "#address-cells": 0}, label=cpu_intc(cpu.hart).label)
    return Node(f"cpu@{cpu.hart:x}", properties, [intc])


def flatten(root: Node) -> bytes:
    """The tree as a flattened device tree blob (version 17).  ValueError if a label is missing or used twice."""
    import libfdt

    labels = [node.label for node in _walk(root) if node.label]
    phandles = {label: number for number, label in enumerate(labels, 1)}
    if len(phandles) != len(labels):
        raise ValueError(f"labels used twice: {sorted({label for label in labels if labels.count(label) > 1})}")
    writer = libfdt.FdtSw()
    writer.finish_reservemap()

    def write(node: Node) -> None:
        with writer.add_node(node.name):
            for name, value in node.properties.items():
                writer.property(name, _encode(name, value, phandles))
            if node.label:
                writer.property("phandle", _encode("phandle", phandles[node.label], phandles))
            for child in node.children:
                write(child)

    write(root)
    writer.resize(writer.totalsize() + 64)              # as_fdt adds the end tag, but no room for it
    fdt = writer.as_fdt()
    fdt.pack()
    return bytes(fdt.as_bytearray())


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _encode(name: str, value: Property, phandles: dict[str, int]) -> bytes:
    """A property's bytes: big-endian cells, strings with their NUL."""
    if value is True:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        if "\0" in value:
            raise BadInput(f"NUL in the text of {name}", "device tree", "take it out")
        return value.encode() + b"\0"
    if isinstance(value, Ref):
        if value.label not in phandles:
            raise ValueError(f"{name} refers to {value.label!r}, which no node has as its label")
        return phandles[value.label].to_bytes(4, "big")
    if isinstance(value, int):
        if not 0 <= value < 1 << 32:
            raise ValueError(f"{name}: {value:#x} is no 32-bit cell")
        return value.to_bytes(4, "big")
    return b"".join([_encode(name, item, phandles) for item in value])

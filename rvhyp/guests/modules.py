"""Kernel modules for an initial RAM disk: which are needed, and how they are made cheap to load.

Debian's modules are compressed and signed.  A guest would spend more instructions on checking the signatures than on the rest of
its start, so both are undone here; the kernel takes unsigned modules (it says once that it is tainted).
"""
from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rvhyp.machine.errors import BadInput
from rvhyp.machine.source import read_file

SIGNED = b"~Module signature appended~\n"      # the end of a signed module (include/linux/module_signature.h)
SIGNATURE_INFO = 12                             # bytes before that: struct module_signature, whose last word is the length


@dataclass(frozen=True)
class Module:
    """A module as it is loaded; `depends` and `aliases` are from its own section .modinfo."""

    name: str
    data: bytes
    depends: tuple[str, ...]
    aliases: tuple[str, ...]


def canonical(name: str) -> str:
    """Names of modules do not tell - and _ apart."""
    return name.replace("-", "_")


def unsigned(data: bytes) -> bytes:
    """A module without the signature behind it."""
    if not data.endswith(SIGNED):
        return data
    end = len(data) - len(SIGNED)
    return data[:end - SIGNATURE_INFO - int.from_bytes(data[end - 4:end], "big")]


def _read(path: Path) -> bytes:
    data = read_file(path)
    if path.suffix == ".xz":
        try:
            data = lzma.decompress(data)
        except lzma.LZMAError as error:
            raise BadInput(f"is damaged ({error})", str(path)) from error
    return unsigned(data)


def _modinfo(data: bytes) -> list[tuple[str, str]]:
    """The pairs of the section .modinfo."""
    import io

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(".modinfo")
        pairs = section.data().split(b"\0") if section else []
    except ELFError as error:
        raise BadInput(f"a kernel module is damaged ({error})") from error
    return [(key, value) for key, _, value in (pair.decode("utf-8", "replace").partition("=") for pair in pairs)]


def load(path: Path) -> Module:
    """A module from its file, `name.ko` or `name.ko.xz`."""
    data = _read(path)
    info = _modinfo(data)
    depends = tuple(canonical(name) for key, names in info if key == "depends" for name in names.split(",") if name)
    return Module(canonical(path.name.split(".")[0]), data, depends, tuple(value for key, value in info if key == "alias"))


def select(folder: Path, names: Iterable[str]) -> dict[str, Module]:
    """The named modules below a folder, and all they depend on.  Names that are not there are built into the kernel."""
    paths = {canonical(path.name.split(".")[0]): path for path in sorted(folder.rglob("*.ko*"))}
    found: dict[str, Module] = {}
    wanted = [canonical(name) for name in names]
    while wanted:
        name = wanted.pop()
        if name in paths and name not in found:
            found[name] = load(paths[name])
            wanted += found[name].depends
    return dict(sorted(found.items()))


def in_order(modules: dict[str, Module], name: str) -> list[str]:
    """What a module depends on, the first to be loaded last, as modules.dep has it; each once."""
    order: list[str] = []

    def visit(each: str) -> None:
        for other in modules[each].depends:
            if other in modules:
                if other in order:
                    order.remove(other)
                order.append(other)
                visit(other)

    visit(name)
    return order


def dependencies(modules: dict[str, Module]) -> str:
    """The file modules.dep."""
    return "".join(f"{name}.ko:{''.join(f' {each}.ko' for each in in_order(modules, name))}\n" for name in modules)


def aliases(modules: dict[str, Module]) -> str:
    """The file modules.alias."""
    return "".join(f"alias {alias} {name}\n" for name, module in modules.items() for alias in module.aliases)

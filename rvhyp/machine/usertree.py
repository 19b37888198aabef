"""A device tree that the user gives: what it lacks of memory and /chosen is filled in, and the rest left alone."""
from __future__ import annotations

import libfdt

from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import u64

MORE = 4096                             # bytes that new nodes and properties may take, apart from the boot arguments
MOST_CELLS = 2
QUIET = (libfdt.NOTFOUND,)


def complete(tree: bytes, name: str, memory: tuple[int, int], bootargs: str = "", stdout_path: str = "",
             initrd: tuple[int, int] | None = None) -> bytes:
    """The flattened tree for a guest with that memory (base, size); `initrd` is (start, end), the address after its last byte.

    `bootargs` and `initrd`, if given, are put in; `stdout_path` where the tree has such a node and names none; memory where no
    node describes any.  BadInput if the tree is damaged.
    """
    try:
        if libfdt.fdt_check_full(bytearray(tree), len(tree)) < 0:
            raise BadInput("is a damaged device tree, or none at all", name, "give a flattened one, as dtc -O dtb makes it")
        fdt = libfdt.Fdt(tree)
        fdt.resize(fdt.totalsize() + MORE + len(bootargs.encode()))
        _fill_memory(fdt, name, *memory)
        chosen = _child(fdt, "chosen")
        if bootargs:
            fdt.setprop_str(chosen, "bootargs", bootargs)
        has_path = bool(stdout_path) and fdt.path_offset(stdout_path, (*QUIET, libfdt.BADPATH)) >= 0
        if has_path and not fdt.hasprop(chosen, "stdout-path"):
            fdt.setprop_str(chosen, "stdout-path", stdout_path)
        for which, address in zip(("start", "end"), initrd or (), strict=False):
            fdt.setprop(chosen, f"linux,initrd-{which}", _cells(u64(address)))
        fdt.pack()
        return bytes(fdt.as_bytearray())
    except libfdt.FdtException as error:
        raise BadInput(f"is a device tree that libfdt cannot complete ({error})", name, "build it again (dtc -O dtb)") from error


def _cells(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)


def _child(fdt: libfdt.Fdt, name: str) -> int:
    """A child of the root; made if it is not there."""
    at = fdt.subnode_offset(0, name, QUIET)
    return fdt.add_subnode(0, name) if at < 0 else at


def _fill_memory(fdt: libfdt.Fdt, name: str, base: int, size: int) -> None:
    at = fdt.first_subnode(0, QUIET)
    while at >= 0:
        kind = fdt.getprop(at, "device_type", QUIET)
        if not isinstance(kind, int) and bytes(kind) == b"memory\0" and fdt.hasprop(at, "reg"):
            return
        at = fdt.next_subnode(at, QUIET)
    widths = []
    for which, default in (("#address-cells", 2), ("#size-cells", 1)):
        value = fdt.getprop(0, which, QUIET)
        widths.append(default if isinstance(value, int) else int.from_bytes(bytes(value)[:4], "big"))
    cells: list[int] = []
    for value, width in zip((base, size), widths, strict=True):
        if not 1 <= width <= MOST_CELLS or value >> 32 * width:
            raise BadInput(f"describes no memory, and its root's cells ({widths[0]} and {widths[1]}) cannot", name,
                           "add a memory node, or #address-cells = #size-cells = 2")
        cells += u64(value)[MOST_CELLS - width:]
    node = _child(fdt, f"memory@{base:x}")
    fdt.setprop_str(node, "device_type", "memory")
    fdt.setprop(node, "reg", _cells(cells))

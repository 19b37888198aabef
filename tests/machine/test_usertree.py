"""A device tree of the user's: what is there stays, what it lacks is filled in."""
import libfdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fdt import cells, unflatten

from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Node, flatten, reg, u64
from rvhyp.machine.usertree import complete

MEMORY = 0x8000_0000, 256 << 20
CELLS = {"#address-cells": 2, "#size-cells": 2}
UART = Node("soc", CELLS | {"ranges": True}, [Node("serial@10000000", {"compatible": "ns16550a"})])


def completed(root, **options):
    return unflatten(complete(flatten(root), "my.dtb", MEMORY, **options))


def test_an_empty_tree_gets_memory_and_chosen():
    tree = completed(Node("", CELLS), bootargs="console=ttyS0", stdout_path="/nowhere", initrd=(0x8400_0000, 0x8400_1234))
    assert cells(tree["/memory@80000000"]["reg"]) == reg(*MEMORY)
    assert tree["/memory@80000000"]["device_type"] == b"memory\0"
    assert tree["/chosen"] == {"bootargs": b"console=ttyS0\0", "linux,initrd-start": b"\0\0\0\0\x84\0\0\0",
                               "linux,initrd-end": b"\0\0\0\0\x84\0\x12\x34"}


def test_cells_of_the_root_are_kept():
    tree = completed(Node("", {"#address-cells": 1, "#size-cells": 1}))
    assert cells(tree["/memory@80000000"]["reg"]) == list(MEMORY)
    assert cells(completed(Node("", {}))["/memory@80000000"]["reg"]) == u64(MEMORY[0]) + [MEMORY[1]]    # the defaults: 2 and 1


def test_what_is_there_stays():
    mine = Node("", CELLS, [Node("memory@90000000", {"device_type": "memory", "reg": reg(0x9000_0000, 4096)}), UART,
                            Node("chosen", {"stdout-path": "/mine", "bootargs": "quiet", "rng-seed": 7})])
    tree = completed(mine, stdout_path="/soc/serial@10000000")
    assert "/memory@80000000" not in tree and cells(tree["/memory@90000000"]["reg"]) == reg(0x9000_0000, 4096)
    assert tree["/chosen"] == {"stdout-path": b"/mine\0", "bootargs": b"quiet\0", "rng-seed": b"\0\0\0\7"}
    assert completed(mine, bootargs="mine")["/chosen"]["bootargs"] == b"mine\0"         # what was asked for


def test_stdout_where_there_is_such_a_node():
    assert completed(Node("", CELLS, [UART]), stdout_path="/soc/serial@10000000")["/chosen"]["stdout-path"]


def test_cells_that_cannot_describe_memory():
    with pytest.raises(BadInput, match="describes no memory"):
        completed(Node("", {"#address-cells": 3, "#size-cells": 2}))


GOOD = flatten(Node("", CELLS, [UART, Node("chosen", {"bootargs": "quiet"})]))


@pytest.mark.parametrize("data", [b"", b"text", GOOD[:40], GOOD[:-1], bytes(4096)])
def test_what_is_no_tree_is_refused(data):
    with pytest.raises(BadInput, match=r"my\.dtb.*dtc"):
        complete(data, "my.dtb", MEMORY)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_tree_is_one_message_or_a_tree(changes):
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    try:
        tree = complete(bytes(data), "my.dtb", MEMORY, "console=ttyS0", "/soc/serial@10000000", (1, 2))
    except BadInput as error:
        assert "\n" not in str(error) and error.where == "my.dtb"
    else:
        assert libfdt.fdt_check_full(bytearray(tree), len(tree)) == 0

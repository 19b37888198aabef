"""Device trees: what is described is what libfdt reads back."""
import struct

import libfdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvhyp.machine import memory_map
from rvhyp.machine.bus import Bus
from rvhyp.machine.devices.clint import Clint
from rvhyp.machine.devices.finisher import Finisher
from rvhyp.machine.devices.plic import Context, Plic
from rvhyp.machine.devices.uart import Uart
from rvhyp.machine.errors import BadInput
from rvhyp.machine.fdt import Cpu, Node, Ref, device_tree, flatten, isa_extensions, reg, u64

ISA = "rv64imafdch_zicsr_zifencei_zicboz_sstc"


def ignore(*_):
    pass


def unflatten(blob):
    """{path: {property: bytes}}, read with libfdt alone."""
    fdt, found = libfdt.Fdt(blob), {}
    assert fdt.totalsize() == len(blob)

    def visit(offset):
        found[fdt.get_path(offset)] = properties = {}
        at = fdt.first_property_offset(offset, libfdt.QUIET_NOTFOUND)
        while at >= 0:
            value = fdt.get_property_by_offset(at)
            properties[value.name] = bytes(value)
            at = fdt.next_property_offset(at, libfdt.QUIET_NOTFOUND)
        child = fdt.first_subnode(offset, libfdt.QUIET_NOTFOUND)
        while child >= 0:
            visit(child)
            child = fdt.next_subnode(child, libfdt.QUIET_NOTFOUND)

    visit(0)
    return found


def cells(data):
    return list(struct.unpack(f">{len(data) // 4}I", data))


def board_tree(harts=2, **options):
    bus = Bus([(memory_map.RAM_BASE, 256 << 20, "RAM")])
    contexts = [Context(hart, cause, ignore) for hart in range(harts) for cause in (11, 9)]
    for place, device, name, interrupt in (
            (memory_map.FINISHER, Finisher(ignore, ignore), "finisher", 0),
            (memory_map.CLINT, Clint(harts, ignore, ignore, [], ignore), "clint", 0),
            (memory_map.PLIC, Plic(contexts), "plic", 0),
            (memory_map.UART, Uart(ignore, ignore), "uart", memory_map.UART_INTERRUPT)):
        bus.attach(place.base, place.size, device, name, interrupt)
    cpus = [Cpu(hart, ISA, "sv57") for hart in range(harts)]
    return unflatten(device_tree([(memory_map.RAM_BASE, 256 << 20), (1 << 33, 1 << 32)], cpus, 10_000_000, bus.nodes(),
                                 stdout_path="/soc/serial@10000000", **options))


def test_memory_and_chosen():
    tree = board_tree(bootargs="console=ttyS0 root=/dev/vda é", initrd=(0x8400_0000, 0x1_8500_0000))
    assert tree["/"]["#address-cells"] == tree["/"]["#size-cells"] == b"\0\0\0\2"
    assert tree["/"]["model"] == b"rvhyp board\0" and tree["/"]["compatible"] == b"rvhyp,board\0"
    assert tree["/memory@80000000"] == {"device_type": b"memory\0",
                                        "reg": struct.pack(">QQ", 0x8000_0000, 256 << 20)}
    assert tree["/memory@200000000"]["reg"] == struct.pack(">QQ", 1 << 33, 1 << 32)
    assert tree["/chosen"] == {"bootargs": "console=ttyS0 root=/dev/vda é\0".encode(),
                               "stdout-path": b"/soc/serial@10000000\0",
                               "linux,initrd-start": struct.pack(">Q", 0x8400_0000),
                               "linux,initrd-end": struct.pack(">Q", 0x1_8500_0000)}
    assert board_tree()["/chosen"].keys() == {"stdout-path"}


def test_cpus():
    tree = board_tree()
    assert cells(tree["/cpus"]["timebase-frequency"]) == [10_000_000]
    assert cells(tree["/cpus"]["#address-cells"] + tree["/cpus"]["#size-cells"]) == [1, 0]
    for hart in (0, 1):
        cpu = tree[f"/cpus/cpu@{hart}"]
        assert cells(cpu["reg"]) == [hart] and cpu["device_type"] == b"cpu\0" and cpu["status"] == b"okay\0"
        assert cpu["compatible"] == b"riscv\0" and cpu["mmu-type"] == b"riscv,sv57\0"
        assert cpu["riscv,isa"] == ISA.encode() + b"\0" and cpu["riscv,isa-base"] == b"rv64i\0"
        assert cpu["riscv,isa-extensions"] == b"i\0m\0a\0f\0d\0c\0h\0zicsr\0zifencei\0zicboz\0sstc\0"
        assert cells(cpu["riscv,cboz-block-size"]) == [64] and "riscv,cbom-block-size" not in cpu
        intc = tree[f"/cpus/cpu@{hart}/interrupt-controller"]
        assert intc["compatible"] == b"riscv,cpu-intc\0" and intc["interrupt-controller"] == b""
        assert cells(intc["#interrupt-cells"]) == [1] and len(intc["phandle"]) == 4
    phandles = [properties["phandle"] for properties in tree.values() if "phandle" in properties]
    assert len(set(phandles)) == len(phandles) >= 4 and b"\0\0\0\0" not in phandles


def test_devices_describe_themselves():
    tree = board_tree()
    intc = [cells(tree[f"/cpus/cpu@{hart}/interrupt-controller"]["phandle"])[0] for hart in (0, 1)]
    plic, uart, clint = (tree[f"/soc/{name}"] for name in ("plic@c000000", "serial@10000000", "clint@2000000"))
    assert plic["compatible"] == b"sifive,plic-1.0.0\0riscv,plic0\0"
    assert plic["reg"] == struct.pack(">QQ", 0xC00_0000, 0x400_0000) and cells(plic["riscv,ndev"]) == [64]
    assert cells(plic["interrupts-extended"]) == [intc[0], 11, intc[0], 9, intc[1], 11, intc[1], 9]
    assert plic["interrupt-controller"] == b"" and cells(plic["#interrupt-cells"]) == [1]
    assert clint["compatible"] == b"sifive,clint0\0riscv,clint0\0"
    assert cells(clint["interrupts-extended"]) == [intc[0], 3, intc[0], 7, intc[1], 3, intc[1], 7]
    assert uart["compatible"] == b"ns16550a\0" and cells(uart["clock-frequency"]) == [3686400]
    assert uart["interrupt-parent"] == plic["phandle"] and cells(uart["interrupts"]) == [10]
    assert tree["/soc"]["compatible"] == b"simple-bus\0" and tree["/soc"]["ranges"] == b""


def test_power_off_and_reboot():
    tree = board_tree()
    finisher = tree["/soc/test@100000"]
    assert finisher["compatible"] == b"sifive,test1\0sifive,test0\0syscon\0"
    for name, value in (("poweroff", 0x5555), ("reboot", 0x7777)):
        node = tree[f"/{name}"]
        assert node["compatible"] == f"syscon-{name}\0".encode() and node["regmap"] == finisher["phandle"]
        assert cells(node["offset"] + node["value"]) == [0, value]


def test_a_device_without_interrupt():
    nodes = Uart(ignore, ignore).nodes(0x1000, 0x100, 0)
    tree = unflatten(device_tree([(0, 4096)], [Cpu(0, "rv64i")], 1, nodes))
    assert "interrupts" not in tree["/soc/serial@1000"] and "mmu-type" not in tree["/cpus/cpu@0"]


@pytest.mark.parametrize("isa, base, extensions", [
    ("rv64i", "rv64i", "i"), ("rv64imac", "rv64i", "i m a c"), ("rv32e", "rv32e", "e"),
    ("rv64gc", "rv64i", "i m a f d c zicsr zifencei"), ("rv64gch_zicsr_svinval", "rv64i",
                                                        "i m a f d c h zicsr zifencei svinval"),
    ("rv64imzicsr_zba_xmine", "rv64i", "i m zicsr zba xmine"),
])
def test_isa_extensions(isa, base, extensions):
    assert isa_extensions(isa) == (base, extensions.split())


@pytest.mark.parametrize("isa", ["", "rv64", "RV64I", "rv128i", "rv64i_", "rv64i__zba", "rv64m", "rv64i zba", "x86",
                                 "rv64i_m", "rv64i" + "z" * 5000 + "!", "rv64i_" + "zs_" * 2000])
def test_isa_strings_that_are_none(isa):
    with pytest.raises(BadInput, match="is not an ISA string"):
        isa_extensions(isa)


def test_cells():
    assert u64(0x1_0000_0002) == [1, 2] and reg(1 << 32, 3) == [1, 0, 0, 3]
    tree = unflatten(flatten(Node("", {"a": [1, Ref("n"), 2], "b": True, "c": 7, "d": b"raw", "e": ["x", "yz"],
                                       "f": "", "g": Ref("n")}, [Node("node", label="n")])))
    assert tree["/"] == {"a": bytes.fromhex("000000010000000100000002"), "b": b"", "c": b"\0\0\0\7", "d": b"raw",
                         "e": b"x\0yz\0", "f": b"\0", "g": b"\0\0\0\1"}
    assert tree["/node"] == {"phandle": b"\0\0\0\1"}


@pytest.mark.parametrize("root, text", [
    (Node("", {"a": Ref("nobody")}), "a refers to 'nobody'"), (Node("", {"a": 1 << 32}), "no 32-bit cell"),
    (Node("", {"a": [-1]}), "no 32-bit cell"),
    (Node("", {}, [Node("a", label="x"), Node("b", label="x")]), r"labels used twice: \['x'\]"),
])
def test_mistakes_in_descriptions(root, text):
    with pytest.raises(ValueError, match=text):
        flatten(root)


def test_text_with_a_nul_is_bad_input():
    with pytest.raises(BadInput, match="NUL in the text of bootargs"):
        board_tree(bootargs="a\0b")


@pytest.mark.parametrize("length", [*range(900, 1030, 4), 5000, 100_000])
def test_trees_of_any_size(length):
    """libfdt's buffer grows in steps; none of the sizes falls between."""
    assert unflatten(flatten(Node("", {"x": bytes(length)})))["/"] == {"x": bytes(length)}


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789,._+-", min_size=1, max_size=20)
values = st.one_of(st.just(True), st.binary(max_size=40), st.integers(0, (1 << 32) - 1),
                   st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
                   st.lists(st.integers(0, (1 << 32) - 1), max_size=5))
nodes = st.recursive(
    st.builds(Node, names, st.dictionaries(names, values, max_size=4)),
    lambda children: st.builds(Node, names, st.dictionaries(names, values, max_size=4),
                               st.lists(children, max_size=4, unique_by=lambda node: node.name)), max_leaves=12)


@settings(max_examples=100, deadline=None)
@given(nodes)
def test_round_trip(tree):
    def expected(node, path):
        properties = {}
        for name, value in node.properties.items():
            if value is True:
                properties[name] = b""
            elif isinstance(value, int):
                properties[name] = struct.pack(">I", value)
            elif isinstance(value, str):
                properties[name] = value.encode() + b"\0"
            else:
                properties[name] = value if isinstance(value, bytes) else struct.pack(f">{len(value)}I", *value)
        found = {path: properties}
        for child in node.children:
            found |= expected(child, f"{path.rstrip('/')}/{child.name}")
        return found

    tree.name = ""
    assert unflatten(flatten(tree)) == expected(tree, "/")

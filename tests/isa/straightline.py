"""Straight-line code executed with the bodies of the records on plain words."""
from rvhyp.isa.decode import decode
from rvhyp.isa.instruction import Kind
from rvhyp.isa.word import u64


def execute(code: bytes, pc: int = 0, **registers: int) -> dict:
    """Registers x0 to x31 after the code; `pc`, where its last instruction leads; `accesses`, loads and stores."""
    x = [u64(registers.get(f"x{n}", 0)) for n in range(32)]
    accesses, at = [], 0
    while at < len(code):
        found = decode(int.from_bytes(code[at:at + 4], "little"))
        record, operands = found.instruction, found.operands
        here = pc + at
        at += found.length
        values = {name: x[value] if name in ("rs1", "rs2") else u64(value) for name, value in operands.items()}
        values["pc"] = u64(here)
        if record.kind in (Kind.LOAD, Kind.STORE):
            accesses.append((record.name, values["rs1"] + values["imm"]))
            continue
        target = here + found.length
        if record.kind is Kind.JAL:
            result, target = u64(target), values["pc"] + values["offset"]
        elif record.kind is Kind.JALR:
            result, target = u64(target), record.body(values["rs1"], values["imm"])
        else:
            assert record.kind is Kind.ALU, record.name
            result = record.body(*(values[name] for name in record.parameters))
        if operands["rd"]:
            x[operands["rd"]] = result
        assert target == pc + at or at == len(code), "a jump before the end"
    return {f"x{n}": int(value) for n, value in enumerate(x)} | {"pc": int(target), "accesses": accesses}

"""Builds the core: every rule and every handler in one relocatable object, flattened to a position-independent image.

Needs numba and llvmlite and takes some seconds; `rvhyp.engine.core` keeps the result on disk, so that a warm start needs neither.
Both are used in child processes only: their long native calls heed no signal, so whoever wants an end kills them.
"""
from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

from rvhyp.engine import cache, compile
from rvhyp.engine.children import available_cores, call_in_children
from rvhyp.engine.compile import NATIVE_TEXT, Compiler, dispatch_text, explicit
from rvhyp.isa.rule import RULES, Dispatch

IMAGE_ALIGNMENT = 64
PC_RELATIVE = (2, 4)            # R_X86_64_PC32, R_X86_64_PLT32
_COMPILER = Path(compile.__file__).read_text()


def load_rules() -> None:
    """Import every module that defines rules."""
    import rvhyp.engine.codepages
    import rvhyp.hart.blocks
    import rvhyp.hart.csrs
    import rvhyp.hart.fences
    import rvhyp.hart.interrupt
    import rvhyp.isa.fpu  # noqa: F401


def compile_rules(names: list[str]) -> dict[str, str]:
    """LLVM IR of some rules by name."""
    load_rules()
    compiler = Compiler()
    return {name: compiler.compile(RULES[name]) for name in names}


def fingerprint(name: str) -> str:
    """Hash of all that the IR of a rule is made from."""
    source, used = explicit(RULES[name])
    signature = sorted((function, len(getattr(target, "parameters", ()))) for function, target in used.items())
    return hashlib.sha256(f"{source}{signature}{_COMPILER}".encode()).hexdigest()


def rules_text(progress: Callable[[int, int], None]) -> str:
    """LLVM IR of all rules, compiled on all cores.  `progress(done, total)` is called at the start and as they come.

    The IR of each rule is kept, so that a change of one rule recompiles one rule.
    """
    load_rules()
    path = cache.folder() / f"rules-{hashlib.sha256(cache.toolchain().encode()).hexdigest()[:16]}"
    _, known = cache.read(path) or ({}, b"{}")
    known = json.loads(known)
    names = [name for name, rule in RULES.items() if not isinstance(rule, Dispatch)]
    keys = {name: fingerprint(name) for name in names}
    missing = [name for name in names if keys[name] not in known]
    progress(len(names) - len(missing), len(names))
    batches = [missing[start:start + 8] for start in range(0, len(missing), 8)]
    if batches:
        for batch in call_in_children([(compile_rules, batch) for batch in batches], available_cores()):
            known |= {keys[name]: text for name, text in batch.items()}
            progress(sum(key in known for key in keys.values()), len(names))
        cache.write(path, {}, json.dumps({key: known[key] for key in keys.values()}).encode())
    texts = [dispatch_text(name, rule) for name, rule in RULES.items() if isinstance(rule, Dispatch)]
    return "\n".join([NATIVE_TEXT, *texts, *(known[keys[name]] for name in names)])


def without_duplicate_declarations(text: str) -> str:
    """Keep one declaration of each symbol, and none of those that are defined."""
    symbol = re.compile(r'@("[^"]+"|[\w.]+)\(')
    lines, seen = text.splitlines(), set()
    for line in lines:
        if line.startswith("define"):
            seen.add(symbol.search(line).group(1).strip('"'))
    kept = []
    for line in lines:
        if line.startswith("declare"):
            name = symbol.search(line).group(1).strip('"')
            if name in seen:
                continue
            seen.add(name)
        kept.append(line)
    return "\n".join(kept)


def target_machine():
    """LLVM's code generator for this very host."""
    import llvmlite.binding as llvm
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, reloc="pic",
        codemodel="small", jit=False)


def handler_table() -> str:
    """A table of handler offsets, from its own address, by handler number."""
    from rvhyp.engine.tables import HANDLERS
    entries = ", ".join(
        "i32 0" if name == "none" else
        f'i32 trunc (i64 sub (i64 ptrtoint (ptr @"{name}" to i64), i64 ptrtoint (ptr @handler_table to i64)) to i32)'
        for name in HANDLERS)
    return f"@handler_table = constant [{len(HANDLERS)} x i32] [{entries}]\n"


def build_image(progress: Callable[[int, int], None]) -> tuple[bytes, dict[str, int]]:
    """The image of the whole core, and the offsets of its global symbols."""
    image, = call_in_children([(link, rules_text(progress))], 1)
    return image


def link(rules: str) -> tuple[bytes, dict[str, int]]:
    """The image of all handlers and of the rules whose IR is given."""
    import llvmlite.binding as llvm

    from rvhyp.engine.handlers import interpreter_text
    load_rules()
    text = without_duplicate_declarations("\n".join([rules, interpreter_text(), handler_table()]))
    machine = target_machine()
    if path := os.environ.get("RVHYP_DUMP_IR"):
        with open(path, "w") as file:
            file.write(text)
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return flatten(machine.emit_object(module))


def flatten(object_code: bytes) -> tuple[bytes, dict[str, int]]:
    """Lay out an object's sections as one image that runs at any address, and the offsets of its global symbols.

    Only references between the object's own sections are allowed: a call of anything outside is a `ValueError`.
    """
    from elftools.elf.elffile import ELFFile
    elf = ELFFile(io.BytesIO(object_code))
    sections = list(elf.iter_sections())
    place, image = {}, bytearray()
    for index, section in enumerate(sections):
        is_loaded = section["sh_flags"] & 2 and section["sh_type"] == "SHT_PROGBITS"
        if is_loaded and not section.name.startswith(".eh_frame"):
            image += b"\0" * (-len(image) % max(IMAGE_ALIGNMENT, section["sh_addralign"]))
            place[index] = len(image)
            image += section.data()
    symbols = elf.get_section_by_name(".symtab")
    for section in sections:
        if section["sh_type"] != "SHT_RELA" or section["sh_info"] not in place:
            continue
        for relocation in section.iter_relocations():
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            if relocation["r_info_type"] not in PC_RELATIVE or symbol["st_shndx"] not in place:
                raise ValueError(f"the core refers to {symbol.name or 'a section'} by relocation "
                                 f"{relocation['r_info_type']}: it would not be position-independent")
            at = place[section["sh_info"]] + relocation["r_offset"]
            value = place[symbol["st_shndx"]] + symbol["st_value"] + relocation["r_addend"] - at
            image[at:at + 4] = struct.pack("<i", value)
    offsets = {s.name: place[s["st_shndx"]] + s["st_value"] for s in symbols.iter_symbols()
               if s.name and s["st_info"]["bind"] == "STB_GLOBAL" and s["st_shndx"] in place}
    return bytes(image), offsets

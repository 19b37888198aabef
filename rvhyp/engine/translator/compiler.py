"""From LLVM IR to position-independent code: needs llvmlite, and runs in a process of its own."""
from __future__ import annotations

import functools

from rvhyp.engine.link import flatten


@functools.cache
def target_machine():
    """LLVM's code generator for this host, at the level that pays for code that is compiled while it is waited for."""
    import llvmlite.binding as llvm
    llvm.set_option("rvhyp", "-disable-lsr")        # strength reduction adds variables to loops that have too many as they are
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=1, reloc="pic",
        codemodel="small", jit=False)


def compile_text(text: str, name: str) -> tuple[bytes, int]:
    """Code of a module that refers to nothing outside, and the offset of a function of it."""
    import llvmlite.binding as llvm
    image, symbols = flatten([target_machine().emit_object(llvm.parse_assembly(text))])
    return image, symbols[name]

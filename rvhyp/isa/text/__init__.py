"""Assembly language: from text to instructions and back, by the records of the instructions."""
from rvhyp.isa.text.assembler import assemble
from rvhyp.isa.text.assembly import Assembly, Section, Symbol
from rvhyp.isa.text.disassembler import disassemble
from rvhyp.isa.text.source import AssemblyError, Line

__all__ = ["Assembly", "AssemblyError", "Line", "Section", "Symbol", "assemble", "disassemble"]

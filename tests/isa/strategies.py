"""Hypothesis strategies of instruction words, from the records."""
from functools import cache

from hypothesis import strategies as st

from rvhyp.isa.fields import Field
from rvhyp.isa.instruction import COMPRESSED, INSTRUCTIONS

RECORDS = [*INSTRUCTIONS.values(), *COMPRESSED.values()]
BY_NAME = INSTRUCTIONS | COMPRESSED


def values_of(field: Field):
    """Every value an operand may have."""
    low, high = field.bounds
    return st.integers(low // field.step, high // field.step).map(lambda n: n * field.step)


@cache
def operands_of(record, **fixed):
    """Operands of a record; `fixed` are strategies for some of them."""
    return st.fixed_dictionaries({name: fixed[name] if name in fixed else values_of(field)
                                  for name, field in record.fields.items()})


@cache
def words_of(record, **fixed):
    """The words of a record."""
    return operands_of(record, **fixed).map(lambda operands: record.encode(**operands)).filter(record.matches)


def words():
    """Words of all records."""
    return st.sampled_from(RECORDS).flatmap(words_of)

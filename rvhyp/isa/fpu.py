"""The floating-point unit in plain Python: what the body of an FP instruction receives as `fp`."""
from collections.abc import Callable

from rvhyp.isa import ieee754, softfloat, softfloat_zfa
from rvhyp.isa.word import Word, u64


def operation(rule: Callable) -> Callable:
    """The method that calls a rule on the unit's hart, and at its rounding mode if the rule's last parameter is `rm`."""
    rounds = rule.parameters[-1] == "rm"

    def method(self, *operands: int) -> Word:
        mode = (self.rm,) if rounds else ()
        return u64(rule(self.h, *map(u64, operands + mode)))
    method.__name__, method.__doc__ = rule.__name__.removeprefix("f_"), rule.__doc__
    return method


class Fpu:
    """Operations of a hart `h` at the rounding mode `rm`, already resolved; each takes the format's width first."""

    def __init__(self, h, rm: int):
        self.h, self.rm = h, rm

    add = operation(softfloat.f_add)
    sub = operation(softfloat.f_sub)
    mul = operation(softfloat.f_mul)
    div = operation(softfloat.f_div)
    sqrt = operation(softfloat.f_sqrt)
    fma = operation(softfloat.f_fma)
    min = operation(softfloat.f_min)
    max = operation(softfloat.f_max)
    eq = operation(softfloat.f_eq)
    lt = operation(softfloat.f_lt)
    le = operation(softfloat.f_le)
    classify = operation(ieee754.f_classify)
    to_int = operation(softfloat.f_to_int)
    from_int = operation(softfloat.f_from_int)
    convert = operation(softfloat.f_convert)
    minm = operation(softfloat_zfa.f_minm)
    maxm = operation(softfloat_zfa.f_maxm)
    leq = operation(softfloat_zfa.f_leq)
    ltq = operation(softfloat_zfa.f_ltq)
    integral = operation(softfloat_zfa.f_integral)
    to_int_modular = operation(softfloat_zfa.f_to_int_modular)

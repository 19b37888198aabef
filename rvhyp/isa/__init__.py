"""Meaning: instructions, their encodings, CSRs and causes.  Importing it registers every instruction."""
from rvhyp.isa import (  # noqa: F401
    rv_a,
    rv_c,
    rv_fd,
    rv_h,
    rv_i,
    rv_m,
    rv_s,
    rv_zb,
    rv_zfa,
    rv_zicbo,
    rv_zicond,
    rv_zicsr,
    rv_zimop,
)

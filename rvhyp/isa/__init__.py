"""Meaning: instructions, their encodings, CSRs and causes.  Importing it registers every instruction."""
from rvhyp.isa import rv_a, rv_c, rv_fd, rv_h, rv_i, rv_m, rv_s, rv_zicsr  # noqa: F401

"""Conformance: programs in the style of riscv-tests, run one by one on the bare board and judged."""

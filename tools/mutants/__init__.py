"""The mutation score of the fuzzer: single faults in our semantics, and whether `rvhyp fuzz` finds them."""

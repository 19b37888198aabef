"""Superinstructions: sequences that run in one handler, found by profiling (tools/profile_sequences)."""

SEQUENCES: list[tuple[str, ...]] = []

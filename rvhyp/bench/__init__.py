"""Benchmarks: our programs on our engines, beside the peers that are installed; traps, start and memory."""

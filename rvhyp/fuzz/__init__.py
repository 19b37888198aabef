"""Property-based differential fuzzing: programs from one seed each, run by several simulators, and what they leave compared."""

"""Targets that have dishes and states of their own: a file each."""

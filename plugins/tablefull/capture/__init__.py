"""Capture: exactly what the readers read of a host, packed into one file. docs/captured-trees.md lists it."""

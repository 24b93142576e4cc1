"""Triage: all looks once, and their findings joined into causes. docs/triage.md describes it."""

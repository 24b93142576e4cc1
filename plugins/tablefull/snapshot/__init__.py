"""The snapshot: all looks in one process, as one JSON object. docs/snapshot.md describes it field by field."""

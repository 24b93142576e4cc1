"""Small trees of files for the tests of readers."""

from __future__ import annotations

from pathlib import Path


def tree(root: Path, files: dict[str, str | bytes]) -> str:
    """Write `files` (path on the host -> content) below `root`; returns the root as readers take it."""
    for path, content in files.items():
        target = root / path.lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(root)

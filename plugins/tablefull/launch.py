"""Entry point of the `tablefull` command: a snapshot is taken before anything expensive is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Take a snapshot, or hand over to the other commands."""
    if sys.argv[1:2] == ['snapshot'] and not {'-h', '--help'}.intersection(sys.argv):
        from tablefull.snapshot.main import main as snapshot

        snapshot(sys.argv[2:])
    from tablefull.command import main as command

    command()

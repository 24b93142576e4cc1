"""Entry point of the `tablefull` command: a snapshot and the top come before anything expensive is imported."""

from __future__ import annotations

import sys


def broken(error: Exception) -> None:
    """Say in the form of a snapshot that the installation is broken, and exit with 3."""
    why = ''.join(letter if letter.isalnum() or letter in " .,:;'()/_-" else '?' for letter in ascii(error))
    print(f'{{"schema":1,"error":"cannot be started: {why}"}}')
    sys.exit(3)


def main() -> None:
    """Take a snapshot, or hand over to the other commands."""
    if sys.argv[1:2] == ['snapshot'] and not {'-h', '--help'}.intersection(sys.argv):
        try:
            from tablefull.snapshot.main import main as snapshot
        except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
            broken(error)
        snapshot(sys.argv[2:])
    if sys.argv[1:2] == ['top'] and not {'-h', '--help'}.intersection(sys.argv):
        from tablefull.top.main import main as top

        top(sys.argv[2:])
    from tablefull.command import main as command

    command()

"""Entry point of the `tablefull` command: a snapshot and the top come before anything expensive is imported."""

from __future__ import annotations

import sys


def broken(error: Exception, form: str) -> None:
    """Say that the installation is broken, in a `form` with a place for the reason, and exit with 3."""
    why = ''.join(letter if letter.isalnum() or letter in " .,:;'()/_-" else '?' for letter in ascii(error))
    print(form % f'cannot be started: {why}')
    sys.exit(3)


def main() -> None:
    """Take a snapshot, or hand over to the other commands."""
    if sys.argv[1:2] == ['snapshot'] and not {'-h', '--help'}.intersection(sys.argv):
        try:
            from tablefull.snapshot.main import main as snapshot
        except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
            broken(error, '{"schema":1,"error":"%s"}')
        snapshot(sys.argv[2:])
    if sys.argv[1:2] == ['top'] and not {'-h', '--help'}.intersection(sys.argv):
        try:
            from tablefull.top.main import main as top
        except Exception as error:  # noqa: BLE001
            broken(error, 'TABLEFULL UNKNOWN - %s')
        top(sys.argv[2:])
    try:
        from tablefull.command import main as command
    except Exception as error:  # noqa: BLE001
        broken(error, 'TABLEFULL UNKNOWN - %s')
    command()

"""The one place that runs programs, and the list of those it may run.

None of them loads a module or changes anything in the form it is called; the reason stands beside each. No shell, a
fixed search path, an empty environment, bounded output; and no child outlives the check.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NamedTuple

from tablefull.readers.files import ReadError

PROGRAMS = {
    'systemctl': 'show: asks systemd over D-Bus for the properties of a unit',
    'journalctl': 'reads journal files, where /dev/kmsg is refused and for the messages of a unit',
    'iptables-legacy-save': 'only with --verify-rules, without -t, where ip_tables_names lists tables: creates none',
    'ip6tables-legacy-save': 'as iptables-legacy-save, for IPv6',
    'iptables-nft-save': 'only with --verify-rules, where nf_tables is loaded already',
    'ip6tables-nft-save': 'as iptables-nft-save, for IPv6',
    'ferm': 'only with --verify-rules, --noexec --lines: prints the rules it would make, and makes none',
}

_DIRECTORIES = ('/usr/sbin', '/usr/bin', '/sbin', '/bin')


class Output(NamedTuple):
    """What a program left: its exit code, the first bytes of its output, the first of its complaints."""

    code: int
    output: bytes
    errors: bytes


def find_program(name: str) -> str | None:
    """Absolute path of one of PROGRAMS in the system's directories, None when it is not installed."""
    if name not in PROGRAMS:
        raise ValueError(f'{name} is not a program a check may run')
    for directory in _DIRECTORIES:
        path = f'{directory}/{name}'
        if os.access(path, os.X_OK):
            return path
    return None


def run_program(name: str, arguments: Sequence[str], limit: int = 1 << 20) -> Output:
    """Run one of PROGRAMS and wait for it. Raises FileNotFoundError without it, ReadError when it cannot be started.

    The caller's alarm bounds the time: whatever exception it raises in here, the child and its children are killed.
    """
    import subprocess  # costs a tenth of a check's time, and most checks run nothing

    path = find_program(name)
    if path is None:
        raise FileNotFoundError(name)
    try:
        child = subprocess.Popen(  # noqa: S603  # a path of our own table, never a shell
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={'PATH': ':'.join(_DIRECTORIES), 'LC_ALL': 'C', 'TZ': 'UTC'},
            cwd='/',
            start_new_session=True,
        )
    except OSError as error:
        raise ReadError(path, error.strerror or str(error), error.errno) from None
    assert child.stdout is not None and child.stderr is not None
    try:
        output = child.stdout.read(limit)
        if len(output) == limit:
            _kill(child.pid)
        # After the end of standard output: a program that fills this pipe before that waits for us, until the alarm.
        errors = child.stderr.read(4096)
        return Output(child.wait(), output, errors)
    finally:
        if child.poll() is None:
            _kill(child.pid)
            child.wait()
        child.stdout.close()
        child.stderr.close()


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass

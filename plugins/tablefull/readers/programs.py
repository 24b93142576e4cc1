"""The one place that runs programs, and the list of those it may run.

None of them loads a module or changes anything in the form it is called; the reason stands beside each. No shell, a
fixed search path, an empty environment, bounded output; and no child outlives the check.
"""

from __future__ import annotations

import os
import select
import signal
import time

from tablefull.readers.files import ReadError, patience
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAMS = {
    'systemctl': 'show: asks systemd over D-Bus for the properties of a unit',
    'journalctl': 'reads journal files, where /dev/kmsg is refused and for the messages of a unit',
    'iptables-legacy-save': 'only with --verify-rules, without -t, where ip_tables_names lists tables: creates none',
    'ip6tables-legacy-save': 'as iptables-legacy-save, for IPv6',
    'iptables-nft-save': 'only with --verify-rules, where all that it can ask for is there, or nothing can be loaded',
    'ip6tables-nft-save': 'as iptables-nft-save, for IPv6',
    'ferm': 'only with --verify-rules, --noexec --lines: prints the rules it would make, and makes none',
}

_COMPLAINTS = 4096
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


def run_program(name: str, arguments: Sequence[str], limit: int = 1 << 20, seconds: float | None = None) -> Output:
    """Run one of PROGRAMS and wait for it. Raises FileNotFoundError without it, ReadError when it cannot be started.

    Output behind `limit` bytes is cut off, and the program ended. `seconds` is a time limit of its own: ReadError when
    it took longer. The caller's alarm bounds the time too: whatever it raises in here, the child and its children end.
    """
    path = find_program(name)
    if path is None:
        raise FileNotFoundError(name)
    try:
        # A parent that ignores its children hands that down, and then the kernel keeps no exit code for us.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    except ValueError:
        pass  # a thread may not; whoever started it has done so
    output, errors = os.pipe(), os.pipe()
    # The alarm may strike only where the child is known and can be ended.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))
    child = None
    try:
        child = _spawn(path, arguments, output[1], errors[1])
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        told = _collect(path, child, (output[0], errors[0]), limit, patience(seconds))
        status = os.waitpid(child, 0)[1]
        child = None
    finally:
        if child is not None:
            _end(child)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(output[0])
        os.close(errors[0])
    return Output(os.waitstatus_to_exitcode(status), *told)


def _spawn(path: str, arguments: Sequence[str], output: int, errors: int) -> int:
    """Start a program in a process group of its own; closes our copies of its output. Raises ReadError.

    Not subprocess: importing it costs a tenth of what a whole check may.
    """
    try:
        return os.posix_spawn(
            path,
            [path, *arguments],
            {'PATH': ':'.join(_DIRECTORIES), 'LC_ALL': 'C', 'TZ': 'UTC'},
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ),
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE,),  # ignored in Python
        )
    except OSError as error:
        raise ReadError(path, error.strerror or str(error), error.errno) from None
    finally:
        os.close(output)
        os.close(errors)


def _collect(path: str, child: int, pipes: tuple[int, int], limit: int, seconds: float | None) -> tuple[bytes, bytes]:
    """Standard output, at most `limit` bytes, and the first complaints. Raises ReadError after `seconds`."""
    ends = None if seconds is None else time.monotonic() + seconds
    poll = select.poll()
    kept = dict.fromkeys(pipes, b'')
    for descriptor in pipes:
        poll.register(descriptor, select.POLLIN)
    waiting = set(pipes)
    while waiting:
        left = None if ends is None else max(0, int((ends - time.monotonic()) * 1000))
        ready = poll.poll(left)
        if not ready:
            raise ReadError(path, f'no answer within {seconds:.3g} s')
        for descriptor, _ in ready:
            piece = os.read(descriptor, 1 << 16)
            # Complaints behind the first are read too, so that a talkative program does not wait for us.
            room = (limit if descriptor == pipes[0] else _COMPLAINTS) - len(kept[descriptor])
            kept[descriptor] += piece[:room]
            if not piece:
                poll.unregister(descriptor)
                waiting.discard(descriptor)
        if len(kept[pipes[0]]) == limit:
            _kill(child)
            break
    return kept[pipes[0]], kept[pipes[1]]


def _end(child: int) -> None:
    """Kill the child with its own children, and reap it."""
    # Killed before it is waited for, so that the number is still its own.
    _kill(child)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        # The alarm struck after it was waited for.
        pass


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass

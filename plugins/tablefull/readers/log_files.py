"""The kernel log where /dev/kmsg is refused or not there: the journal, and files that a syslog daemon writes."""

from __future__ import annotations

import errno
import os
import re
import stat
import time

from tablefull.readers.files import (
    LIMIT,
    ReadError,
    below,
    is_live,
    monotonic_now,
    read_bytes,
    recording,
)
from tablefull.readers.kernel_lines import interesting_line, parse_journal_line, parse_syslog_line, syslog_time
from tablefull.readers.kernel_log import KernelLog, younger
from tablefull.readers.kernel_records import Record

_JOURNAL_LIMIT = 16 * 1024 * 1024
_FROM_KERNEL = re.compile(rb'"_TRANSPORT" ?: ?"kernel"').search


def read_journal(root: str, since_seconds: float) -> KernelLog:
    """The kernel's messages in the journal, of this boot; in a captured tree those of its recordings.

    On this host only after require_open_journal(): journalctl tells nobody that it shows him nothing. Raises
    FileNotFoundError without a recording, ReadError when the journal holds no message of the kernel (as in a container:
    its journal is its own, and an empty one proves nothing).
    """
    if not is_live(root):
        return _recorded(root, since_seconds)
    now = monotonic_now(root)
    lines = journal_lines(since_seconds)
    log = KernelLog('journal', (), len(lines), now_seconds=now or 0.0)
    return log._replace(events=younger(log, _journal_records(lines), since_seconds))


def journal_lines(since_seconds: float) -> list[bytes]:
    """The kernel's messages as journalctl prints them in JSON, oldest first. Raises as read_journal does."""
    output = _journalctl(f'--since=-{int(since_seconds) + 1}s', '--reverse')
    # The newest come first, so that the limit would cut the oldest.
    lines = [line for line in reversed(output.split(b'\n')) if _FROM_KERNEL(line)]
    if not lines and not _FROM_KERNEL(_journalctl('--lines=1')):
        raise ReadError('journal', 'holds no message of the kernel')
    return lines


def _journalctl(*arguments: str) -> bytes:
    from tablefull.readers.programs import run_program

    answer = run_program(
        'journalctl', ['--dmesg', '--output=json', '--no-pager', '--quiet', *arguments], _JOURNAL_LIMIT
    )
    # Ended by ourselves at the limit, it has no exit code of its own.
    if answer.code > 0 or (answer.code < 0 and len(answer.output) < _JOURNAL_LIMIT):
        reason = answer.errors.decode('utf-8', 'backslashreplace').strip().partition('\n')[0]
        raise ReadError('journal', reason or f'journalctl exits with {answer.code}')
    return answer.output


def _journal_records(lines: list[bytes]) -> list[Record]:
    parsed = (parse_journal_line(line) for line in lines if interesting_line(line))
    return [record for record in parsed if record is not None]


def _recorded(root: str, since_seconds: float) -> KernelLog:
    empty = None
    for name in ('journal-kernel.json', 'journal.json'):
        path = recording(root, name)
        if path is None:
            continue
        lines = [line for line in read_bytes(root, path, _JOURNAL_LIMIT).split(b'\n') if _FROM_KERNEL(line)]
        newest = next(filter(None, map(parse_journal_line, reversed(lines))), None)
        if newest is None or newest.seconds is None:
            empty = ReadError(path, 'holds no message of the kernel')
            continue
        now = monotonic_now(root)
        log = KernelLog(path, (), len(lines), now_seconds=newest.seconds if now is None else now)
        # Unlike `journalctl --dmesg`, a recording may go back to earlier boots, whose clock was another.
        records = [record for record in _journal_records(lines) if record.boot == newest.boot]
        return log._replace(events=younger(log, records, since_seconds))
    path = recording(root, 'syslog-kern.log')
    if path is not None:
        return read_log_file(root, path, since_seconds)
    raise empty or FileNotFoundError(errno.ENOENT, 'journal')


def read_log_file(root: str, path: str, since_seconds: float) -> KernelLog:
    """kern.log or messages of a syslog daemon: its last 4 MiB, and those of PATH.1 when it was rotated since.

    Judged by the wall clock: the file mixes boots, so the kernel's own timestamps in it say nothing about age. Raises
    FileNotFoundError, and ReadError when it cannot be read, is no log file, is empty, or no line is in a known format.
    """
    _require_log_file(root, path)
    clock = time.time()
    lines, whole = _tail(root, path)
    oldest = _first_time(lines, clock)
    if whole and (oldest is None or oldest > clock - since_seconds):
        try:
            lines = _tail(root, f'{path}.1')[0] + lines
            oldest = _first_time(lines, clock)
        except FileNotFoundError:
            pass
    if not lines:
        raise ReadError(path, 'is empty')
    newest = _first_time(lines[::-1], clock)
    if oldest is None or newest is None:
        raise ReadError(path, 'holds no line in a known format')
    # In a captured tree the moment of its last line is all that is known of "now".
    now = clock if is_live(root) else newest
    log = KernelLog(
        path, (), len(lines), oldest_seconds=oldest, now_seconds=now, wall_clock=True, newest_seconds=newest
    )
    parsed = (parse_syslog_line(_text(line), clock) for line in lines if interesting_line(line))
    records = (record._replace(seconds=None) for record in parsed if record is not None)
    return log._replace(events=younger(log, records, since_seconds))


def _require_log_file(root: str, path: str) -> None:
    """/proc/kmsg is a regular file by its mode, and reading it takes lines away from the system's logger."""
    if not is_live(root):
        return
    try:
        device = os.stat(path).st_dev
    except OSError:
        return  # _tail tells what is wrong
    of_the_kernel = any(os.path.ismount(place) and os.stat(place).st_dev == device for place in ('/proc', '/sys'))
    if of_the_kernel or os.path.realpath(path).startswith(('/proc/', '/sys/')):
        raise ReadError(path, 'a file of the kernel, not a log file: leave out --file')


def _first_time(lines: list[bytes], clock: float) -> float | None:
    """Time of the first line that has one; garbage before it is passed over, but not without end."""
    times = (syslog_time(_text(line[:512]), clock) for line in lines[:1000])
    return next((moment for moment in times if moment is not None), None)


def _tail(root: str, path: str) -> tuple[list[bytes], bool]:
    """(whole lines at the end of a file, whether that is all of it)."""
    try:
        place = below(root, path)
        status = os.stat(place)
        if not stat.S_ISREG(status.st_mode):
            raise ReadError(path, 'not a regular file')
        if status.st_size == 0:
            # Nothing to read; and wherever it is mounted, /proc/kmsg has no size.
            return [], True
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise FileNotFoundError(error.errno, path) from None
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ReadError(path, 'not a regular file')
        start = max(0, status.st_size - LIMIT)
        lines = os.pread(descriptor, LIMIT, start).split(b'\n')
    except OSError as error:
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None
    finally:
        os.close(descriptor)
    return [line for line in lines[1 if start else 0 :] if line], start == 0


def _text(line: bytes) -> str:
    return line.decode('utf-8', 'backslashreplace')

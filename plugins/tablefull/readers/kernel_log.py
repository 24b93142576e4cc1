"""The kernel log: events about network tables in /dev/kmsg, the journal, a log file, or the recording of any of them.

Nothing is filtered by level, and nothing is consumed: reading /dev/kmsg takes no record away from anybody. The log is
one for the whole host: the kernel does not say which network namespace a line is about, except 'table full' since 6.17.
"""

from __future__ import annotations

import errno
import os
import stat

from tablefull.readers.files import ReadError, below, is_live, monotonic_now, read_bytes, recording
from tablefull.readers.kernel_messages import BEGINNINGS, classify
from tablefull.readers.kernel_records import Record, interesting, kmsg_position, parse_kmsg
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# A record is at most 8 KiB; a smaller buffer would skip it with EINVAL.
_BUFFER = 16384
# More than any ring buffer holds. User space can write to /dev/kmsg too: who chases it must end.
_MOST_RECORDS = 1 << 18
_MOST_BYTES = 1 << 27


class Event(NamedTuple):
    """A message of the catalogue, seen once.

    code      kind of message, as in kernel_messages.PATTERNS
    subject   what it names: inode of the network namespace, 'arp_cache', 'ip_tables', a function; '' when nothing
    count     events it stands for: 1, or N of 'N callbacks suppressed'
    text      as read
    seconds   on the kernel's clock; None where only the wall clock is known (log files)
    wall      unix time; None in /dev/kmsg
    sequence  number of the record in /dev/kmsg; None elsewhere
    """

    code: str
    subject: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    text: str
    seconds: float | None = None
    wall: float | None = None
    sequence: int | None = None


class KernelLog(NamedTuple):
    """What was read, and how far back it reaches.

    source          '/dev/kmsg', 'journal', or the path of a file
    events          of the catalogue, younger than asked for, oldest first
    records         number of records (log files: lines) looked at
    lost            records overwritten or skipped while reading
    last_sequence   of the newest record in /dev/kmsg; None elsewhere
    oldest_seconds  time of the oldest record, on the clock of now_seconds; None when unknown
    now_seconds     the moment of reading: on the kernel's clock, for log files unix time
    first_sequence  of the oldest record in /dev/kmsg; None elsewhere
    wall_clock      True for log files: times are unix times, across boots
    newest_seconds  time of the last line of a log file, on the clock of now_seconds; None elsewhere
    """

    source: str
    events: tuple[Event, ...]
    records: int
    lost: int = 0
    last_sequence: int | None = None
    oldest_seconds: float | None = None
    now_seconds: float = 0.0
    first_sequence: int | None = None
    wall_clock: bool = False
    newest_seconds: float | None = None

    def age(self, event: Event) -> float:
        """Seconds since `event`; negative, thus new, when a clock went backwards. Without any time it is new, too."""
        moment = event.wall if event.seconds is None else event.seconds
        return 0.0 if moment is None else self.now_seconds - moment


def read_kernel_log(root: str, since_seconds: float, file: str | None = None, journal: bool = True) -> KernelLog:
    """The last `since_seconds` of `file`, else of /dev/kmsg, else of the journal; of recordings in a captured tree.

    Without `journal` no program is run for it: for those to whom the log only adds to what counters prove.

    Raises FileNotFoundError when there is no kernel log at all, ReadError when it cannot be had: `permission` is true
    when kernel.dmesg_restrict (EPERM) or a file mode stand in the way and the journal is closed, too.
    """
    if file is not None:
        from tablefull.readers.log_files import read_log_file

        return read_log_file(root, file, since_seconds)
    try:
        return _read_kmsg(root, since_seconds)
    except (FileNotFoundError, ReadError) as error:
        if not journal and is_live(root):
            raise
        # Only where the ring buffer is refused or missing; most users to whom it is may not read the journal either.
        from tablefull.readers.journal_files import require_open_journal

        try:
            if is_live(root):
                require_open_journal()
            from tablefull.readers.log_files import read_journal

            return read_journal(root, since_seconds)
        except (FileNotFoundError, ReadError) as other:
            raise _more_telling(error, other) from None


def _more_telling(error: Exception, other: Exception) -> Exception:
    """A refusal that a privilege would lift, else any reason, else that there is nothing."""
    for candidate in (error, other):
        if isinstance(candidate, ReadError) and candidate.permission:
            return candidate
    return other if isinstance(error, FileNotFoundError) else error


def event_of(record: Record) -> Event | None:
    """The event a record tells of; None when its text is not in the catalogue."""
    message = classify(record.text.strip())
    if message is None:
        return None
    code, subject, count = message
    return Event(code, subject, count * record.times, record.text, record.seconds, record.wall, record.sequence)


def read_records(root: str) -> list[bytes]:
    """Every record of /dev/kmsg, or of its recording, as it is. Raises as read_kernel_log does, without the journal."""
    records: list[bytes] = []
    _read_kmsg(root, 0.0, records.append)
    return records


def _read_kmsg(root: str, since_seconds: float, keep: Callable[[bytes], None] | None = None) -> KernelLog:
    path = recording(root, 'kmsg') or '/dev/kmsg'
    # Looked at before it is opened: opening any other device that somebody put here could have effects.
    try:
        status = os.stat(below(root, path))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise ReadError(path, os.strerror(error.errno), error.errno) from None
        raise FileNotFoundError(errno.ENOENT, path) from None
    if stat.S_ISREG(status.st_mode) and not is_live(root):
        return _log(root, path, _kept(_lines(read_bytes(root, path)).__next__, keep), since_seconds)
    if not _is_kmsg(status):
        if is_live(root):
            # LXC points it at a console, others at /dev/null; `echo > /dev/kmsg` in a container makes a plain file.
            raise FileNotFoundError(errno.ENOENT, path)
        raise ReadError(path, 'not the kernel log')
    try:
        descriptor = os.open(below(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None
    try:
        if not _is_kmsg(os.fstat(descriptor)):
            raise ReadError(path, 'not the kernel log')
        return _log(root, path, _kept(lambda: os.read(descriptor, _BUFFER), keep), since_seconds)
    finally:
        os.close(descriptor)


def _kept(read: Callable[[], bytes], keep: Callable[[bytes], None] | None) -> Callable[[], bytes]:
    """`read`, which hands each record to `keep` as well."""
    if keep is None:
        return read
    hand_over = keep

    def reading() -> bytes:
        record = read()
        if record:
            hand_over(record)
        return record

    return reading


def _is_kmsg(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 11)


def _lines(data: bytes) -> Iterator[bytes]:
    """The records of a recording, ending as /dev/kmsg does. Lines that begin with a blank belong to the one before."""
    for line in data.split(b'\n'):
        if kmsg_position(line) is not None:
            yield line
    yield b''


def _log(root: str, path: str, read: Callable[[], bytes], since_seconds: float) -> KernelLog:
    log, found = scan_kmsg(path, read)
    now = monotonic_now(root)
    if now is not None:
        log = log._replace(now_seconds=now)
    oldest = log.now_seconds - since_seconds
    # The position is enough to leave out the old ones: a ring buffer reaches back for weeks.
    young = [record for record in found if (kmsg_position(record) or (0, oldest))[1] >= oldest]
    records = [record for record in map(parse_kmsg, young) if record is not None]
    return log._replace(events=younger(log, records, since_seconds))


def narrowed(log: KernelLog, seconds: float) -> KernelLog:
    """The log with the events of the last so many seconds only, as if no more had been asked for."""
    return log._replace(events=tuple(event for event in log.events if log.age(event) <= seconds))


def younger(log: KernelLog, records: Iterable[Record], seconds: float) -> tuple[Event, ...]:
    """The events that `records` tell of, without those older than so many seconds at the moment of `log`."""
    oldest = log.now_seconds - seconds
    events = []
    for record in records:
        moment = record.wall if log.wall_clock else record.seconds
        # Age first: it is cheap, and a noisy log holds the lines of days. Without any time a record is new.
        event = event_of(record) if moment is None or moment >= oldest else None
        if event is not None:
            events.append(event)
    return tuple(events)


def scan_kmsg(path: str, read: Callable[[], bytes]) -> tuple[KernelLog, list[bytes]]:
    """Read records with `read` until it has none (EAGAIN, or empty): the log without events, and records of some.

    "Now" is the time of the newest record. Raises ReadError for what is no end, and when there was no record at all.

    EPIPE: records were overwritten before they were read; reading goes on at the oldest that is left, and the sequence
    numbers tell how many were lost. EINVAL: a record larger than the buffer was skipped.
    """
    found: list[bytes] = []
    oldest = newest = b''
    records = size = lost = 0
    overtaken = False
    for _ in range(_MOST_RECORDS):
        try:
            record = read()
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno == errno.EPIPE:
                overtaken = True
            elif error.errno == errno.EINVAL:
                lost += 1
            else:
                raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None
            continue
        if not record or size > _MOST_BYTES:
            break
        if overtaken:
            lost += _between(newest, record)
            overtaken = False
        records += 1
        size += len(record)
        oldest = oldest or record
        newest = record
        # The first half of interesting(), without a call: this is the inner loop.
        if record.startswith(BEGINNINGS, record.find(b';') + 1) and interesting(record):
            found.append(record)
    first, last = kmsg_position(oldest), kmsg_position(newest)
    if first is None or last is None:
        raise ReadError(path, 'holds no record of the kernel log')
    return KernelLog(path, (), records, lost, last[0], first[1], last[1], first[0]), found


def _between(before: bytes, after: bytes) -> int:
    """Number of records missing between two."""
    first, second = kmsg_position(before), kmsg_position(after)
    return max(0, second[0] - first[0] - 1) if first and second else 0

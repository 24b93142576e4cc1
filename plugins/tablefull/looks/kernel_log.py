"""What the kernel said about network tables, at any level."""

from __future__ import annotations

import os

from tablefull.findings import kernel_log as rules
from tablefull.findings.finding import Finding
from tablefull.findings.kernel_log_position import lost_since, remember, unseen
from tablefull.findings.wording import duration, quantity, shown
from tablefull.frame.look import Look, Number
from tablefull.frame.option_table import Option, missing_option
from tablefull.readers.files import ReadError, boot_id, exists, kernel_release, list_directory
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tablefull.frame.look import Memory
    from tablefull.readers.kernel_log import KernelLog

OPTIONS = (
    Option('warning', 'range', '', 'lines of each kind, where its own severity is lower', 'w', 'RANGE'),
    Option('critical', 'range', '', 'lines of each kind, where its own severity is lower', 'c', 'RANGE'),
    Option('since', 'duration', '15m', 'how far to look back; a line alerts for so long', metavar='TIME'),
    Option('new', 'flag', '', 'tell only lines that no earlier run with --new has told'),
    Option('only', 'codes', '', 'judge only these kinds of message, by finding code', metavar='CODE,CODE'),
    Option('file', 'path', '', 'read this log file of syslog instead, such as /var/log/kern.log', metavar='PATH'),
    missing_option('there is no kernel log', 'unknown'),
)

# The first kernel that names the network namespace of a full table for certain.
_NAMES_NAMESPACES = (6, 18)


def look(
    options: Any,
    kinds: tuple[str, ...],
    raised: Callable[[int], str | None],
    remembering: Callable[[], Memory],
    read_log: Callable[[], KernelLog],
) -> Look:
    """Acquire, judge, remember. Raises ReadError for a log that makes no sense.

    `kinds` of message are told; `raised` gives the severity of so many lines by the ranges of the user, None within.
    """
    try:
        log = read_log()
    except FileNotFoundError:
        missing = rules.missing(options.missing, options.file, kernel_release(options.root))
        return Look([missing], (), _nothing_read)
    except ReadError as error:
        if not error.permission:
            raise
        return Look([_unreadable(error)], (), _nothing_read)
    boot = boot_id(options.root)
    memory = remembering()
    trouble = memory.save(remember(log, boot, memory.content))
    lost = lost_since(log, boot, memory.content)
    events = unseen(log, boot, memory.content) if options.new else log.events
    log = log._replace(events=events)
    names_namespaces = kernel_release(options.root) >= _NAMES_NAMESPACES
    seen = rules.Seen(log, options.since, raised, names_namespaces, kinds)
    findings = [*rules.judge(seen), *rules.overwritten(log, options.since, lost), *trouble]
    return Look(findings, tuple(_numbers(seen, lost)), lambda: _healthy(seen, options.new), lambda: _facts(log), seen)


def _numbers(seen: rules.Seen, lost: int) -> Iterator[Number]:
    for kind in seen.kinds:
        yield Number(rules.label(kind), sum(event.count for event in seen.of(kind)), '', 0)
    yield Number('suppressed', rules.suppressed(seen.log.events), '', 0)
    yield Number('lost', lost, '', 0)


def _nothing_read() -> str:
    return 'no kernel log was read'


def _healthy(seen: rules.Seen, new: bool) -> str:
    what = 'no new message' if new else 'no message'
    sentence = f'{what} about a full network table in {duration(seen.since)} of {seen.log.source}'
    return sentence + rules.silence(seen.log, seen.since)


def _facts(log: KernelLog) -> list[tuple[str, str]]:
    facts = [(name, shown(value)) for name, value in log._asdict().items() if name != 'events']
    return facts + [(quantity(max(0, int(log.age(event))), 'second') + ' ago', event.text) for event in log.events]


def cursor_name(options: Any) -> str:
    """Key of what is remembered.

    Each selection has a position of its own: two services, or a run by hand, must not take lines from each other.
    """
    if not (options.only or options.file or options.new):
        return 'kernel_log'
    import zlib

    selection = repr((options.only, options.file, options.new)).encode('utf-8', 'surrogateescape')
    return f'kernel_log-{zlib.crc32(selection):08x}'


def _unreadable(error: ReadError) -> Finding:
    import pwd

    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    journal = any(list_directory('/', f'/{place}/log/journal') for place in ('run', 'var'))
    log_file = '/var/log/kern.log' if exists('/', '/var/log/kern.log') else None
    return rules.unreadable(error, user, journal, log_file)

#!/usr/bin/env python3
"""check_kernel_log: did the kernel say that a network table was full, or that it rejected a firewall rule?"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import kernel_log as rules
    from tablefull.findings.finding import Finding
    from tablefull.findings.kernel_log_position import lost_since, remember, unseen
    from tablefull.findings.wording import duration, quantity, shown
    from tablefull.frame import state
    from tablefull.frame.judge import Measure, finding_metrics
    from tablefull.frame.options import Option, missing_option
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.readers.files import ReadError, boot_id, exists, kernel_release, list_directory
    from tablefull.readers.kernel_log import KernelLog, read_kernel_log
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'KERNEL LOG UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse

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


class KernelMessages(nagiosplugin.Resource):
    """What the kernel said about network tables."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen: rules.Seen | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire, judge, remember."""
        options = self.options
        ignored = options.ignore or ()
        kinds = rules.kinds_of(options.only)
        if len(kinds) < len(set(options.only or ())):
            # A code that no message has: judging nothing would be OK for ever.
            raise nagiosplugin.CheckError(f'--only takes {", ".join(rules.RULES[kind].code for kind in rules.RULES)}')
        try:
            log = read_kernel_log(options.root, options.since, options.file)
        except FileNotFoundError:
            missing = rules.missing(options.missing, options.file, kernel_release(options.root))
            yield from finding_metrics([missing], ignored)
            return
        except ReadError as error:
            if not error.permission:
                raise
            yield from finding_metrics([_unreadable(error)], ignored)
            return
        name = state.key(_cursor_name(options), options.root)
        boot = boot_id(options.root)
        remembered = state.load(options.state_dir, name)
        trouble = state.save(options.state_dir, name, remember(log, boot, remembered.content))
        lost = lost_since(log, boot, remembered.content)
        events = unseen(log, boot, remembered.content) if options.new else log.events
        log = log._replace(events=events)
        names_namespaces = kernel_release(options.root) >= _NAMES_NAMESPACES
        seen = self.seen = rules.Seen(log, options.since, self.raised, names_namespaces, kinds)

        findings = [*rules.judge(seen), *rules.overwritten(log, options.since, lost)]
        yield from finding_metrics([*findings, *(trouble or remembered.findings)], ignored)
        for kind in seen.kinds:
            yield nagiosplugin.Metric(rules.label(kind), sum(event.count for event in seen.of(kind)), '', 0)
        yield nagiosplugin.Metric('suppressed', rules.suppressed(log.events), '', 0)
        yield nagiosplugin.Metric('lost', lost, '', 0)

    def raised(self, lines: int) -> str | None:
        """The severity that the user's ranges give to so many lines."""
        for severity in ('critical', 'warning'):
            limits = getattr(self.options, severity)
            if limits is not None and not limits.match(lines):
                return severity
        return None

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        if self.seen is None:
            return 'no kernel log was read'
        log = self.seen.log
        what = 'no new message' if self.options.new else 'no message'
        sentence = f'{what} about a full network table in {duration(self.seen.since)} of {log.source}'
        return sentence + rules.silence(log, self.seen.since)

    def facts(self) -> list[tuple[str, str]]:
        """Everything read, for -vv."""
        if self.seen is None:
            return []
        log: KernelLog = self.seen.log
        facts = [(name, shown(value)) for name, value in log._asdict().items() if name != 'events']
        return facts + [(quantity(max(0, int(log.age(event))), 'second') + ' ago', event.text) for event in log.events]


def _cursor_name(options: argparse.Namespace) -> str:
    """Each selection has a position of its own: two services, or a run by hand, must not take lines from each other."""
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


def acquire(options: argparse.Namespace) -> Acquired:
    """Put the resource and its contexts together."""
    resource = KernelMessages(options)
    # The ranges are judged with the kinds' own severities, in the rules; here they are only shown.
    limits = (options.warning, options.critical)
    kinds = tuple(Measure(rules.label(kind), None, *limits) for kind in rules.RULES)
    return Acquired(resource, (*kinds, Measure('suppressed'), Measure('lost')), resource.healthy, resource.facts)


CHECK = Check(
    'kernel_log',
    'Find what the kernel said about full network tables and rejected firewall rules, at any level.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()

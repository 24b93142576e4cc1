#!/usr/bin/env python3
"""check_conntrack: does connection tracking refuse packets, is its table filling up, will it be full soon?"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import conntrack as rules
    from tablefull.findings.conntrack_configuration import configuration
    from tablefull.findings.conntrack_loss import lost
    from tablefull.findings.conntrack_seen import COUNTERS, LOST, Seen, sample_of
    from tablefull.findings.finding import Finding
    from tablefull.findings.rates import content_of, samples_from
    from tablefull.findings.wording import number, shown
    from tablefull.frame import state
    from tablefull.frame.judge import Measure, finding_metrics, threshold
    from tablefull.frame.options import Option, missing_option
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.readers.conntrack import read_conntrack
    from tablefull.readers.files import ReadError, boot_id, kernel_release, monotonic_now, uptime
    from tablefull.readers.kernel_log import read_kernel_log
    from tablefull.readers.modprobe_d import module_options, read_modprobe
    from tablefull.readers.sysctl_d import read_sysctls
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'CONNTRACK UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse

OPTIONS = (
    Option('warning', 'range', '80', 'usage of the table in percent of its limit', 'w', 'RANGE'),
    Option('critical', 'range', '90', 'usage of the table in percent of its limit', 'c', 'RANGE'),
    Option('entries-warning', 'range', '', 'number of tracked connections', metavar='RANGE'),
    Option('entries-critical', 'range', '', 'number of tracked connections', metavar='RANGE'),
    Option('full-in-warning', 'whole', '30', 'table full in so many minutes at its growth', metavar='MINUTES'),
    Option('full-in-critical', 'whole', '10', 'table full in so many minutes at its growth', metavar='MINUTES'),
    Option('early-drop-warning', 'range', '0', 'unanswered connections evicted per second', metavar='RANGE'),
    Option('insert-failed-warning', 'range', '10', 'connections lost on insertion per second', metavar='RANGE'),
    Option('hash-load-warning', 'range', '4', 'entries per hash bucket when full', metavar='RANGE'),
    Option('hash-load-critical', 'range', '8', 'entries per hash bucket when full', metavar='RANGE'),
    Option('since', 'duration', '15m', 'how far to look back in the kernel log', metavar='TIME'),
    missing_option('connection tracking is not loaded', 'ok'),
)


class ConntrackTable(nagiosplugin.Resource):
    """The table of this network namespace, with what earlier runs and the kernel log add."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen: Seen | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire, judge, remember."""
        options = self.options
        table = read_conntrack(options.root)
        if not table.loaded:
            yield from finding_metrics([rules.not_loaded(options.missing)], options.ignore or ())
            return
        name = state.key('conntrack', options.root)
        remembered = state.load(options.state_dir, name)
        boot, now = boot_id(options.root), uptime(options.root)
        samples = samples_from(remembered.content, boot, now)
        new = sample_of(table, now, monotonic_now(options.root))
        seen = Seen(table, new, tuple(samples), release=kernel_release(options.root))
        seen = self.seen = _with_kernel_log(seen, options)

        findings = [*rules.judge(seen, options.since)]
        findings += rules.full_soon(seen, options.full_in_warning, options.full_in_critical)
        findings += configuration(table, read_sysctls(options.root), _hashsize(options.root))
        # Last of all: a run that dies on the way has consumed no loss.
        new.counters[LOST] = (lost(findings, seen),)
        findings += state.save(options.state_dir, name, content_of(boot, samples, new)) or remembered.findings
        yield from finding_metrics(findings, options.ignore or ())
        yield from _numbers(seen)

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        if self.seen is None:
            return 'connection tracking is not loaded'
        table = self.seen.table
        if table.usage is None:
            return f'{table.entries} tracked connections, no limit'
        refused = 'nothing refused' if self.seen.rate('drop') is not None else 'no rates yet'
        if table.statistics is None:
            refused = 'refusals not countable on this kernel'
        return f'{table.entries} of {table.maximum} entries in use ({number(table.usage)} %), {refused}'

    def facts(self) -> list[tuple[str, str]]:
        """Everything read, for -vv."""
        if self.seen is None:
            return []
        statistics = self.seen.table.statistics
        facts = [(name, shown(value)) for name, value in self.seen.table._asdict().items() if name != 'statistics']
        if statistics is not None:
            facts += [(f'statistics {column}', str(statistics.total(column))) for column in statistics.columns]
        return facts


def _with_kernel_log(seen: Seen, options: argparse.Namespace) -> Seen:
    """Add the kernel log, of which only lines younger than the previous run prove anything about its counters."""
    # On the log's own clock, which stands still in suspend.
    clocks = [sample.counters.get('log_clock') for sample in (seen.now, seen.before) if sample is not None]
    window = options.since
    if len(clocks) == 2 and clocks[0] and clocks[1]:
        window = clocks[0][0] - clocks[1][0] + 1
    # Where there are no counters, or they leave the reason open, the log is the only witness, and worth a journalctl.
    journal = seen.table.statistics is None or (seen.growth('drop') > 0 and not seen.was_nearly_full)
    try:
        log = read_kernel_log(options.root, max(options.since, window), journal=journal)
    except FileNotFoundError:
        return seen._replace(log_gap='there is no kernel log')
    except ReadError as error:
        return seen._replace(log_gap=str(error))
    return seen._replace(log=log, window=window)


def _hashsize(root: str) -> str | None:
    return module_options(read_modprobe(root), 'nf_conntrack').get('hashsize')


def _numbers(seen: Seen) -> Iterator[nagiosplugin.Metric]:
    table = seen.table
    gauges = [
        ('usage', table.usage, '%', None, None),
        ('entries', table.entries, '', 0, table.limit),
        ('max', table.maximum, '', None, None),
        ('buckets', table.buckets, '', 0, None),
        ('hash_load', table.hash_load, '', 0, None),
    ]
    rates = [(f'{name}_rate', seen.rate(name), '', 0, None) for name in COUNTERS if name != 'chainlength']
    for label, value, unit, minimum, maximum in [*gauges, *rates, ('full_in', seen.full_in, 's', 0, None)]:
        if value is not None:
            yield nagiosplugin.Metric(label, value, unit, minimum, maximum)


def acquire(options: argparse.Namespace) -> Acquired:
    """Put the resource and its contexts together."""
    resource = ConntrackTable(options)

    def judged(label: str, rule: rules.Breach, code: str, prefix: str) -> Measure:
        def breach(severity: str, value: float, limits: str) -> Finding:
            assert resource.seen is not None  # a metric exists only after the probe has seen a table
            return rule(resource.seen, severity, value, limits)

        return threshold(label, code, breach, options, prefix)

    return Acquired(
        resource,
        (
            judged('usage', rules.usage_breach, 'conntrack-usage-high', ''),
            judged('entries', rules.entries_breach, 'conntrack-entries-high', 'entries_'),
            Measure('max'),
            Measure('buckets'),
            judged('hash_load', rules.hash_breach, 'conntrack-hash-small', 'hash_load_'),
            Measure('drop_rate'),
            judged('early_drop_rate', rules.early_drop_breach, 'conntrack-early-drops', 'early_drop_'),
            judged('insert_failed_rate', rules.insert_failed_breach, 'conntrack-insert-failed', 'insert_failed_'),
            Measure('invalid_rate'),
            Measure('search_restart_rate'),
            Measure('full_in'),
        ),
        resource.healthy,
        resource.facts,
    )


CHECK = Check(
    'conntrack',
    'Judge the connection tracking table: refused packets first, then how full it is and how fast it fills.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()

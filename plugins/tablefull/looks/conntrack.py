"""The connection tracking table of this network namespace, with what earlier runs and the kernel log add."""

from __future__ import annotations

import time

from tablefull.findings import conntrack as rules
from tablefull.findings import conntrack_namespaces as namespaces
from tablefull.findings.conntrack_configuration import MAXIMUM, configuration
from tablefull.findings.conntrack_loss import lost
from tablefull.findings.conntrack_remedy import file_of_limit
from tablefull.findings.conntrack_seen import COUNTERS, Seen, sample_of
from tablefull.findings.rates import LOST, content_of, samples_from
from tablefull.findings.wording import number, quantity, shown
from tablefull.frame.look import Look, Number, Threshold
from tablefull.frame.option_table import Option, missing_option
from tablefull.looks.conntrack_top import top
from tablefull.readers.conntrack import read_conntrack
from tablefull.readers.files import ReadError, boot_id, kernel_release, monotonic_now, uptime
from tablefull.readers.modprobe_d import module_options, read_modprobe
from tablefull.readers.sysctl_d import read_sysctls
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tablefull.frame.look import Memory, ReadLog
    from tablefull.readers.modprobe_d import ModprobeConfiguration
    from tablefull.readers.namespaces import Namespaces

OPTIONS = (
    Option('warning', 'range', '80', 'usage of the table in percent of its limit', 'w', 'RANGE'),
    Option('critical', 'range', '90', 'usage of the table in percent of its limit', 'c', 'RANGE'),
    Option('entries-warning', 'range', '', 'number of tracked connections', metavar='RANGE'),
    Option('entries-critical', 'range', '', 'number of tracked connections', metavar='RANGE'),
    Option('full-in-warning', 'whole', '30', 'table full in so many minutes at its growth', metavar='MINUTES'),
    Option('full-in-critical', 'whole', '10', 'table full in so many minutes at its growth', metavar='MINUTES'),
    Option('early-drop-warning', 'range', '0', 'unanswered or short connections evicted per second', metavar='RANGE'),
    Option('insert-failed-warning', 'range', '10', 'connections lost on insertion per second', metavar='RANGE'),
    Option('hash-load-warning', 'range', '4', 'entries per hash bucket when full', metavar='RANGE'),
    Option('hash-load-critical', 'range', '8', 'entries per hash bucket when full', metavar='RANGE'),
    Option('since', 'duration', '15m', 'how far to look back in the kernel log', metavar='TIME'),
    Option('top', 'whole', '', 'when not OK, name so many ranges of sources that hold the table', metavar='N'),
    Option('namespaces', 'flag', '', 'judge the tables of all network namespaces, each against the one limit'),
    missing_option('connection tracking is not loaded', 'ok'),
)

# Of thousands of namespaces, a second sees tens of thousands of processes.
_LONGEST = 2.0

THRESHOLDS = (
    Threshold('usage', 'conntrack-usage-high', rules.usage_breach),
    Threshold('entries', 'conntrack-entries-high', rules.entries_breach, 'entries_'),
    Threshold('max'),
    Threshold('buckets'),
    Threshold('hash_load', 'conntrack-hash-small', rules.hash_breach, 'hash_load_'),
    Threshold('drop_rate'),
    Threshold('early_drop_rate', 'conntrack-early-drops', rules.early_drop_breach, 'early_drop_'),
    Threshold('insert_failed_rate', 'conntrack-insert-failed', rules.insert_failed_breach, 'insert_failed_'),
    Threshold('invalid_rate'),
    Threshold('search_restart_rate'),
    Threshold('full_in'),
    Threshold('namespaces'),
    Threshold('namespace_usage', 'conntrack-namespace-usage-high', namespaces.usage_breach),
)


def look(
    options: Any,
    remember: Callable[[], Memory],
    read_log: ReadLog,
    modprobe: Callable[[str], ModprobeConfiguration] | None = None,
) -> Look:
    """Acquire, judge, remember. Raises ReadError. `modprobe` is for whoever has read that already."""
    began = time.monotonic()
    table = read_conntrack(options.root)
    if not table.loaded:
        return Look([rules.not_loaded(options.missing)], (), lambda: 'connection tracking is not loaded')
    memory = remember()
    boot, now = boot_id(options.root), uptime(options.root)
    samples = samples_from(memory.content, boot, now)
    new = sample_of(table, now, monotonic_now(options.root))
    seen = Seen(table, new, tuple(samples), release=kernel_release(options.root))
    seen = _with_kernel_log(seen, options.since, read_log)
    if options.namespaces:
        seen = seen._replace(namespaces=_read_namespaces(options, began))
    if seen.namespaces is not None:
        new.counters.update(namespaces.remembered(seen.namespaces, seen.release))

    findings = [*rules.judge(seen, options.since)]
    findings += rules.full_soon(seen, options.full_in_warning, options.full_in_critical)
    findings += namespaces.refused(seen)
    findings += namespaces.unseen(seen.namespaces) if options.namespaces else ()
    if table.first_namespace:
        # What is configured for the next boot is the host's.
        hashsize = module_options((modprobe or read_modprobe)(options.root), 'nf_conntrack').get('hashsize')
        sysctls = read_sysctls(options.root)
        findings += configuration(table, sysctls, hashsize, seen.release)
        configured = sysctls.last(*MAXIMUM)
        seen = seen._replace(limit_file=file_of_limit(configured.path if configured is not None else ''))
    # Last of all: a run that dies on the way has consumed no loss.
    new.counters[LOST] = (lost(findings, seen),)
    findings += memory.save(content_of(boot, samples, new))
    numbers = tuple(_numbers(seen))
    findings += top(options, began, findings, numbers, THRESHOLDS)
    return Look(findings, numbers, lambda: _healthy(seen), lambda: _facts(seen), seen)


def _with_kernel_log(seen: Seen, since: float, read_log: ReadLog) -> Seen:
    """Add the kernel log, of which only lines younger than the previous run prove anything about its counters."""
    window = window_of(seen, since)
    # Where there are no counters, or they leave the reason open, the log is the only witness, and worth a journalctl.
    journal = seen.table.statistics is None or (seen.growth('drop') > 0 and not seen.was_nearly_full)
    try:
        log = read_log(max(since, window), journal)
    except FileNotFoundError:
        return seen._replace(log_gap='there is no kernel log')
    except ReadError as error:
        return seen._replace(log_gap=str(error))
    return seen._replace(log=log, window=window)


def window_of(seen: Seen, since: float) -> float:
    """Seconds since the previous run on the log's own clock, which stands still in suspend; `since` on a first run."""
    clocks = [sample.counters.get('log_clock') for sample in (seen.now, seen.before) if sample is not None]
    if len(clocks) == 2 and clocks[0] and clocks[1]:
        return clocks[0][0] - clocks[1][0] + 1
    return since


def _numbers(seen: Seen) -> Iterator[Number]:
    table = seen.table
    gauges = [
        ('usage', table.usage, '%', None, None),
        ('entries', table.entries, '', 0, table.limit),
        ('max', table.maximum, '', None, None),
        ('buckets', table.buckets, '', 0, None),
        ('hash_load', table.hash_load, '', 0, None),
    ]
    rates = [(f'{name}_rate', seen.rate(name), '', 0, None) for name in COUNTERS if name != 'chainlength']
    others: list[tuple[str, float | None, str, float | None, float | None]] = [
        ('full_in', seen.full_in, 's', 0, None),
        ('namespaces', None if seen.namespaces is None else seen.namespaces.seen, '', 0, None),
        ('namespace_usage', namespaces.worst_usage(seen), '%', None, None),
    ]
    for label, value, unit, minimum, maximum in [*gauges, *rates, *others]:
        if value is not None:
            yield Number(label, value, unit, minimum, maximum)


def _read_namespaces(options: Any, began: float) -> Namespaces | None:
    """All that can be seen in a third of the time that is left."""
    from tablefull.readers.namespaces import read_namespaces

    seconds = max(0.1, (options.timeout - (time.monotonic() - began)) / 3)
    try:
        return read_namespaces(options.root, min(seconds, _LONGEST))
    except ReadError:
        return None


def _healthy(seen: Seen) -> str:
    table = seen.table
    if table.usage is None:
        return f'{table.entries} tracked connections, no limit'
    refused = 'nothing refused' if seen.rate('drop') is not None else 'no rates yet'
    if table.statistics is None:
        refused = 'refusals not countable on this kernel'
    others = '' if seen.namespaces is None else f', {quantity(seen.namespaces.seen, "namespace")} seen'
    return f'{table.entries} of {table.maximum} entries in use ({number(table.usage)} %), {refused}{others}'


def _facts(seen: Seen) -> list[tuple[str, str]]:
    statistics = seen.table.statistics
    facts = [(name, shown(value)) for name, value in seen.table._asdict().items() if name != 'statistics']
    if statistics is not None:
        facts += [(f'statistics {column}', str(statistics.total(column))) for column in statistics.columns]
    if seen.namespaces is not None:
        facts += [
            (f'namespace of {table.holder}', f'{table.entries} entries, {shown(table.drops)} drops')
            for table in seen.namespaces.tables
        ]
    return facts

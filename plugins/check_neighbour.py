#!/usr/bin/env python3
"""check_neighbour: do the neighbour tables (ARP, NDP) overflow, are they filling up, is the default gateway right?"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import neighbour as rules
    from tablefull.findings import neighbour_gateway, neighbour_log, neighbour_off_link
    from tablefull.findings.finding import Finding
    from tablefull.findings.rates import content_of, previous, samples_from
    from tablefull.findings.wording import number, quantity, shown
    from tablefull.frame import state
    from tablefull.frame.judge import Measure, finding_metrics, threshold
    from tablefull.frame.options import Option, missing_option
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.readers.files import ReadError, boot_id, is_live, kernel_release, uptime
    from tablefull.readers.links import read_addresses, read_links, read_sources
    from tablefull.readers.neighbours import Neighbour, in_first_namespace, read_neighbours, read_tables
    from tablefull.readers.routes import read_routes
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'NEIGHBOUR UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse

OPTIONS = (
    Option('warning', 'range', '70', 'usage of each table in percent of gc_thresh3', 'w', 'RANGE'),
    Option('critical', 'range', '90', 'usage of each table in percent of gc_thresh3', 'c', 'RANGE'),
    Option('since', 'duration', '15m', 'how long an overflow counts', metavar='TIME'),
    missing_option('no neighbour table can be seen', 'unknown'),
)


class NeighbourTables(nagiosplugin.Resource):
    """The tables, the neighbours and the default routes, with what earlier runs and the kernel log add."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen: rules.Seen | None = None
        self.off_link: list[Neighbour] | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire, judge, remember."""
        options = self.options
        tables = tuple(read_tables(options.root))
        name = state.key('neighbour', options.root)
        remembered = state.load(options.state_dir, name)
        boot, now = boot_id(options.root), uptime(options.root)
        samples = samples_from(remembered.content, boot, now)
        links = read_links(options.root)
        before = previous(samples, now)
        seen = rules.Seen(
            tables,
            kernel_release(options.root),
            links,
            read_neighbours(options.root, links),
            read_routes(options.root, links),
            rules.sample(tables, now),
            before,
            # An overflow counts for --since, not for one run.
            next((sample for sample in samples if 1 <= now - sample.at <= options.since), before),
            live=is_live(options.root),
            first_namespace=in_first_namespace(options.root),
        )
        seen = self.seen = _with_addresses(_with_kernel_log(seen, options), options.root)
        self.off_link = neighbour_off_link.off_link(seen)

        findings = [
            *([] if tables else [_missing(seen, options)]),
            *rules.judge(seen),
            *neighbour_log.judge(seen),
            *neighbour_gateway.judge(seen),
            *neighbour_off_link.judge(seen, self.off_link),
        ]
        numbers = list(_numbers(seen, self.off_link))
        if tables:
            # Last of all: what was not judged to the end must be new to the next run.
            findings += state.save(options.state_dir, name, content_of(boot, samples, seen.now)) or remembered.findings
        yield from finding_metrics(findings, options.ignore or ())
        yield from numbers

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        if self.seen is None:
            return 'no neighbour table can be seen'
        words = [] if self.seen.tables else ['no neighbour table can be seen']
        for table in self.seen.tables:
            usage = self.seen.usage(table.family)
            share = '' if usage is None else f' ({number(usage)} %)'
            limit = '' if table.limit is None else f' of {table.limit}'
            words.append(f'{rules.LABELS[table.family].upper()} {self.seen.counted(table.family)}{limit}{share}')
        if self.seen.tables and self.seen.before is not None:
            words.append('nothing refused')
        gateways = len(neighbour_gateway.gateways(self.seen))
        if self.seen.tables or self.seen.routes.families:
            words.append(f'{quantity(gateways, "default gateway")} in order' if gateways else 'no default gateway')
        return ', '.join(words)

    def facts(self) -> list[tuple[str, str]]:
        """Everything read, for -vv."""
        if self.seen is None:
            return []
        facts = []
        for table in self.seen.tables:
            label = rules.LABELS[table.family]
            facts += [(f'{label} entries', str(table.entries)), (f'{label} gc_thresh3', str(table.limit))]
            facts.append((f'{label} not compared with gc_thresh3', str(self.seen.exempt(table.family))))
            facts += [(f'{label} {counter}', shown(value)) for counter, value in table.statistics.items()]
        for route in self.seen.routes.entries:
            if neighbour_gateway.like_default(route):
                facts += [('route', neighbour_gateway.describe(route, hop)) for hop in route.hops]
        facts += [('off-link', words) for words in neighbour_off_link.shares(self.off_link or ())]
        return facts


def _with_kernel_log(seen: rules.Seen, options: argparse.Namespace) -> rules.Seen:
    # The ring buffer is long; here its lines only repeat what a counter says on most kernels.
    if seen.live and not rules.needs_kernel_log(seen, options.since):
        return seen
    from tablefull.readers.kernel_log import read_kernel_log

    try:
        return seen._replace(log=read_kernel_log(options.root, options.since))
    except FileNotFoundError:
        return seen._replace(log_gap='there is none')
    except ReadError as error:
        import os

        from tablefull.readers.user import user_name

        # Root is refused in containers, where no group helps; in a captured tree nobody asks the kernel.
        helps = error.permission and seen.live and os.geteuid() != 0
        return seen._replace(log_gap=str(error), log_reader=user_name(options.root) if helps else '')


def _with_addresses(seen: rules.Seen, root: str) -> rules.Seen:
    if not neighbour_gateway.needs_addresses(seen):
        return seen
    try:
        addresses = read_addresses(root)
    except ReadError as error:
        # Where netlink is closed, neither tables nor addresses can be had; the routes are judged all the same.
        if seen.tables or error.number is None:
            raise
        addresses = None
    known = any(len(own.address) == 4 for own in addresses or ())
    return seen._replace(addresses=addresses, sources=() if known else tuple(read_sources(root)))


def _missing(seen: rules.Seen, options: argparse.Namespace) -> Finding:
    evidence = ['/proc/net/stat/arp_cache is not there: only the first network namespace has it']
    remedy = 'capture the tree on the host, outside of containers'
    if seen.live:
        evidence.append('rtnetlink cannot be asked')
        remedy = 'allow the check an AF_NETLINK socket (systemd: RestrictAddressFamilies=, seccomp profile)'
    return Finding(
        'neighbour-tables-missing',
        'info' if options.missing == 'ok' else options.missing,
        'no neighbour table can be seen here',
        tuple(evidence),
        (remedy,),
    )


def _numbers(seen: rules.Seen, off_link: list[Neighbour] | None) -> Iterator[nagiosplugin.Metric]:
    gauges = []
    for family, label in rules.LABELS.items():
        table = seen.table(family)
        if table is not None:
            gauges += [
                (f'{label}_usage', seen.usage(family), '%', None),
                (f'{label}_entries', table.entries, '', table.limit),
                (f'{label}_overflow_rate', seen.overflow_rate(family), '', None),
            ]
    if seen.neighbours.families:
        gauges.append(('unresolved', len(neighbour_off_link.unresolved(seen)), '', None))
        gauges.append(('off_link', None if off_link is None else len(off_link), '', None))
    for name, value, unit, maximum in gauges:
        if value is not None:
            yield nagiosplugin.Metric(name, value, unit, None if unit else 0, maximum)


def acquire(options: argparse.Namespace) -> Acquired:
    """Put the resource and its contexts together."""
    resource = NeighbourTables(options)

    def usage(family: int) -> Measure:
        rule = rules.usage_breach(family)

        def breach(severity: str, value: float, limits: str) -> Finding:
            assert resource.seen is not None  # a metric exists only after the probe has seen a table
            return rule(resource.seen, severity, value, limits)

        return threshold(f'{rules.LABELS[family]}_usage', 'neighbour-usage-high', breach, options)

    return Acquired(
        resource,
        (
            usage(4),
            Measure('arp_entries'),
            Measure('arp_overflow_rate'),
            usage(6),
            Measure('ndp_entries'),
            Measure('ndp_overflow_rate'),
            Measure('unresolved'),
            Measure('off_link'),
        ),
        resource.healthy,
        resource.facts,
    )


CHECK = Check(
    'neighbour',
    'Judge the neighbour tables of IPv4 (ARP) and IPv6 (NDP): refused neighbours first, then how full they are,'
    ' and the mistakes in default routes that fill them.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()

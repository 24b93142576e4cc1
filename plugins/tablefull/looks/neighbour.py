"""The neighbour tables, the neighbours and the default routes, with what earlier runs and the kernel log add."""

from __future__ import annotations

import os

from tablefull.findings import neighbour as rules
from tablefull.findings import neighbour_gateway, neighbour_log, neighbour_off_link
from tablefull.findings.finding import Finding
from tablefull.findings.rates import content_of, previous, samples_from
from tablefull.findings.wording import number, quantity, shown
from tablefull.frame.look import Look, Number, Threshold
from tablefull.frame.option_table import Option, missing_option
from tablefull.readers.files import ReadError, boot_id, is_live, kernel_release, uptime
from tablefull.readers.links import read_addresses, read_links, read_sources
from tablefull.readers.neighbours import Neighbour, in_first_namespace, read_neighbours, read_tables
from tablefull.readers.routes import read_routes
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tablefull.frame.look import Memory, ReadLog

OPTIONS = (
    Option('warning', 'range', '70', 'usage of each table in percent of gc_thresh3', 'w', 'RANGE'),
    Option('critical', 'range', '90', 'usage of each table in percent of gc_thresh3', 'c', 'RANGE'),
    Option('since', 'duration', '15m', 'how long an overflow counts', metavar='TIME'),
    missing_option('no neighbour table can be seen', 'unknown'),
)


class Seen(NamedTuple):
    """What was looked at, and which neighbours lie outside every connected network, None when nobody can tell."""

    all: rules.Seen
    off_link: list[Neighbour] | None


def _usage_breach(family: int) -> Callable[[Seen, str, float, str], Finding]:
    rule = rules.usage_breach(family)
    return lambda seen, severity, value, limits: rule(seen.all, severity, value, limits)


THRESHOLDS = (
    Threshold('arp_usage', 'neighbour-usage-high', _usage_breach(4)),
    Threshold('arp_entries'),
    Threshold('arp_overflow_rate'),
    Threshold('ndp_usage', 'neighbour-usage-high', _usage_breach(6)),
    Threshold('ndp_entries'),
    Threshold('ndp_overflow_rate'),
    Threshold('unresolved'),
    Threshold('off_link'),
)


def look(options: Any, remember: Callable[[], Memory], read_log: ReadLog) -> Look:
    """Acquire, judge, remember. Raises ReadError."""
    tables = tuple(read_tables(options.root))
    memory = remember()
    boot, now = boot_id(options.root), uptime(options.root)
    samples = samples_from(memory.content, boot, now)
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
    seen = _with_addresses(_with_kernel_log(seen, options, read_log), options.root)
    off_link = neighbour_off_link.off_link(seen)
    findings = [
        *([] if tables else [_missing(seen, options)]),
        *rules.judge(seen),
        *neighbour_log.judge(seen),
        *neighbour_gateway.judge(seen),
        *neighbour_off_link.judge(seen, off_link),
    ]
    numbers = tuple(_numbers(seen, off_link))
    if tables:
        # Last of all: what was not judged to the end must be new to the next run.
        findings += memory.save(content_of(boot, samples, seen.now))
    return Look(findings, numbers, lambda: _healthy(seen), lambda: _facts(seen, off_link), Seen(seen, off_link))


def _with_kernel_log(seen: rules.Seen, options: Any, read_log: ReadLog) -> rules.Seen:
    # The ring buffer is long; here its lines only repeat what a counter says on most kernels.
    if seen.live and not rules.needs_kernel_log(seen, options.since):
        return seen
    try:
        return seen._replace(log=read_log(options.since, True))
    except FileNotFoundError:
        return seen._replace(log_gap='there is none')
    except ReadError as error:
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


def _missing(seen: rules.Seen, options: Any) -> Finding:
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


def _numbers(seen: rules.Seen, off_link: list[Neighbour] | None) -> Iterator[Number]:
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
            yield Number(name, value, unit, None if unit else 0, maximum)


def _healthy(seen: rules.Seen) -> str:
    words = [] if seen.tables else ['no neighbour table can be seen']
    for table in seen.tables:
        usage = seen.usage(table.family)
        share = '' if usage is None else f' ({number(usage)} %)'
        limit = '' if table.limit is None else f' of {table.limit}'
        words.append(f'{rules.LABELS[table.family].upper()} {seen.counted(table.family)}{limit}{share}')
    if seen.tables and seen.before is not None:
        words.append('nothing refused')
    gateways = len(neighbour_gateway.gateways(seen))
    if seen.tables or seen.routes.families:
        words.append(f'{quantity(gateways, "default gateway")} in order' if gateways else 'no default gateway')
    return ', '.join(words)


def _facts(seen: rules.Seen, off_link: list[Neighbour] | None) -> list[tuple[str, str]]:
    facts = []
    for table in seen.tables:
        label = rules.LABELS[table.family]
        facts += [(f'{label} entries', str(table.entries)), (f'{label} gc_thresh3', str(table.limit))]
        facts.append((f'{label} not compared with gc_thresh3', str(seen.exempt(table.family))))
        facts += [(f'{label} {counter}', shown(value)) for counter, value in table.statistics.items()]
    for route in seen.routes.entries:
        if neighbour_gateway.like_default(route):
            facts += [('route', neighbour_gateway.describe(route, hop)) for hop in route.hops]
    facts += [('off-link', words) for words in neighbour_off_link.shares(off_link or ())]
    return facts

"""Causes of a table of connections that fills, refuses or is set up wrongly."""

from __future__ import annotations

from tablefull.findings.conntrack_namespaces import worst
from tablefull.findings.conntrack_remedy import list_entries, persist, raise_limit
from tablefull.findings.conntrack_seen import NEARLY_FULL, Seen
from tablefull.findings.module_state import some
from tablefull.findings.wording import number
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step, steps_of
from tablefull.triage.holders import heaviest, told
from tablefull.triage.module_use import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.readers.namespaces import Table
    from tablefull.triage.facts import Facts

# The table is full, or on the way there.
FULL = ('conntrack-table-full', 'conntrack-usage-high', 'conntrack-full-soon', 'conntrack-entries-high')
_IN_NAMESPACES = ('conntrack-namespace-table-full', 'conntrack-namespace-usage-high')
# Percent of the limit, the threshold of a warning.
_HIGH = 80.0
MEMORY = 'about 400 bytes of memory an entry; gone at the next boot'


def raise_steps(facts: Facts) -> tuple[Step, ...]:
    """What ends the outage at once."""
    seen = facts.conntrack
    if seen is None or not seen.table.limit:
        return ()
    return tuple(
        Step(
            line.partition('  #')[0],
            'lookups wait while entries move, milliseconds'
            if 'hashsize' in line
            else MEMORY + ('' if seen.table.first_namespace or seen.table.legacy else '; on the host: one for all'),
        )
        for line in raise_limit(seen.table, seen.release)
    )


def who(selection: str = '') -> tuple[Step, ...]:
    """How to see who holds the table."""
    top = 'tablefull top --unanswered' if selection else 'tablefull top'
    return (
        Step(top, 'nothing: counts flows by prefix where that loads nothing'),
        *steps_of((list_entries(selection),), 'nothing: tracking is on already'),
    )


def judge(facts: Facts) -> Iterator[Cause]:
    """What the table of this namespace suffers from."""
    seen = facts.conntrack
    if seen is None:
        return
    if facts.codes('conntrack-table-full-elsewhere', *_IN_NAMESPACES):
        yield _elsewhere(facts, seen)
    if facts.found(*FULL, check='conntrack'):
        yield _lowered(facts, seen) if lowered(seen) else _too_low(facts, seen)
    if facts.codes('conntrack-drops'):
        yield _below_limit(facts)
    if facts.codes('conntrack-expectation-table-full'):
        yield _helpers(facts, seen)


def lowered(seen: Seen) -> bool:
    """Whether there are more entries than a limit lets in; each CPU counts one before it is refused."""
    passing = 64 if seen.table.statistics is None else len(seen.table.statistics.rows)
    return bool(seen.table.limit and (seen.table.entries or 0) > seen.table.limit + passing)


def refuses(facts: Facts) -> bool:
    """Whether this table is known to refuse packets now, not just that one did at some time."""
    return any(finding.severity == 'critical' for finding in facts.found('conntrack-table-full', check='conntrack'))


def level(seen: Seen) -> str:
    """How full the table is."""
    table = seen.table
    usage = '' if table.usage is None else f' ({number(table.usage)} %)'
    return f'nf_conntrack_count {_known(table.entries)} of nf_conntrack_max {_known(table.maximum)}{usage}'


def _known(value: int | None) -> str:
    return 'unknown' if value is None else str(value)


def total(seen: Seen, counter: str) -> int | None:
    """A counter since boot; None where this kernel has none."""
    return None if seen.table.statistics is None else seen.table.statistics.total(counter)


def _elsewhere(facts: Facts, seen: Seen) -> Cause:
    own = facts.codes('conntrack-table-full') if not facts.found('conntrack-table-full', check='conntrack') else ()
    drops = total(seen, 'drop')
    found = worst(seen.namespaces) if seen.namespaces is not None and facts.codes(*_IN_NAMESPACES) else None
    named = any(event.subject for event in seen.lines('conntrack-table-full'))
    full = bool(facts.codes('conntrack-table-full-elsewhere', 'conntrack-namespace-table-full'))
    says = 'a table is full, but not that of this namespace: that of a container'
    because = 'the kernel names the namespace' if named else 'this kernel does not say which; conntrackd counts in none'
    if found is not None:
        how = 'is full' if full or found.entries >= (seen.table.limit or 0) else 'fills up'
        says = f'the table of {found.holder} {how}: {found.entries} of {seen.table.limit}'
        because = 'its own statistics, in its network namespace, say so'
    return Cause(
        'container-table-full',
        says,
        'certain' if named or found is not None else 'probable',
        because,
        (
            'a container tracks more connections than the one limit allows each namespace',
            'its packets are refused' if full else 'soon its packets are refused',
            'the log of the kernel is one for all namespaces',
        ),
        (
            *facts.evidence('conntrack-table-full-elsewhere', *_IN_NAMESPACES),
            level(seen),
            *((f'drop {drops} since boot in this namespace',) if drops is not None else ()),
        ),
        (*facts.codes('conntrack-table-full-elsewhere', *_IN_NAMESPACES), *own),
        next(iter(facts.codes(*_IN_NAMESPACES, 'conntrack-table-full-elsewhere'))),
        (*_look_into(found), *raise_steps(facts)),
        ('the limit is one for all namespaces: size it for the busiest container, and watch them',),
    )


def _look_into(found: Table | None) -> tuple[Step, ...]:
    if found is not None:
        return (
            Step(
                f'nsenter -t {found.pid} -n tablefull top', 'nothing: counts in its namespace where that loads nothing'
            ),
        )
    return (
        Step('lsns -t net', 'nothing: reads only'),
        Step('nsenter -t PID -n sysctl net.netfilter.nf_conntrack_count', 'nothing: reads only'),
    )


def _lowered(facts: Facts, seen: Seen) -> Cause:
    table = seen.table
    return Cause(
        'limit-below-entries',
        f'the limit was lowered to {table.maximum} under {table.entries} tracked connections',
        'certain',
        'the kernel lets nothing in beyond the limit: more entries than that were there before',
        (
            'somebody, or a sysctl.d file applied late, set a lower limit',
            'more entries than the limit stay until they expire',
            'every new connection is refused',
        ),
        (level(seen), *facts.evidence('conntrack-table-full', check='conntrack')),
        facts.codes(*FULL),
        'conntrack-usage-high',
        raise_steps(facts),
        tuple(line.partition('  #')[0] for line in persist(table, 2 * (table.limit or 0), seen.limit_file)),
        ('drop has not grown since boot: nobody has asked for a new connection yet',)
        if total(seen, 'drop') == 0
        else (),
    )


def _too_low(facts: Facts, seen: Seen) -> Cause:
    table = seen.table
    full = bool(facts.found('conntrack-table-full', check='conntrack'))
    past = full and not refuses(facts)
    fill = f'{_known(table.entries)} of {_known(table.maximum)}'
    evidence = facts.evidence(*FULL, check='conntrack')
    against = []
    if full and table.usage is not None and NEARLY_FULL <= table.usage < 100:
        against.append('the count is a little below the limit: entries expire while packets are refused')
    if full and total(seen, 'drop') == 0:
        against.append('the kernel reports a full table, but this namespace has counted no drop')
    says, end = f'more connections than the table holds: {fill}', 'are refused'
    because = 'counters and the kernel log prove the refusals'
    if past:
        because, end = 'the kernel log tells that a table was full, and nothing that it still is', 'were refused'
        says = f'a table was full a while ago, this one or that of a container; now {fill}'
    elif not full:
        refused = total(seen, 'drop')
        because = (
            f'the level tells; drop {refused} since boot, at some time'
            if refused
            else 'the level tells, no refusal yet'
        )
        says, end = f'the table fills up: {fill}', 'will soon be refused'
    return Cause(
        'limit-too-low',
        says,
        'certain' if full and not past else 'probable',
        because,
        (
            _holders(facts),
            f'{fill} entries are taken',
            f'packets of new connections {end}',
        ),
        (level(seen), *_needed_by(facts), *(piece for piece in evidence if not level(seen).startswith(piece))),
        facts.codes(*FULL),
        'conntrack-table-full' if full else 'conntrack-usage-high',
        (
            # A table that was full once, and has room now, needs to be watched first.
            *(raise_steps(facts) if not past or (table.usage or 0) >= _HIGH else ()),
            *_look_first(facts),
        ),
        (
            *(
                line.partition('  #')[0]
                for line in (persist(table, 2 * table.limit, seen.limit_file) if table.limit else ())
            ),
            'let dead connections go sooner: net.netfilter.nf_conntrack_tcp_timeout_established = 86400',
            'a limit for each client: connlimit in the firewall, or in the program that serves them',
        ),
        tuple(against),
    )


def _holders(facts: Facts) -> str:
    """Where all those connections come from, as far as it is known."""
    held = facts.held
    if held is None:
        return 'one range of addresses holds many connections, or all together hold more than the limit'
    found = heaviest(held)
    return 'no range of addresses holds half of them: all together are too many' if found is None else told(held, found)


def _look_first(facts: Facts) -> tuple[Step, ...]:
    """Where one range holds the table, a cause of its own says what to do about it."""
    if facts.held is not None:
        return ()
    return (
        *who(),
        Step(
            'iptables -t raw -I PREROUTING -s PREFIX -j DROP',
            'everything from PREFIX, a culprit found before; loads the raw table',
        ),
        Step('conntrack -D -s PREFIX', 'the connections of PREFIX alone; loads nf_conntrack_netlink'),
    )


def _needed_by(facts: Facts) -> tuple[str, ...]:
    """Who would suffer if the modules were unloaded instead."""
    if facts.modules is None:
        return ()
    who_needs = [*facts.modules.owners, *held(facts.modules)]
    return (f'in use by {some(who_needs)}: raise the limit, do not unload',) if who_needs else ()


def _below_limit(facts: Facts) -> Cause:
    return Cause(
        'refused-below-limit',
        'packets are refused though the table has room',
        'possible',
        'a burst between two looks, memory that could not be had, or a full table of a moment ago',
        ('drop grows', 'the table was not full when it was looked at'),
        facts.evidence('conntrack-drops'),
        facts.codes('conntrack-drops'),
        'conntrack-drops',
        steps_of(tuple(facts.remedies('conntrack-drops')), 'nothing: reads only'),
        ('look more often: a burst is over within seconds',),
    )


def _helpers(facts: Facts, seen: Seen) -> Cause:
    wanted = 2 * (seen.table.expect_maximum or 2048)
    return Cause(
        'helper-table-full',
        'the table of expected connections is full: FTP, SIP or another helper fails',
        'certain',
        "the kernel's own line says so",
        ('a helper announces more connections than the table holds', 'what it announces is not let through'),
        facts.evidence('conntrack-expectation-table-full'),
        facts.codes('conntrack-expectation-table-full'),
        'conntrack-expectation-table-full',
        (Step(f'sysctl -w net.netfilter.nf_conntrack_expect_max={wanted}', 'a few hundred kilobytes of memory'),),
        (f'echo "net.netfilter.nf_conntrack_expect_max = {wanted}" >> /etc/sysctl.d/90-conntrack.conf',),
    )

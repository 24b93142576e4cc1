"""The objects `conntrack`, `modules`, `ferm` and `kernel_log` of a snapshot. docs/snapshot.md describes each field."""

from __future__ import annotations

from tablefull.findings.rates import change_rate
from tablefull.findings.wording import number
from tablefull.record import TYPE_CHECKING
from tablefull.snapshot.verdicts import text

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings import conntrack_seen, ferm_seen, kernel_log, module_state
    from tablefull.frame.look import Look
    from tablefull.readers.namespaces import Namespaces
    from tablefull.readers.statistics import Statistics

# Stable name -> the kernel's column. new, ignore, delete and searched are no counters any more, or never were.
COUNTERS = {
    'drop': 'drop',
    'early_drop': 'early_drop',
    'insert_failed': 'insert_failed',
    'invalid': 'invalid',
    'search_restart': 'search_restart',
    'found': 'found',
    'insert': 'insert',
    'icmp_error': 'icmp_error',
    'expect_new': 'expect_new',
    'expect_create': 'expect_create',
    'expect_delete': 'expect_delete',
    'clash_resolve': 'clashres',
    'chain_too_long': 'chainlength',
}
TRACKING = ('absent', 'idle', 'active', 'leftover', 'hidden')
RULES = ('present', 'suspect', 'gone', 'unknown')
_CHANGING = ('activating', 'reloading', 'deactivating', 'refreshing')
_MOST_MODULES = 200


def rounded(value: float) -> float:
    """At most two places, as in the JSON of the checks."""
    return value if isinstance(value, int) else float(number(value))


def present(**fields: Any) -> dict[str, Any]:
    """Those that are known, with flags as 0 and 1: nothing is ever null, true or false."""
    return {
        name: int(value) if isinstance(value, bool) else rounded(value) if isinstance(value, float) else value
        for name, value in fields.items()
        if value is not None
    }


def conntrack(look: Look) -> dict[str, Any]:
    """The table; not loaded means that nothing is tracked."""
    seen: conntrack_seen.Seen | None = look.seen
    if seen is None:
        return {'read': 1, 'loaded': 0, 'entries': 0}
    table = seen.table
    fields = present(
        read=1,
        loaded=True,
        entries=table.entries,
        max=table.maximum,
        usage=table.usage,
        buckets=table.buckets,
        hash_load=table.hash_load,
        expect_max=table.expect_maximum,
        growth=change_rate(seen.before, seen.now, 'entries'),
        full_in=seen.full_in,
        first_namespace=table.first_namespace,
        namespace=table.namespace or None,
    )
    others = {} if seen.namespaces is None else {'namespaces': _namespaces(seen, seen.namespaces)}
    return {**fields, **_statistics(table.statistics), **others}


def _namespaces(seen: conntrack_seen.Seen, found: Namespaces) -> dict[str, Any]:
    """Of all network namespaces, those with the most entries one by one."""
    from tablefull.findings.conntrack_namespaces import loss

    limit = seen.table.limit
    return {
        **present(
            seen=found.seen,
            entries=found.entries,
            unread=found.unread,
            hidden_processes=found.hidden,
            unvisited_processes=found.unvisited,
            without_process=None if found.empty is None else len(found.empty),
            left_out=found.seen - len(found.tables),
        ),
        'tables': [
            present(
                holder=text(table.holder),
                container=text(table.container),
                command=text(table.command),
                pid=table.pid,
                namespace=table.inode or None,
                own=table.own,
                entries=table.entries,
                usage=None if limit is None else 100.0 * table.entries / limit,
                drops=table.drops,
                refused=loss(seen, table),
            )
            for table in found.tables
        ],
    }


def _statistics(statistics: Statistics | None) -> dict[str, Any]:
    if statistics is None:
        return {}
    totals = {text(column): statistics.total(column) or 0 for column in statistics.columns}
    counters = {name: totals[column] for name, column in COUNTERS.items() if column in totals}
    return {'statistics': totals, 'counters': counters}


def modules(look: Look) -> dict[str, Any]:
    """What is loaded, and whether it tracks."""
    from tablefull.findings.module_state import judged, tracking, unexpected

    seen: module_state.Seen = look.seen
    state = tracking(seen)
    kinds, surprises = judged(seen.modules), unexpected(seen)
    loaded = [
        {
            'name': text(name),
            'class': kind,
            'held': seen.modules.loaded[name].held,
            'users': text(' '.join(seen.modules.loaded[name].users)),
            'unexpected': int(name in surprises),
        }
        for name, kind in list(kinds.items())[:_MOST_MODULES]
    ]
    return {
        'read': 1,
        'loadable': int(seen.modules.loadable),
        'built_in': int(seen.built_in),
        'tracking': state.state,
        'tracking_code': TRACKING.index(state.state),
        'reason': text(state.reason),
        'judged': len(kinds),
        'unexpected': len(surprises),
        'loaded': loaded,
        'owners': ', '.join(seen.owners),
    }


def ferm(look: Look) -> dict[str, Any]:
    """The unit and what can be seen of the rules."""
    seen: ferm_seen.Seen | None = look.seen
    if seen is None:
        return {'read': 1, 'installed': 0}
    from tablefull.findings.ferm_rules import verdict

    unit = seen.unit
    proof = verdict(seen.traces, seen.configuration)
    fields: dict[str, Any] = {'read': 1, 'installed': 1, 'active_state': 'unseen', 'active_code': 4}
    if unit is not None:
        state = unit.active_state
        code = {'active': 0, 'inactive': 2, 'failed': 3}.get(state, 1 if state in _CHANGING else 4)
        fields.update(
            present(
                active_state=text(state),
                active_code=code,
                sub_state=text(unit.sub_state),
                load_state=text(unit.load_state),
                file_state=text(unit.file_state),
                result=text(unit.result),
                reload_result=text(unit.reload_result),
                status=unit.status,
            )
        )
    age = {} if seen.age is None else {'age': int(seen.age)}
    return {**fields, **age, 'rules': proof, 'rules_code': RULES.index(proof)}


def kernel_messages(look: Look, wall: float | None) -> dict[str, Any]:
    """The messages of the catalogue. `wall` is the unix time of the moment of reading, None where nobody knows."""
    seen: kernel_log.Seen | None = look.seen
    if seen is None:
        return {'read': 0}
    from tablefull.findings.kernel_log import RULES as KINDS
    from tablefull.findings.kernel_log import label

    log = seen.log
    numbers = {label: value for label, value, *_ in look.numbers}
    messages: dict[str, Any] = {}
    for kind in KINDS:
        events = seen.of(kind)
        messages[label(kind)] = {'count': sum(event.count for event in events)}
        if events:
            age = max(0.0, log.age(events[-1]))
            seen_at = None if wall is None else int(wall - age)
            messages[label(kind)].update(present(last_seen=seen_at, last_age=int(age), text=text(events[-1].text)))
    return {
        'read': 1,
        'source': text(log.source),
        'since': int(seen.since),
        **({} if log.oldest_seconds is None else {'reach': max(0, int(log.now_seconds - log.oldest_seconds))}),
        'records': log.records,
        'suppressed': numbers['suppressed'],
        'lost': numbers['lost'],
        'messages': messages,
    }

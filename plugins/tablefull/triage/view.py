"""Causes of seeing too little: a namespace instead of the host, messages that the kernel suppressed."""

from __future__ import annotations

from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.triage.facts import Facts

_HIDDEN = ('conntrack-hidden', 'neighbour-tables-missing', 'neighbour-limit-unknown')
_LOUD = ('conntrack-table-full', 'conntrack-table-full-elsewhere', 'neighbour-table-full', 'route-cache-full')
_SUPPRESSED = ('neighbour-log-suppressed', 'kernel-log-suppressed')


def judge(facts: Facts) -> Iterator[Cause]:
    """What kept triage from seeing the host."""
    seen = facts.conntrack
    inside = seen is not None and not seen.table.first_namespace and not seen.table.legacy
    if inside or facts.codes(*_HIDDEN):
        yield _restricted(facts, inside)
    suppressed = facts.codes(*_SUPPRESSED)
    # Beside the line of a full table they are most likely more of the same.
    if suppressed and not facts.codes(*_LOUD):
        yield _suppressed(facts, suppressed)


def _restricted(facts: Facts, inside: bool) -> Cause:
    evidence = [*facts.evidence(*_HIDDEN)]
    certain = inside or bool(facts.codes('conntrack-hidden'))
    if inside:
        evidence.insert(0, '/proc/sys/net/nf_conntrack_max is not there: only the first network namespace has it')
    return Cause(
        'view-restricted',
        'this is not the host: what is seen belongs to one network or user namespace'
        if certain
        else 'the neighbour tables cannot be seen whole: perhaps this is not the host',
        'certain' if certain else 'possible',
        'the kernel shows these files in the first namespace alone'
        if certain
        else 'the first namespace alone has these files; a tree may lack them for another reason',
        (
            'triage runs in a container, or on a tree captured in one',
            'counts are those of this namespace, limits those of the host',
            'what fills the tables of the host cannot be seen from here',
        ),
        tuple(evidence),
        facts.codes(*_HIDDEN),
        'conntrack-hidden' if facts.codes('conntrack-hidden') else 'neighbour-tables-missing',
        (
            Step('tablefull triage', 'nothing; on the host, in its first namespaces'),
            Step('tablefull triage --root DIR', 'nothing; with /proc, /sys and /etc of the host mounted below DIR'),
        ),
        ('let the host watch its tables: one limit is for all its containers',),
        () if inside or not facts.conntrack else ('connection tracking shows the first namespace',),
    )


def _suppressed(facts: Facts, suppressed: tuple[str, ...]) -> Cause:
    return Cause(
        'messages-suppressed',
        'the kernel suppressed messages: its log tells less than happened',
        'certain',
        'the kernel counts what it does not print; which lines they were it does not say',
        (
            'more than ten network messages came within five seconds',
            'the kernel left the rest out',
            'an overflow may be among them: counters tell, the log does not',
        ),
        facts.evidence(*suppressed),
        suppressed,
        suppressed[0],
        (Step('check_neighbour -v; check_conntrack -v', 'nothing: counters instead of the log, read only'),),
        ('watch counters: they are not suppressed',),
    )

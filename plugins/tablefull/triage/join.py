"""Joins findings and facts into causes, the most likely reason for the worst of them first."""

from __future__ import annotations

from tablefull.record import TYPE_CHECKING
from tablefull.triage import clients, firewall, neighbours, table, table_setup, tracking, view
from tablefull.triage.catalogue import CAUSES
from tablefull.triage.cause import CONFIDENCES, Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tablefull.findings.finding import Finding
    from tablefull.triage.facts import Facts

RULES: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
    firewall.judge,
    tracking.judge,
    neighbours.judge,
    clients.judge,
    table.judge,
    table_setup.judge,
    view.judge,
)
_SEVERITIES = ('critical', 'warning', 'unknown', 'info')
_ORDER = tuple(CAUSES)


def join(facts: Facts, excusing: bool = True) -> tuple[Cause, ...]:
    """All causes, each with its severity, in the order in which to read them.

    `excusing` takes what rules of this host hold for meant to be there, as nobody has said otherwise.
    """
    found = [_weighed(cause, facts, excusing) for rule in RULES for cause in rule(facts)]
    return tuple(sorted((cause for cause in found if not _repeats(cause, found)), key=_place))


def excused(causes: tuple[Cause, ...], excusing: bool) -> frozenset[str]:
    """Codes of findings that are no fault, if the causes are right."""
    return frozenset(code for cause in causes for code in cause.excuses) if excusing else frozenset()


def unexplained(facts: Facts, causes: tuple[Cause, ...]) -> tuple[tuple[str, Finding], ...]:
    """Findings that no cause accounts for."""
    known = {code for cause in causes for code in cause.explains}
    return tuple((check, finding) for check, finding in facts.findings if finding.code not in known)


def _repeats(cause: Cause, others: list[Cause]) -> bool:
    """Whether a mere note says again what belongs to something worse."""
    if cause.severity != 'info' or not cause.explains:
        return False
    worse = {code for other in others if other.severity != 'info' for code in other.explains}
    return worse.issuperset(cause.explains)


def _weighed(cause: Cause, facts: Facts, excusing: bool) -> Cause:
    codes = set(cause.explains).difference(cause.excuses if excusing else ())
    severities = [finding.severity for finding in facts.found(*codes)]
    return cause._replace(severity=min(severities, key=_SEVERITIES.index, default='info'))


def _place(cause: Cause) -> tuple[int, bool, bool, int, int]:
    """By the damage; what is merely possible behind what is known; reasons before descriptions."""
    return (
        _SEVERITIES.index(cause.severity),
        cause.confidence == 'possible',
        not CAUSES[cause.code].root,
        CONFIDENCES.index(cause.confidence),
        _ORDER.index(cause.code),
    )

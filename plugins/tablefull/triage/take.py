"""From all looks to a report: what the snapshot acquires, judged by the rules of causes."""

from __future__ import annotations

import time

from tablefull.readers.namespaces import can_be_seen
from tablefull.record import TYPE_CHECKING, NamedTuple
from tablefull.snapshot.parts import Lost, run_parts
from tablefull.snapshot.take import NAMES, Snapshot
from tablefull.snapshot.verdicts import ORDER, lost_verdict, text, unreadable
from tablefull.triage.cause import Cause
from tablefull.triage.facts import Facts
from tablefull.triage.holders import Unseen, look, wanted
from tablefull.triage.join import excused, join, unexplained
from tablefull.triage.sections import Section, sections

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.finding import Finding
    from tablefull.snapshot.verdicts import Verdict
    from tablefull.triage.holders import Holders

# Seconds to look into the table: at most, of what is left, and what is too little to begin.
_LONGEST, _SHARE, _TOO_SHORT = 2.0, 0.8, 0.05
_EXIT_CODES = {'ok': 0, 'warning': 1, 'critical': 2, 'unknown': 3}


class Report(NamedTuple):
    """What triage came to.

    state     'ok', 'warning', 'critical' or 'unknown', as of the worst finding that no cause excuses
    summary   the sentence of the first line
    kernel    release, boot_id, uptime, as far as known
    sections  what is shown beside the causes
    causes    in the order in which to read them
    findings  (check, finding), most severe first
    others    those that no cause explains
    looked    (check, what it says by itself)
    unseen    what could not be seen: part, reason, and maybe code and remedy
    """

    state: str
    summary: str
    kernel: dict[str, Any]
    sections: tuple[Section, ...]
    causes: tuple[Cause, ...]
    findings: tuple[tuple[str, Finding], ...]
    others: tuple[tuple[str, Finding], ...]
    looked: tuple[tuple[str, str], ...]
    unseen: list[dict[str, Any]]

    @property
    def exit_code(self) -> int:
        """As a check's."""
        return _EXIT_CODES[self.state]


class Looked(NamedTuple):
    """What the looks came to.

    facts     without who holds the table
    taken     part -> what it came to, or Lost
    verdicts  check -> its verdict
    """

    facts: Facts
    taken: dict[str, Any]
    verdicts: dict[str, Verdict]


def triage(options: Any, remembering: bool) -> Report:
    """Look at everything once, and say what it adds up to. Takes at most about as long as --timeout says."""
    ends = time.monotonic() + options.timeout
    excusing = options.expect == 'auto'
    found, taken, verdicts = look_around(options, remembering)
    facts = found._replace(holders=_holders(found, options.root, ends - time.monotonic()))
    causes = join(facts, excusing)
    pardoned = excused(causes, excusing)
    failed = {NAMES[name]: taken[name] for name in NAMES if isinstance(taken[name], Lost)}
    state = _state(facts, pardoned, bool(failed))
    if isinstance(taken['kernel'], Lost):
        failed['kernel'] = taken['kernel']
    return Report(
        state,
        _summary(state, causes, facts, pardoned, [verdict.summary for verdict in verdicts.values()]),
        {} if isinstance(taken['kernel'], Lost) else taken['kernel'],
        sections(facts),
        causes,
        facts.findings,
        unexplained(facts, causes),
        tuple((name, verdicts[name].summary) for name in NAMES),
        [*unreadable(failed, verdicts), *_unseen(facts.holders)],
    )


def look_around(options: Any, remembering: bool) -> Looked:
    """All looks of the snapshot, once."""
    # What nobody has declared is looked at as on a host that is meant to track nothing; causes tell what is meant.
    options.expect = 'none' if options.expect == 'auto' else options.expect
    options.namespaces = can_be_seen(options.root)
    taken = Snapshot(options, 'triage').look_around(remembering)
    verdicts = {
        name: lost_verdict(taken[name]) if isinstance(taken[name], Lost) else taken[name].verdict for name in NAMES
    }
    saved = taken['save']
    if not isinstance(saved, Lost):
        verdicts['triage'] = saved
    found = [(name, finding) for name, verdict in verdicts.items() for finding in verdict.findings]
    found.sort(key=lambda pair: ORDER.index(pair[1].severity))
    return Looked(_facts(taken)._replace(findings=tuple(found)), taken, verdicts)


def _holders(facts: Facts, root: str, left: float) -> Holders | Unseen | None:
    """Looked at last, and within what the rest has left of the time."""
    if not wanted(facts):
        return None
    seconds = min(_LONGEST, _SHARE * left)
    if seconds < _TOO_SHORT:
        return Unseen('no time was left before --timeout')
    found = run_parts([('holders', lambda: look(root, seconds))], left)['holders']
    return Unseen(found.text) if isinstance(found, Lost) else found


def _unseen(holders: Holders | Unseen | None) -> list[dict[str, Any]]:
    if not isinstance(holders, Unseen):
        return []
    remedy = {'remedy': text(holders.grant)} if holders.grant else {}
    return [{'part': 'holders', 'reason': text(holders.reason), **remedy}]


def _facts(taken: dict[str, Any]) -> Facts:
    seen = {name: None if isinstance(taken[name], Lost) else taken[name].look.seen for name in NAMES}
    return Facts((), *(seen[name] for name in ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log')))


def _state(facts: Facts, pardoned: frozenset[str], failed: bool) -> str:
    severities = {finding.severity for _, finding in facts.findings if finding.code not in pardoned}
    for severity in ('critical', 'warning', 'unknown'):
        if severity in severities or (severity == 'unknown' and failed):
            return severity
    return 'ok'


def _summary(state: str, causes: tuple[Cause, ...], facts: Facts, pardoned: frozenset[str], said: list[str]) -> str:
    """The first cause that is as bad as all of it; without one, the finding."""
    grave = [cause for cause in causes if cause.severity == state]
    if grave:
        return f'{grave[0].code} ({grave[0].confidence}): {grave[0].says}'
    for _, finding in facts.findings:
        if finding.severity == state and finding.code not in pardoned:
            return finding.summary
    if state == 'unknown':
        return 'part of this host could not be seen'
    return 'nothing that refuses packets or is about to, in what could be seen'

"""What each check would say on its default options, from what the looks found."""

from __future__ import annotations

from tablefull.frame.ranges import outside
from tablefull.frame.text import clean, shorten
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from tablefull.findings.finding import Finding
    from tablefull.frame.look import Look, Threshold
    from tablefull.snapshot.parts import Lost

STATES = ('ok', 'warning', 'critical', 'unknown')
SEVERITIES = ('info', 'warning', 'critical', 'unknown')
# Most severe first: what is proved bad outranks what could not be seen.
ORDER = ('critical', 'warning', 'unknown', 'info')

# A kernel log line can be a mebibyte long, and an agent takes half of one in all.
LONGEST = 500
_MOST_TEXTS = 20
_MOST_FINDINGS = 100

# Findings about what could not be seen -> the part of it.
UNSEEN = {
    'conntrack-hidden': 'conntrack',
    'conntrack-statistics-missing': 'conntrack',
    'conntrack-namespaces-unseen': 'conntrack',
    'modules-configuration-unreadable': 'modules',
    'neighbour-limit-unknown': 'neighbour',
    'neighbour-not-seen': 'neighbour',
    'neighbour-tables-missing': 'neighbour',
    'ferm-unit-unseen': 'ferm',
    'ferm-configuration-unreadable': 'ferm',
    'ferm-reason-unreadable': 'ferm',
    'ferm-rules-unseen': 'ferm',
    'kernel-log-missing': 'kernel_log',
    'kernel-log-unreadable': 'kernel_log',
    'state-damaged': 'state',
    'state-unwritable': 'state',
}
# These name several.
_SEVERAL = ('neighbour-not-seen', 'conntrack-namespaces-unseen')


class Verdict(NamedTuple):
    """What a check comes to: its state, the sentence of its first line, its findings, most severe first."""

    state: str
    summary: str
    findings: list[Finding]


def verdict(look: Look, thresholds: tuple[Threshold, ...], options: Any) -> Verdict:
    """Judge the numbers of a look by the ranges in `options`, and find the worst of all."""
    ignored = options.ignore or ()
    found = [*look.findings, *_breaches(look, thresholds, options)]
    findings = sorted(
        (finding for finding in found if finding.code not in ignored),
        key=lambda finding: ORDER.index(finding.severity),
    )
    if not findings or findings[0].severity == 'info':
        return Verdict('ok', look.healthy(), findings)
    return Verdict(findings[0].severity, findings[0].summary, findings)


def _breaches(look: Look, thresholds: tuple[Threshold, ...], options: Any) -> Iterator[Finding]:
    judged = {threshold.label: threshold for threshold in thresholds if threshold.breach is not None}
    for label, value, *_ in look.numbers:
        threshold = judged.get(label)
        if threshold is None or threshold.breach is None:
            continue
        for severity in ('critical', 'warning'):
            limits = getattr(options, f'{threshold.prefix}{severity}', None)
            if limits and outside(limits, value):
                yield threshold.breach(look.seen, severity, value, limits)
                break


def lost_verdict(lost: Lost) -> Verdict:
    """A part that could not be read is UNKNOWN, as its check would be."""
    return Verdict('unknown', f'cannot read {lost.text}' if lost.path else lost.text, [])


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe of them, the first of its severity."""
    order = ('critical', 'warning', 'unknown', 'ok')
    return min(verdicts, key=lambda verdict: order.index(verdict.state))


def text(value: str) -> str:
    """Text from outside: one printable line, not without end."""
    return shorten(clean(value[: 4 * LONGEST]), LONGEST)


def finding_fields(check: str, finding: Finding) -> dict[str, Any]:
    """One element of `findings`."""
    fields: dict[str, Any] = {
        'check': check,
        'code': finding.code,
        'severity': finding.severity,
        'severity_code': SEVERITIES.index(finding.severity),
        'summary': text(finding.summary),
    }
    if finding.evidence:
        fields['evidence'] = [text(item) for item in finding.evidence[:_MOST_TEXTS]]
    if finding.remedy:
        fields['remedy'] = [text(item) for item in finding.remedy[:_MOST_TEXTS]]
    return {**fields, 'url': finding.url}


def all_findings(verdicts: dict[str, Verdict]) -> list[dict[str, Any]]:
    """`findings`, most severe first, in the order of the checks."""
    found = [(check, finding) for check, verdict in verdicts.items() for finding in verdict.findings]
    found.sort(key=lambda pair: ORDER.index(pair[1].severity))
    return [finding_fields(check, finding) for check, finding in found[:_MOST_FINDINGS]]


def unreadable(lost: dict[str, Lost], verdicts: dict[str, Verdict]) -> list[dict[str, Any]]:
    """`unreadable`: parts without a result, then what findings say could not be seen."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for part, failure in lost.items():
        entry = {'part': part, 'reason': text(failure.text)}
        if failure.permission:
            entry['remedy'] = text(f'ls -l {failure.path}  # as root: who may read it?')
        entries[part, failure.text] = entry
    for verdict in verdicts.values():
        for finding in verdict.findings:
            if finding.code not in UNSEEN:
                continue
            # One finding can name several things; then none of them has a remedy of its own.
            reasons = finding.evidence if finding.code in _SEVERAL else finding.evidence[:1]
            for reason in reasons or (finding.summary,):
                entry = {'part': UNSEEN[finding.code], 'reason': text(reason), 'code': finding.code}
                if finding.remedy:
                    entry['remedy'] = text(finding.remedy[0])
                entries.setdefault((entry['part'], reason), entry)
    return list(entries.values())

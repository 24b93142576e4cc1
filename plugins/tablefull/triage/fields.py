"""Triage as one JSON object; docs/triage.md describes it field by field."""

from __future__ import annotations

from tablefull import __version__
from tablefull.frame.json_text import encode
from tablefull.frame.text import clean
from tablefull.record import TYPE_CHECKING
from tablefull.snapshot.verdicts import finding_fields, text

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.finding import Finding
    from tablefull.triage.cause import Cause
    from tablefull.triage.sections import Line
    from tablefull.triage.take import Report

SCHEMA = 1


def as_json(report: Report, origin: tuple[str, ...] = ()) -> str:
    """The object on one line of ASCII."""
    return encode(as_dict(report, origin))


def as_dict(report: Report, origin: tuple[str, ...] = ()) -> dict[str, Any]:
    """The object. Nothing in it is null, true or false."""
    explained: dict[str, list[str]] = {}
    for cause in report.causes:
        for code in cause.explains:
            explained.setdefault(code, []).append(cause.code)
    return {
        'schema': SCHEMA,
        'version': __version__,
        'state': report.state,
        'exit_code': report.exit_code,
        'summary': text(report.summary),
        'kernel': report.kernel,
        'origin': [text(line) for line in origin],
        'sections': [
            {'title': text(section.title), 'lines': [_line(line) for line in section.lines]}
            for section in report.sections
        ],
        'causes': [_cause(cause) for cause in report.causes],
        'findings': [_finding(check, finding, explained) for check, finding in report.findings],
        'unseen': report.unseen,
        'looked_at': [{'check': check, 'summary': text(says)} for check, says in report.looked],
    }


def failure(reason: str) -> str:
    """The object that says why there is no triage."""
    return encode({'schema': SCHEMA, 'version': __version__, 'error': clean(reason[:1000])})


def _line(line: Line) -> dict[str, Any]:
    share = {} if line.share is None else {'share': round(float(line.share), 2)}
    return {'label': text(line.label), 'text': text(line.text), **share}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        'code': cause.code,
        'severity': cause.severity,
        'confidence': cause.confidence,
        'because': text(cause.because),
        'summary': text(cause.says),
        'chain': [text(link) for link in cause.chain],
        'evidence': [text(piece) for piece in cause.evidence],
        'against': [text(piece) for piece in cause.against],
        'steps': [{'run': clean(step.run), 'effect': text(step.effect)} for step in cause.steps],
        'prevention': [text(piece) for piece in cause.prevention],
        'explains': list(cause.explains),
        'page': cause.page,
    }


def _finding(check: str, finding: Finding, explained: dict[str, list[str]]) -> dict[str, Any]:
    return {**finding_fields(check, finding), 'explained_by': explained.get(finding.code, [])}

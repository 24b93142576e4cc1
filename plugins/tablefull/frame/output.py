"""The two forms of output: Monitoring Plugins text, and JSON."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.wording import number
from tablefull.frame.text import FIRST_LINE, WHOLE, clean, shorten
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

EXIT_CODES = {'ok': 0, 'warning': 1, 'critical': 2, 'unknown': 3}


class Report(NamedTuple):
    """What a check came to.

    name      of the check, e.g. 'conntrack'
    state     a key of EXIT_CODES
    summary   the sentence of the first line
    tail      what stands behind it even when the sentence has to be cut
    perfdata  one string per metric, in fixed order
    metrics   label -> number, the same metrics
    findings  most severe first
    facts     (name, value) pairs for -vv
    """

    name: str
    state: str
    summary: str
    tail: str = ''
    perfdata: tuple[str, ...] = ()
    metrics: tuple[tuple[str, float], ...] = ()
    findings: tuple[Finding, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


def first_line(report: Report) -> str:
    """'CONNTRACK CRITICAL - sentence | perfdata'. The text before the perfdata is at most FIRST_LINE characters."""
    text = f'{report.name.upper().replace("_", " ")} {report.state.upper()}'
    if report.summary:
        text += ' - ' + report.summary
    tail = clean(report.tail)
    text = shorten(clean(text), FIRST_LINE - len(tail)) + tail
    return f'{text} | {" ".join(report.perfdata)}' if report.perfdata else text


def _finding_lines(finding: Finding, verbose: int) -> list[str]:
    lines = [f'{finding.severity}: {finding.summary} [{finding.code}]']
    evidence = finding.evidence if verbose else finding.evidence[:1]
    remedy = finding.remedy if verbose else finding.remedy[:1]
    lines += [f'  seen: {item}' for item in evidence]
    lines += [f'  do: {item}' for item in remedy]
    if verbose:
        lines.append(f'  page: {finding.url}')
    elif finding.severity != 'info':
        lines.append(f'  page: tablefull explain {finding.code}')
    return lines


def as_text(report: Report, verbose: int = 0) -> str:
    """The whole output of a check for a monitoring daemon, without a final newline.

    Perfdata stand in the first line only: Icinga and Nagios read no other place alike. Default output stays below
    WHOLE bytes by leaving out the tail of the details, saying so; -v gives everything.
    """
    head = first_line(report)
    lines: list[str] = []
    for finding in report.findings:
        lines += [clean(line) for line in _finding_lines(finding, verbose)]
    if verbose >= 2:
        lines += [clean(f'{name}: {value}') for name, value in report.facts]
    if verbose:
        return '\n'.join([head, *lines])
    return _fit(head, lines)


def _fit(head: str, lines: list[str]) -> str:
    more = '(more with -v)'
    room = WHOLE - len(head.encode()) - len(more) - 1
    kept: list[str] = []
    for line in lines:
        line = shorten(line, 200)
        room -= len(line.encode()) + 1
        if room < 0:
            kept.append(more)
            break
        kept.append(line)
    return '\n'.join([head, *kept])


def as_dict(report: Report) -> dict[str, Any]:
    """The JSON object of a check, schema 1. Texts are cleaned as in the other form."""
    return {
        'schema': 1,
        'check': report.name,
        'state': report.state,
        'exit_code': EXIT_CODES[report.state],
        'summary': clean(report.summary + report.tail),
        'metrics': {
            label: value if isinstance(value, int) else float(number(value)) for label, value in report.metrics
        },
        'findings': [
            {
                'code': finding.code,
                'severity': finding.severity,
                'summary': clean(finding.summary),
                'evidence': [clean(item) for item in finding.evidence],
                'remedy': [clean(item) for item in finding.remedy],
                'url': finding.url,
            }
            for finding in report.findings
        ],
    }


def as_json(report: Report) -> str:
    """`as_dict` in one line of ASCII."""
    import json

    return json.dumps(as_dict(report))

"""Triage for a terminal and for a ticket: at most 80 columns but for commands, which must stay whole to be copied."""

from __future__ import annotations

from tablefull.findings.wording import duration, number, quantity
from tablefull.frame.text import FIRST_LINE, clean, shorten
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.finding import Finding
    from tablefull.triage.cause import Cause
    from tablefull.triage.sections import Line
    from tablefull.triage.take import Report

WIDTH = 80
_BAR = 24
_MOST_EVIDENCE = 6
# A line of a hostile log or file must not bury the rest.
_LONGEST = 400
# What prevents can be a line to copy as well.
_COMMANDS = ('echo ',)
_COLOURS = {'critical': '1;31', 'warning': '1;33', 'unknown': '1;35', 'ok': '1;32', 'info': '36'}


class Painter:
    """Colours words, or leaves them alone."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def paint(self, text: str, kind: str) -> str:
        """`text` in the colour of a severity."""
        code = _COLOURS.get(kind)
        return f'\x1b[{code}m{text}\x1b[0m' if self.colour and code else text


def as_text(report: Report, origin: tuple[str, ...] = (), colour: bool = False, verbose: bool = False) -> str:
    """The whole report. `origin` says where it was read, where that is not this host."""
    painter = Painter(colour)
    head = shorten(clean(f'TRIAGE {report.state.upper()} - {report.summary}'), FIRST_LINE)
    lines = [painter.paint(head, report.state), *_wrapped(_host(report), ''), *(clean(line) for line in origin)]
    for section in report.sections:
        lines += ['', section.title, *(_section_line(line, painter) for line in section.lines)]
    if not report.causes:
        lines += ['', 'No cause found.']
    for place, cause in enumerate(report.causes, 1):
        lines += ['', *_cause(place, cause, painter, verbose)]
    others = [pair for pair in report.others if verbose or pair[1].code not in _codes(report)]
    if others:
        lines += ['', 'also found', *(line for _, finding in others for line in _finding(finding))]
    if report.unseen:
        lines += ['', 'not seen']
        for entry in report.unseen:
            lines += _wrapped(f'{entry["part"]}: {entry["reason"]}', '  ', '    ')
            if 'remedy' in entry:
                lines.append(f'    grant: {clean(entry["remedy"])}')
    lines += ['', 'looked at']
    for check, says in report.looked:
        lines += _wrapped(f'{check}: {says}', '  ', '    ')
    return '\n'.join(lines)


def _codes(report: Report) -> frozenset[str]:
    """Codes that stand under 'not seen' already."""
    return frozenset(entry['code'] for entry in report.unseen if 'code' in entry)


def _host(report: Report) -> str:
    release, uptime = report.kernel.get('release'), report.kernel.get('uptime')
    words = [f'Linux {release}' if release else 'unknown kernel']
    if uptime:
        words.append(f'up {duration(uptime)}')
    count = len(report.causes)
    words.append(f'{quantity(count, "cause")}, the gravest and surest first' if count > 1 else '')
    return ', '.join(word for word in words if word)


def _section_line(line: Line, painter: Painter) -> str:
    label = f'  {clean(line.label):10}'
    if line.share is None:
        # Names of containers and processes have no end of their own.
        return shorten(f'{label} {clean(line.text)}', WIDTH)
    filled = min(_BAR, max(0, round(line.share * _BAR / 100)))
    severity = 'critical' if line.share >= 90 else 'warning' if line.share >= 70 else 'ok'
    bar = painter.paint('#' * filled, severity) + '.' * (_BAR - filled)
    return f'{label} [{bar}] {number(round(line.share, 1)):>5} %  {clean(line.text)}'


def _cause(place: int, cause: Cause, painter: Painter, verbose: bool) -> Iterator[str]:
    kind = 'note' if cause.severity == 'info' else cause.severity
    yield f'{place}. {painter.paint(cause.code, cause.severity)}  ({kind}, {cause.confidence})'
    yield from _wrapped(cause.says, '   ')
    yield from _item('sure', f'{cause.confidence}: {cause.because}')
    for number_, link in enumerate(cause.chain):
        yield from _wrapped(f'{"chain" if number_ == 0 else "  ->":8} {link}', '   ', ' ' * 12)
    evidence = cause.evidence if verbose else cause.evidence[:_MOST_EVIDENCE]
    for piece in evidence:
        yield from _item('seen', shorten(piece, _LONGEST))
    if len(evidence) < len(cause.evidence):
        yield from _item('', f'and {len(cause.evidence) - len(evidence)} more (-v)')
    for piece in cause.against:
        yield from _item('against', shorten(piece, _LONGEST))
    for number_, step in enumerate(cause.steps, 1):
        # Never cut and never wrapped: what is pasted into a shell must be what was meant.
        yield f'   {f"do {number_}":8} {clean(step.run)}'
        yield from _wrapped(f'effect: {step.effect}', ' ' * 14, ' ' * 14)
    for piece in cause.prevention:
        if piece.startswith(_COMMANDS):
            yield f'   {"prevent":8} {clean(piece)}'
        else:
            yield from _item('prevent', piece)
    yield f'   {"page":8} tablefull explain {cause.page}'


def _item(label: str, text: str) -> Iterator[str]:
    yield from _wrapped(f'{label:8} {text}', '   ', ' ' * 12)


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f'{finding.severity}: {finding.summary} [{finding.code}]', '  ', '    ')
    for piece in finding.evidence[:1]:
        yield from _wrapped(f'seen: {shorten(piece, _LONGEST)}', '    ', '      ')


def _wrapped(text: str, first: str, rest: str | None = None) -> Iterator[str]:
    """Cleaned `text` on lines of at most WIDTH columns; words that are longer are broken."""
    indent, line = first, ''
    text = clean(text)
    # Blanks that align a label at the start belong to the first word.
    start = len(text) - len(text.lstrip(' '))
    words = text[start:].split(' ')
    line = ' ' * start
    fresh = True
    for word in words:
        candidate = word if fresh else f'{line} {word}'
        if fresh:
            candidate = line + word
        if len(indent) + len(candidate) > WIDTH and line.strip():
            yield (indent + line).rstrip()
            indent, candidate = first if rest is None else rest, word
        while len(indent) + len(candidate) > WIDTH:
            room = WIDTH - len(indent)
            yield indent + candidate[:room]
            indent, candidate = first if rest is None else rest, candidate[room:]
        line, fresh = candidate, False
    yield (indent + line).rstrip()

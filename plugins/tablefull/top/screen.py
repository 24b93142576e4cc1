"""What `tablefull top` prints: a screen of 80 columns, or the fields of a JSON object. docs/top.md describes both."""

from __future__ import annotations

from tablefull.findings.holders import certainty, half_open_share, margin, percent, rows, states
from tablefull.findings.wording import number, quantity
from tablefull.frame.text import clean, shorten
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.holders import Row
    from tablefull.findings.ownership import Ownership
    from tablefull.readers.survey import Survey

WIDTH = 80
_MOST_STATES = 8


def screen(survey: Survey, owned: Ownership | None, options: Any) -> str:
    """For a terminal, or to be pasted into a ticket."""
    lines, found = [_head(survey)], rows(survey, options.limit)
    how = f'By {survey.source} in {number(survey.seconds)} s{_only(options)}: {certainty(survey, found)}'
    lines += _wrapped('', how.split(' '), ' ')
    lines += ['', *_table(survey, found), '']
    spread = [f'{name} {percent(n, survey.counted)}' for name, n in states(survey)]
    more = len(spread) - _MOST_STATES
    shown = spread[:_MOST_STATES] + ([f'{more} more'] if more > 0 else [])
    lines += _wrapped('States: ', shown, ', ')
    lines.append(f'Half-open: {percent(half_open_share(survey), 1)}, never answered or in an unfinished handshake')
    if owned is not None:
        lines += _ownership_lines(owned)
    return '\n'.join(clean(line) for line in lines)


def _head(survey: Survey) -> str:
    if survey.entries is None:
        return 'Connection tracking, number of entries unknown'
    if not survey.maximum or survey.maximum <= 0:
        return f'Connection tracking: {quantity(survey.entries, "entry", "entries")}, no limit'
    return (
        f'Connection tracking: {survey.entries} of {survey.maximum} entries ({percent(survey.entries, survey.maximum)})'
    )


def _only(options: Any) -> str:
    words = [] if options.family == 'both' else [options.family.replace('ip', 'IP')]
    words += ['never answered ones'] if options.unanswered else []
    return ''.join(f', only {word}' for word in words)


def _wrapped(title: str, items: list[str], separator: str) -> list[str]:
    lines, line = [], title
    for place, item in enumerate(items):
        piece = item if place == len(items) - 1 else item + separator
        if len(line) + len(piece.rstrip()) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = '  '
        line += piece
    return [*lines, line.rstrip()]


def _table(survey: Survey, found: list[Row]) -> list[str]:
    estimated = '' if survey.complete else '~'
    scale = 1.0 if survey.complete or not survey.entries else max(1.0, survey.entries / max(1, survey.counted))
    lines = [f'{"flows":>9} {"share":>8} {"half-open":>10}  {"range" if survey.by == "prefix" else survey.by}']
    for row in found:
        note = f'  without the {row.without} listed' if row.without else ''
        count = f'{estimated}{round(row.flows * scale)}'
        share, half = percent(row.flows, survey.counted), percent(row.half_open, row.flows)
        lines.append(shorten(f'{count:>9} {share:>8} {half:>10}  {row.label}{note}', WIDTH))
    rest = survey.counted - sum(row.flows for row in found)
    if rest > 0:
        count = f'{estimated}{round(rest * scale)}'
        lines.append(f'{count:>9} {percent(rest, survey.counted):>8} {"":>10}  all others')
    return lines


def _ownership_lines(owned: Ownership) -> list[str]:
    compared = sum(owned)
    parts = [f'{name} {percent(n, compared)}' for name, n in owned._asdict().items()]
    return [
        f'Sockets: {", ".join(parts)} (of {compared} compared)',
        '  forwarded: no end is here; orphaned: an end is here, and no socket has it',
    ]


def fields(survey: Survey, owned: Ownership | None, options: Any) -> dict[str, Any]:
    """The object of `--output json`."""
    found = rows(survey, options.limit)
    shares = {} if not survey.counted else {'half_open': round(100 * half_open_share(survey), 2)}
    known = {'entries': survey.entries, 'max': survey.maximum}
    whose = {} if owned is None else {'ownership': {**owned._asdict(), 'compared': sum(owned)}}
    return {
        **{name: value for name, value in known.items() if value is not None},
        'by': survey.by,
        'family': options.family,
        'unanswered': int(options.unanswered),
        'source': clean(survey.source),
        'counted': survey.counted,
        'complete': int(survey.complete),
        'low': max((row.low for row in found), default=0),
        'margin': round(100 * margin(survey), 2),
        'seconds': round(survey.seconds, 3),
        **shares,
        'groups': [_row_fields(survey, row) for row in found],
        'others': survey.counted - sum(row.flows for row in found),
        'states': [{'state': name, 'flows': n} for name, n in states(survey)],
        **whose,
    }


def _row_fields(survey: Survey, row: Row) -> dict[str, Any]:
    share = row.flows / max(1, survey.counted)
    return {
        'group': clean(row.label),
        'flows': row.flows,
        'half_open': row.half_open,
        'share': round(100 * share, 2),
        'margin': round(100 * margin(survey, share), 2),
        'low': row.low,
        **({'without': row.without} if row.without else {}),
    }

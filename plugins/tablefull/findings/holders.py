"""Who holds the table, from counts: the largest groups as rows, and how sure one may be of them."""

from __future__ import annotations

from tablefull.findings.prefixes import heavy_ranges
from tablefull.findings.wording import number, quantity
from tablefull.readers.flows import protocol_name
from tablefull.readers.rtnetlink import address_text
from tablefull.readers.tally import state_of
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.prefixes import Range
    from tablefull.readers.survey import Survey


class Row(NamedTuple):
    """One group.

    label      as people write it: an address, 'tcp 443', '203.0.113.0/24'
    flows      connections counted
    half_open  of these
    without    how many ranges inside of it have rows of their own, and are not counted here
    low        it is low by this at most
    """

    label: str
    flows: int
    half_open: int
    without: int = 0
    low: int = 0


def rows(survey: Survey, limit: int) -> list[Row]:
    """The `limit` largest groups, largest first. Ranges are named from half of the share that fills all rows on."""
    if survey.by == 'prefix':
        least = survey.counted // (2 * limit)
        found = heavy_ranges(survey.leaves, least, limit)
        return [Row(item.text, item.flows, item.half_open, item.inside, _low(survey, item)) for item in found]
    return [
        Row(_label(survey.by, key), group.flows, group.half_open, low=survey.low)
        for key, group in survey.groups[:limit]
    ]


def _low(survey: Survey, item: Range) -> int:
    """Of a single address it is known more exactly than of a range."""
    return min(item.missing, survey.low) if item.bits == 8 * len(item.address) else item.missing


def _label(by: str, key: Any) -> str:
    if by in ('source', 'destination'):
        return address_text(key)
    if by == 'port':
        protocol, port = key
        return protocol_name(protocol) + ('' if port is None else f' {port}')
    if by == 'protocol':
        return protocol_name(key)
    if by == 'zone':
        zone, one_way = key
        return f'{zone} (one direction)' if one_way else str(zone)
    return str(key)


def margin(survey: Survey, share: float = 0.5) -> float:
    """Of a sample: by how much a share (0 to 1) may be wrong, in 95 of 100 samples; 0.0 when all were counted.

    That of a draw without putting back. At 0.5 it is the largest there is.
    """
    if survey.complete or not survey.counted:
        return 0.0
    # Without a number of all, as if there were no end of them.
    everything = survey.entries or 0
    left = (everything - survey.counted) / (everything - 1) if everything > survey.counted else 1.0
    return float(1.96 * (share * (1 - share) / survey.counted * left) ** 0.5)


def half_open_share(survey: Survey) -> float:
    """0 to 1."""
    return sum(n for kind, n in survey.kinds.items() if kind.half_open) / max(1, survey.counted)


def states(survey: Survey) -> list[tuple[str, int]]:
    """(state, connections), most first."""
    found: dict[str, int] = {}
    for kind, n in survey.kinds.items():
        found[state_of(kind)] = found.get(state_of(kind), 0) + n
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def percent(part: float, whole: float) -> str:
    """'12.5 %', '<0.1 %' for what is not nothing."""
    share = 100.0 * part / whole if whole else 0.0
    return '<0.1 %' if 0 < share < 0.05 else f'{share:.1f} %'


def certainty(survey: Survey, found: list[Row]) -> str:
    """How the counts of some rows are to be taken, in one sentence."""
    low = max((row.low for row in found), default=0)
    kept = f'; too many to keep apart, so a count may be low by {low}' if low else ''
    if survey.complete:
        return f'all {quantity(survey.counted, "connection")} counted{kept}'
    wrong = number(round(100 * margin(survey), 1))
    return f'a sample of {survey.counted}, shares right to +-{wrong}%{kept}'

"""Who holds the connection tracking table: counts of its entries, from whichever source may be asked."""

from __future__ import annotations

import time

from tablefull.readers import ctnetlink, flow_listing
from tablefull.readers.conntrack import read_conntrack
from tablefull.readers.files import ReadError, is_live
from tablefull.readers.flows import SEEN_REPLY, flows
from tablefull.readers.tally import Tally
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from tablefull.readers.conntrack import Conntrack
    from tablefull.readers.flows import Flow
    from tablefull.readers.tally import Group, Kind

FAMILIES = {'both': 0, 'ipv4': 2, 'ipv6': 10}


class Survey(NamedTuple):
    """What was counted.

    by       what it is grouped by
    entries  of the table, as the kernel counts them, before the dump; None where it does not say
    maximum  the limit; 0 or less is "no limit"
    counted  connections looked at and wanted
    complete  False for a sample
    seconds  it took
    source   'ctnetlink' or the path of the listing
    groups   the largest ones, see Tally.largest()
    leaves   of a survey by prefix, see Tally.leaves(); none otherwise
    kinds    Kind -> connections, always of all that were counted
    low      no count of a group is lower than the true one by more than this
    """

    by: str
    entries: int | None
    maximum: int | None
    counted: int
    complete: bool
    seconds: float
    source: str
    groups: list[tuple[Any, Group]]
    leaves: list[tuple[bytes, int, int]]
    kinds: dict[Kind, int]
    low: int = 0


class Refused(ReadError):
    """The table cannot be looked into; `grant` is the line that helps, '' when none does."""

    def __init__(self, path: str, reason: str, number: int | None = None, grant: str = '') -> None:
        super().__init__(path, reason, number)
        self.grant = grant


def unanswered(kind: Kind) -> bool:
    """Never answered."""
    return not kind.status & SEEN_REPLY


def survey(
    root: str,
    by: str,
    most: int,
    sample: int | None = None,
    only_unanswered: bool = False,
    family: str = 'both',
    seconds: float | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Survey:
    """Count the connections of this network namespace, or of the tree below `root`.

    most      groups that are wanted; by prefix none are, for they are worked out from the leaves
    sample    stop after so many: the kernel tells them in the order of its hash, which is that of nobody's choice
    seconds   stop after so long, with what is counted by then; the wait for a kernel that says nothing ends as well
    progress  is told (counted, entries) some times a second

    Filters are the kernel's where it has them, and hold where it does not. Raises Refused.
    """
    began = time.monotonic()
    table = read_conntrack(root)
    if not table.loaded:
        raise Refused('connection tracking', 'not loaded, so no connection is tracked')
    # Of one address family only, the table as a whole says nothing.
    tally = Tally(by, wanted=unanswered if only_unanswered else None)
    shown = [0.0]

    def watch(counted: int) -> bool:
        now = time.monotonic()
        if progress is not None and now - shown[0] > 0.2:
            shown[0] = now
            progress(counted, table.entries)
        return seconds is not None and now - began >= seconds

    source = _source(root, table.entries)
    if source == 'ctnetlink':
        asked = ctnetlink.UNANSWERED if only_unanswered else b''
        _with_hint(lambda: tally.count(ctnetlink.dump(FAMILIES[family], asked, seconds), sample, watch))
    else:
        _count_listing(tally, root, family, sample, watch)
    return _survey(tally, table, most, began, source)


def _survey(tally: Tally, table: Conntrack, most: int, began: float, source: str) -> Survey:
    return Survey(
        by=tally.by,
        entries=table.entries,
        maximum=table.maximum,
        counted=tally.total,
        complete=tally.complete,
        seconds=time.monotonic() - began,
        source=source,
        groups=[] if tally.by == 'prefix' else tally.largest(most),
        leaves=list(tally.leaves()) if tally.by == 'prefix' else [],
        kinds=tally.kinds,
        low=tally.low,
    )


def sample_surveys(root: str, groupings: Sequence[str], most: int, sample: int, seconds: float) -> tuple[Survey, ...]:
    """Several surveys of the same connections, `sample` of them at most, one for each of `groupings`. Raises Refused.

    Dearer for each connection than survey(), and exact about how many are looked at.
    """
    began = time.monotonic()
    table = read_conntrack(root)
    if not table.loaded:
        raise Refused('connection tracking', 'not loaded, so no connection is tracked')
    tallies = [Tally(by) for by in groupings]
    source = _source(root, table.entries)

    def count() -> None:
        # One more than is wanted tells whether there are more.
        for number, flow in enumerate(_flows(root, source, sample + 1, seconds)):
            if number == sample or (number % 1000 == 999 and time.monotonic() - began >= seconds):
                for tally in tallies:
                    tally.complete = False
                return
            for tally in tallies:
                tally.add(flow)

    _with_hint(count)
    return tuple(_survey(tally, table, most, began, source) for tally in tallies)


def sample_of_flows(root: str, most: int) -> Iterator[Flow]:
    """At most `most` connections one by one. Raises Refused."""
    return _flows(root, _source(root, read_conntrack(root).entries), most)


def _flows(root: str, source: str, most: int, seconds: float | None = None) -> Iterator[Flow]:
    """`seconds` are those of a kernel that says nothing."""
    if source == 'ctnetlink':
        return flows(ctnetlink.dump(seconds=seconds), most)
    return (flow for _, flow in zip(range(most), flow_listing.read_flows(root)))


def _source(root: str, entries: int | None) -> str:
    """Where to ask. The listing comes second: it costs more, and on older kernels minutes."""
    why = ctnetlink.why_not(root)
    if not why:
        return 'ctnetlink'
    why_not_listed = flow_listing.why_not(root, entries)
    if not why_not_listed:
        return flow_listing.listing(root)
    if not is_live(root):
        raise Refused('connections', why_not_listed)
    grant = '' if 'not loaded, and' not in why else 'modprobe nf_conntrack_netlink  # starts no tracking: that is on'
    raise Refused('connections', f'{why}; {why_not_listed}', grant=grant)


def _with_hint(ask: Callable[[], None]) -> None:
    """Add to a refusal what is missing. Raises Refused."""
    try:
        ask()
    except ReadError as error:
        grant = ctnetlink.GRANT if error.permission else ''
        reason = 'CAP_NET_ADMIN is needed' if error.permission else error.reason
        raise Refused(error.path, reason, error.number, grant) from None


def _count_listing(tally: Tally, root: str, family: str, sample: int | None, watch: Callable[[int], bool]) -> None:
    size = {'both': (4, 16), 'ipv4': (4,), 'ipv6': (16,)}[family]
    for number, flow in enumerate(flow_listing.read_flows(root)):
        if len(flow.source) in size:
            tally.add(flow)
        if number % 1000 == 999 and (watch(number + 1) or (sample is not None and tally.total >= sample)):
            tally.complete = False
            return

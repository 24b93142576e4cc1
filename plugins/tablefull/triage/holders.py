"""Who holds the table of connections: looked at when something is wrong with it, for the causes to name."""

from __future__ import annotations

from tablefull.findings.holders import half_open_share, percent, rows
from tablefull.findings.neighbour_gateway import covers
from tablefull.findings.prefixes import bits_of, heavy_ranges
from tablefull.readers.files import ReadError
from tablefull.readers.links import Address, read_addresses
from tablefull.readers.rtnetlink import parse_address
from tablefull.readers.survey import Refused, sample_surveys
from tablefull.record import TYPE_CHECKING, NamedTuple
from tablefull.triage.cause import Step

if TYPE_CHECKING:
    from tablefull.findings.prefixes import Range
    from tablefull.readers.survey import Survey
    from tablefull.triage.facts import Facts

# So many connections are right to a percent, and take a quarter of a second.
SAMPLE = 20000
GROUPS = 10
# Findings that make it worth looking.
_TROUBLE = (
    'conntrack-table-full',
    'conntrack-usage-high',
    'conntrack-full-soon',
    'conntrack-entries-high',
    'conntrack-drops',
    'conntrack-early-drops',
)
# A wider one is half of the world, and nobody's in particular. Length of an address -> bits.
_NARROW = {4: 16, 16: 32}


def _network(first: str, length: int) -> Address:
    return Address(parse_address(first) or b'', '', length)


# A range counts as evenly filled when one up to two bits wider holds so many times as much.
_SLACK, _MUCH_MORE = 2, 1.25
ITSELF = 'this host itself'
_LOOPBACK = (_network('127.0.0.0', 8), _network('::', 127))
# RFC 1918, 6598, 4193 and 4291: in one's own house as well, somewhere behind a router.
_PRIVATE = (
    _network('10.0.0.0', 8),
    _network('172.16.0.0', 12),
    _network('192.168.0.0', 16),
    _network('100.64.0.0', 10),
    _network('fc00::', 7),
    _network('fe80::', 10),
)


class Holders(NamedTuple):
    """The connections of the table, or a sample of them.

    ranges, ports  surveys of the same connections, by prefix of their sources and by port they go to
    own            addresses of this host with their networks, none where nothing tells
    """

    ranges: Survey
    ports: Survey
    own: tuple[Address, ...] = ()

    @property
    def unanswered(self) -> float:
        """The share that is half-open, 0 to 1."""
        return half_open_share(self.ranges)


class Unseen(NamedTuple):
    """Why nobody could look, and the line that grants it, '' when none does."""

    reason: str
    grant: str = ''


def wanted(facts: Facts) -> bool:
    """Whether something is wrong with the table of this namespace."""
    return any(finding.severity != 'info' for finding in facts.found(*_TROUBLE, check='conntrack'))


def look(root: str, seconds: float) -> Holders | Unseen | None:
    """Count, for about `seconds` at most; None when there is nothing. Does not raise."""
    try:
        ranges, ports = sample_surveys(root, ('prefix', 'port'), GROUPS, SAMPLE, seconds)
        if not ranges.counted:
            return None
        return Holders(ranges, ports, _own(root))
    except Refused as error:
        return Unseen(str(error), error.grant)
    except ReadError as error:
        return Unseen(str(error))


def _own(root: str) -> tuple[Address, ...]:
    try:
        return tuple(read_addresses(root) or ())
    except ReadError:
        return ()


def heaviest(holders: Holders) -> Range | None:
    """The narrowest range of sources that holds half of the connections or more."""
    survey = holders.ranges
    least = (survey.counted + 1) // 2
    for found in heavy_ranges(survey.leaves, least, 1):
        whole = _widened(found, survey)
        if whole.flows >= least and whole.bits >= _NARROW[len(whole.address)]:
            return whole
    return None


def _widened(found: Range, survey: Survey) -> Range:
    """A range that is filled evenly is named as the one it is, not by its fuller half."""
    wider = found.bits - 1
    while wider >= max(_NARROW[len(found.address)], found.bits - _SLACK):
        size = 8 * len(found.address)
        first = (int.from_bytes(found.address, 'big') >> (size - wider) << (size - wider)).to_bytes(size // 8, 'big')
        inside = [leaf for leaf in survey.leaves if _holds(first, wider, leaf[0])]
        flows, half_open = sum(leaf[1] for leaf in inside), sum(leaf[2] for leaf in inside)
        if flows >= _MUCH_MORE * found.flows:
            found = found._replace(address=first, bits=wider, flows=flows, half_open=half_open)
        wider -= 1
    return found


def _holds(first: bytes, bits: int, key: bytes) -> bool:
    """Whether a leaf of a survey, an address or the beginning of some, is in a range."""
    size, known = bits_of(key)
    return size == len(first) and known >= bits and covers(key.ljust(size, b'\0'), first, bits)


def whose(holders: Holders, found: Range) -> str:
    """'' for strangers, or what the range is to this host: nothing to cut off before one knows what it is."""
    if any(_within(found, network) for network in _LOOPBACK):
        return ITSELF
    size = len(found.address)
    for own in (own for own in holders.own if len(own.address) == size):
        if found.bits == 8 * size and own.address == found.address:
            return ITSELF
        # What is told as a single address is no network.
        if (own.length < 8 * size and _within(found, own)) or covers(own.address, found.address, found.bits):
            return f'on the network of {own.device}' if own.device else 'on a network of this host'
    return 'private addresses' if any(_within(found, network) for network in _PRIVATE) else ''


def _within(found: Range, network: Address) -> bool:
    return network.length <= found.bits and covers(found.address, network.address, network.length)


def told(holders: Holders, found: Range) -> str:
    """'203.0.113.0/28 (on the network of eth0) holds 350 of 494 tracked connections (70.9 %)'."""
    place, survey = whose(holders, found), holders.ranges
    name = f'{found.text} ({place})' if place else found.text
    share = percent(found.flows, survey.counted)
    if survey.complete:
        return f'{name} holds {found.flows} of {survey.counted} tracked connections ({share})'
    return f'{name} holds {share} of the tracked connections'


def busiest_port(holders: Holders) -> str:
    """'tcp 443' when half of the connections or more go there, '' otherwise."""
    found = rows(holders.ports, 1)
    return found[0].label if found and 2 * found[0].flows >= holders.ports.counted else ''


def cut_off(holders: Holders, found: Range) -> tuple[Step, ...]:
    """How to end what a range of strangers does; of one's own addresses, how to see what it is."""
    place = whose(holders, found)
    if place:
        what = 'nothing: counts where that loads nothing'
        return (Step('tablefull top --by source', what), Step('tablefull top --by destination --sockets', what))
    six = len(found.address) == 16
    return (
        Step(f'whois {found.text.partition("/")[0]}', 'nothing here: asks the registry; know who it is before you cut'),
        Step(
            f'{"ip6tables" if six else "iptables"} -t raw -I PREROUTING -s {found.text} -j DROP',
            f'everything from {found.text}, wanted or not; loads the raw table',
        ),
        Step(
            f'conntrack -D {"-f ipv6 " if six else ""}-s {found.text}',
            f'the connections of {found.text} alone; loads nf_conntrack_netlink',
        ),
    )

"""What rtnetlink told is read again from the recording as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tablefull.capture.iproute_form import links_text, neighbours_text, routes_text
from tablefull.readers import links as bits
from tablefull.readers.iproute_text import parse_addresses, parse_links, parse_neighbours, parse_routes
from tablefull.readers.links import Address, Link
from tablefull.readers.neighbours import EXT_LEARNED, EXT_VALIDATED, Neighbour
from tablefull.readers.routes import Hop, Route

NAMES = st.from_regex(r'[a-z][a-z0-9._-]{0,14}', fullmatch=True)
# Words of iproute2: a device of that name it could not tell apart either.
_WORDS = ('via', 'dev', 'table', 'metric', 'encap', 'onlink', 'dead', 'offline', 'proto', 'src', 'proxy')
SIZES = st.sampled_from((4, 16))


def addresses(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


FLAGS = st.sets(st.sampled_from((bits.UP, bits.LOOPBACK, bits.POINTOPOINT, bits.NOARP))).map(sum)
LINKS = st.lists(st.tuples(NAMES, FLAGS), min_size=1, unique_by=lambda link: link[0]).map(
    lambda links: [Link(name, number, flags) for number, (name, flags) in enumerate(links, 1)]
)


@given(LINKS, st.data())
def test_links_and_addresses(links: list[Link], data: st.DataObject) -> None:
    own = []
    masters = st.sampled_from([0, *(link.number for link in links)])
    for place, link in enumerate(links):
        table = data.draw(st.none() | st.integers(0, 1 << 31))
        vrf = {} if table is None else {'kind': 'vrf', 'table': table}
        links[place] = link._replace(master=data.draw(masters), **vrf)
        for size in data.draw(st.lists(SIZES, max_size=3)):
            own.append(Address(data.draw(addresses(size)), link.name, data.draw(st.integers(0, 8 * size))))
    text = links_text(links, own)
    assert list(parse_links(text).values()) == links
    assert parse_addresses(text) == own


@given(st.data(), SIZES)
def test_neighbours(data: st.DataObject, size: int) -> None:
    states = st.sampled_from((0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80))
    flags = st.sets(st.sampled_from((EXT_LEARNED, EXT_VALIDATED))).map(sum)
    entries = data.draw(st.lists(st.builds(Neighbour, addresses(size), NAMES, states, flags)))
    assert [Neighbour(*entry) for entry in parse_neighbours(neighbours_text(entries))] == entries


@given(st.data(), SIZES)
def test_routes(data: st.DataObject, size: int) -> None:
    gateways = st.none() | addresses(4) | addresses(16)
    hops = st.builds(Hop, NAMES.filter(lambda name: name not in _WORDS), gateways, st.booleans(), st.booleans())
    destinations = st.tuples(addresses(size), st.integers(0, 8 * size)).map(masked)
    routes = data.draw(
        st.lists(
            st.builds(
                lambda destination, hops, table, metric, local: Route(*destination, tuple(hops), table, metric, local),
                destinations,
                st.lists(hops, max_size=3),
                st.integers(1, 1 << 31),
                st.integers(0, 1 << 31),
                st.booleans(),
            )
        )
    )
    assert parse_routes(routes_text(routes), 4 if size == 4 else 6) == routes


def masked(prefix: tuple[bytes, int]) -> tuple[bytes, int]:
    address, length = prefix
    size = len(address)
    number = int.from_bytes(address, 'big') >> (8 * size - length) << (8 * size - length)
    return number.to_bytes(size, 'big'), length

"""Ranges that explain most of a table."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from tablefull.findings.prefixes import Range, heavy_ranges

Leaf = tuple[bytes, int, int]


def named(counts: dict[str, int], least: int, most: int = 10, ranges: list[Leaf] | None = None) -> list[str]:
    leaves = [(ip_address(text).packed, n, 0) for text, n in counts.items()]
    return [f'{item.text} {item.flows}' for item in heavy_ranges(leaves + (ranges or []), least, most)]


def test_a_range_that_is_filled_evenly_is_named_as_the_one_it_is() -> None:
    counts = {f'203.0.113.{host}': 20 for host in range(1, 255)}
    counts.update({f'{net}.7.9.{host}': 1 for net in range(11, 200) for host in (3, 200)})
    assert named(counts, 300) == ['203.0.113.0/24 5080', '0.0.0.0/0 378']


def test_a_single_address_is_named_and_its_range_counts_without_it() -> None:
    counts = {f'203.0.113.{host}': 20 for host in range(1, 255)}
    counts['203.0.113.77'] = 4000
    leaves = [(ip_address(text).packed, n, n // 2) for text, n in counts.items()]
    assert heavy_ranges(leaves, 500, 10) == [
        Range(bytes((203, 0, 113, 0)), 24, 5060, 2530, 1),
        Range(bytes((203, 0, 113, 77)), 32, 4000, 2000),
    ]


def test_ranges_of_both_families_stand_side_by_side() -> None:
    counts = {f'2001:db8:1:2::{host:x}': 3 for host in range(1, 200)}
    counts.update({f'198.51.100.{host}': 2 for host in range(1, 200)})
    assert named(counts, 100) == ['2001:db8:1:2::/120 597', '198.51.100.0/24 398']


def test_two_busy_addresses_side_by_side_stay_two() -> None:
    assert named({'192.0.2.4': 50, '192.0.2.5': 50, '10.0.0.1': 1}, 20) == ['192.0.2.4 50', '192.0.2.5 50']


def test_a_lopsided_range_is_named_by_its_busy_half() -> None:
    counts = {f'192.0.2.{host}': 100 if host < 128 else 10 for host in range(256)}
    assert named(counts, 2000)[0] == '192.0.2.0/25 12800'


def test_when_too_many_would_be_named_all_that_are_left_out_are_in_those_around_them() -> None:
    counts = {f'10.{net}.0.1': 10 + net for net in range(40)}
    few = named(counts, 1, most=4)
    assert len(few) <= 4
    assert sum(int(line.split()[1]) for line in few) <= sum(counts.values())


def test_addresses_that_could_not_be_kept_apart_count_for_their_range_only() -> None:
    ranges = [(bytes((10, 0, 0)), 100, 50), (b'\x20\x01\x0d\xb8' + bytes(4), 70, 0), (b'', 5, 5)]
    assert named({'10.0.0.0': 60, '10.0.1.9': 1}, 50, ranges=ranges) == [
        '10.0.0.0/24 100',
        '2001:db8::/64 70',
        '10.0.0.0 60',
    ]


def test_what_may_be_missing_in_a_range_is_what_is_only_known_of_those_around_it() -> None:
    leaves = [(b'\x0a\0\0\1', 50, 0), (b'\x0a\0\0', 7, 0), (b'\x0a\0', 3, 0), (b'\x0b', 9, 0), (b'', 2, 0)]
    found = {item.text: item.missing for item in heavy_ranges(leaves, 8, 9)}
    assert found['10.0.0.1'] == 7 + 3 + 2
    assert found['11.0.0.0/8'] == 2


def test_nothing_is_nothing() -> None:
    assert heavy_ranges([], 0, 5) == []


HOSTS = st.integers(0, 255).map(lambda host: bytes((10, 0, host // 16, host)))
WIDE = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@given(st.dictionaries(st.one_of(HOSTS, WIDE), st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_each_connection_counts_once_and_each_range_is_heavy(counts: dict[bytes, int], least: int) -> None:
    found = heavy_ranges([(key, n, n) for key, n in counts.items()], least, 1000)
    networks = [ip_network((item.address, item.bits)) for item in found]
    assert len(set(networks)) == len(networks)
    for item, network in zip(found, networks):
        assert item.flows >= least
        assert item.half_open == item.flows
        inside = [other for other in networks if other != network and _within(other, network)]
        assert item.inside == len(inside)
        # Counted by somebody who knows only what the ranges are.
        own = sum(
            n
            for key, n in counts.items()
            if ip_address(key) in network and not any(ip_address(key) in other for other in inside)
        )
        assert item.flows == own
    # What no range explains is not heavy in any range: not even in the whole of its family.
    for size in (4, 16):
        left = sum(
            n
            for key, n in counts.items()
            if len(key) == size and not any(ip_address(key) in network for network in networks)
        )
        assert left < least


def _within(one: object, other: object) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[attr-defined,no-any-return]

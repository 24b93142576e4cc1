"""Who holds the table, in triage: from listings of trees to a cause, and what is proposed against it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tablefull.command import answer
from tablefull.triage.holders import SAMPLE, Holders, Unseen, heaviest, look, whose
from tests.golden.cases import FIXTURES

TREE = os.path.join(FIXTURES, '3.10-rhel7-table-full')


def line(source: str, port: int = 443, protocol: str = 'tcp', state: str = 'ESTABLISHED', answered: bool = True) -> str:
    number = {'tcp': 6, 'udp': 17, 'icmp': 1}[protocol]
    family, nobody = ('ipv6     10', '::1') if ':' in source else ('ipv4     2', '192.0.2.80')
    ends = f'dst={nobody} sport=40000 dport={port}'
    unreplied = '' if answered else '[UNREPLIED] '
    return (
        f'{family} {protocol}      {number} 300 {state} src={source} {ends} {unreplied}src={nobody} dst={source} '
        f'sport={port} dport=40000 mark=0 zone=0 use=2\n'
    )


def tree(tmp_path: Path, lines: Iterable[str], own: str = '') -> str:
    """The tree of a host whose table is full, with these connections."""
    root = tmp_path / 'host'
    shutil.copytree(TREE, root)
    (root / 'proc/net/nf_conntrack').write_text(''.join(lines))
    if own:
        (root / 'ip-addr.txt').write_text(
            f'2: eth0: <BROADCAST,UP> mtu 1500\n    inet{"6" if ":" in own else ""} {own} scope global eth0\n'
        )
    return str(root)


def held(root: str) -> Holders:
    found = look(root, 5.0)
    assert isinstance(found, Holders)
    return found


def triage(root: str, *options: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(answer(['triage', '--output', 'json', '--root', root, *options])[1])
    return result


def named(result: dict[str, Any], code: str) -> dict[str, Any]:
    (cause,) = [cause for cause in result['causes'] if cause['code'] == code]
    found: dict[str, Any] = cause
    return found


def codes(result: dict[str, Any]) -> list[str]:
    return [cause['code'] for cause in result['causes']]


def commands(cause: dict[str, Any]) -> list[str]:
    return [step['run'] for step in cause['steps']]


ABUSER = [line(f'203.0.113.{n % 200}') for n in range(700)]
OTHERS = [line(f'198.51.{n % 50}.7') for n in range(300)]


def test_a_range_of_strangers_is_named_with_the_commands_that_end_it(tmp_path: Path) -> None:
    cause = named(triage(tree(tmp_path, ABUSER + OTHERS)), 'one-range-holds-table')
    assert cause['summary'] == '203.0.113.0/24 holds 700 of 1000 tracked connections (70.0 %)'
    assert commands(cause)[-3:] == [
        'whois 203.0.113.0',
        'iptables -t raw -I PREROUTING -s 203.0.113.0/24 -j DROP',
        'conntrack -D -s 203.0.113.0/24',
    ]
    assert not any('PREFIX' in step for step in commands(cause))


def test_a_range_of_ipv6_gets_the_commands_of_ipv6(tmp_path: Path) -> None:
    lines = [line(f'2001:db8:bad::{n:x}') for n in range(256)]
    cause = named(triage(tree(tmp_path, lines)), 'one-range-holds-table')
    assert commands(cause)[-2:] == [
        'ip6tables -t raw -I PREROUTING -s 2001:db8:bad::/120 -j DROP',
        'conntrack -D -f ipv6 -s 2001:db8:bad::/120',
    ]


@pytest.mark.parametrize(
    ('source', 'own', 'said'),
    [
        ('203.0.113.9', '203.0.113.9/24', 'this host itself'),
        ('127.0.0.1', '', 'this host itself'),
        ('::1', '', 'this host itself'),
        ('203.0.113.9', '203.0.113.1/24', 'on the network of eth0'),
        ('2001:db8::5', '2001:db8::1/64', 'on the network of eth0'),
        ('10.1.2.3', '', 'private addresses'),
        ('172.31.0.1', '', 'private addresses'),
        ('fd00::1', '', 'private addresses'),
        ('172.32.0.1', '', ''),
        ('203.0.113.9', '203.0.113.1/32', ''),
    ],
)
def test_nothing_of_ones_own_is_proposed_to_be_cut_off(tmp_path: Path, source: str, own: str, said: str) -> None:
    root = tree(tmp_path, [line(source)] * 50, own)
    found = held(root)
    heavy = heaviest(found)
    assert heavy is not None and whose(found, heavy) == said
    steps = commands(named(triage(root), 'one-range-holds-table'))
    assert any('DROP' in step or 'conntrack -D' in step for step in steps) == (said == '')


def test_a_range_around_ones_own_network_is_not_cut_off_either(tmp_path: Path) -> None:
    lines = [line(f'203.0.{112 + n % 2}.{n % 250}') for n in range(2000)]
    for own in ('203.0.113.5/25', '203.0.113.5/32'):
        root = tree(tmp_path / own.replace('/', '-'), lines, own)
        found = held(root)
        heavy = heaviest(found)
        assert heavy is not None and heavy.bits < 24
        assert whose(found, heavy) == 'on the network of eth0'
        assert not any('DROP' in step for step in commands(named(triage(root), 'one-range-holds-table')))


def test_connections_from_everywhere_are_too_many_and_nobodys_in_particular(tmp_path: Path) -> None:
    result = triage(tree(tmp_path, (line(f'{n}.{n * 7 % 250}.3.4') for n in range(11, 211))))
    assert 'one-range-holds-table' not in codes(result)
    cause = named(result, 'limit-too-low')
    assert cause['chain'][0] == 'no range of addresses holds half of them: all together are too many'
    assert not any('PREFIX' in step for step in commands(cause)), 'there is no culprit to be found'


def test_the_narrowest_range_is_named_and_an_even_one_as_a_whole(tmp_path: Path) -> None:
    one = held(tree(tmp_path / 'one', [line('203.0.113.7')] * 60 + [line(f'203.0.113.{n}') for n in range(40)]))
    even = held(tree(tmp_path / 'even', [line(f'203.0.113.{n}') for n in (0, 0, 0, 1, 1, 2, 2, 3, 3, 3)]))
    heavy, whole = heaviest(one), heaviest(even)
    assert heavy is not None and (heavy.text, heavy.flows) == ('203.0.113.7', 61)
    assert whole is not None and (whole.text, whole.flows) == ('203.0.113.0/30', 10)


FLOODS = [
    ([line(f'198.51.{n % 90}.1', 53, 'udp', '', False) for n in range(900)], 'UDP that nobody answers', 'udp 53'),
    ([line(f'{n % 200 + 1}.2.3.4', 443, 'tcp', 'SYN_SENT', False) for n in range(900)], '(SYN)', 'tcp 443'),
    ([line(f'{n % 200 + 1}.2.3.4', 443, 'tcp', 'SYN_RECV') for n in range(900)], '(SYN)', 'tcp 443'),
]


@pytest.mark.parametrize(('lines', 'what', 'port'), FLOODS)
def test_a_flood_of_udp_is_told_from_one_of_syn(tmp_path: Path, lines: list[str], what: str, port: str) -> None:
    result = triage(tree(tmp_path, [*lines, *OTHERS]))
    assert codes(result)[0] == 'unreplied-flood'
    assert 'one-range-holds-table' not in codes(result)
    flood = named(result, 'unreplied-flood')
    assert flood['confidence'] == 'probable'
    assert flood['summary'].startswith('75.0 % of the table is ') and what in flood['summary']
    assert f'most of it to {port}' in flood['summary']
    udp = any('nf_conntrack_udp_timeout' in piece for piece in flood['prevention'])
    syn = any('tcp_syncookies' in piece for piece in flood['prevention'])
    assert (udp, syn) == (what.startswith('UDP'), what == '(SYN)')


def test_a_flood_from_one_range_names_it(tmp_path: Path) -> None:
    lines = [line(f'203.0.113.{n % 16}', n % 60000, 'udp', '', False) for n in range(900)]
    flood = named(triage(tree(tmp_path, lines)), 'unreplied-flood')
    assert 'iptables -t raw -I PREROUTING -s 203.0.113.0/28 -j DROP' in commands(flood)
    assert any('203.0.113.0/28 holds 900 of 900' in piece for piece in flood['evidence'])


def test_evictions_that_the_connections_contradict_say_so(tmp_path: Path) -> None:
    root = Path(tree(tmp_path, OTHERS))
    statistics = root / 'proc/net/stat/nf_conntrack'
    head, first, *rest = statistics.read_text().splitlines()
    values = first.split()
    values[head.split().index('early_drop')] = '00ffffff'
    statistics.write_text('\n'.join([head, ' '.join(values), *rest]) + '\n')
    flood = named(triage(str(root)), 'unreplied-flood')
    assert flood['confidence'] == 'possible'
    assert flood['against'] == ['of the connections that are there now 0.0 % are unanswered']


def test_of_a_large_table_a_sample_is_counted_and_said(tmp_path: Path) -> None:
    root = tree(tmp_path, [line(f'203.0.113.{n % 100}') for n in range(SAMPLE + 5000)])
    found = held(root)
    assert (found.ranges.counted, found.ranges.complete, found.ports.counted) == (SAMPLE, False, SAMPLE)
    cause = named(triage(root), 'one-range-holds-table')
    assert cause['summary'] == '203.0.113.0/25 holds 100.0 % of the tracked connections'
    exact = held(tree(tmp_path / 'exact', [line('203.0.113.1')] * SAMPLE))
    assert (exact.ranges.counted, exact.ranges.complete) == (SAMPLE, True)


@pytest.mark.parametrize('content', ['garbage\n', '\x00\xff|\x1b[31m\n', 'ipv4 2 tcp 6 src=\n'])
def test_what_cannot_be_understood_is_not_seen_and_costs_nothing_else(tmp_path: Path, content: str) -> None:
    root = tree(tmp_path, [content])
    assert isinstance(look(root, 5.0), Unseen)
    result = triage(root)
    assert codes(result)[0] == 'limit-too-low'
    (unseen,) = [entry for entry in result['unseen'] if entry['part'] == 'holders']
    assert 'line 1 is not a connection' in unseen['reason']
    assert 'holders: ' in answer(['triage', '--root', root])[1]


def test_a_table_without_trouble_is_not_looked_into(tmp_path: Path) -> None:
    root = Path(tree(tmp_path, ['garbage\n']))
    for name in ('kmsg', 'proc/net/stat/nf_conntrack'):
        (root / name).unlink(missing_ok=True)
    (root / 'proc/sys/net/netfilter/nf_conntrack_count').write_text('5\n')
    result = triage(str(root))
    assert [entry for entry in result['unseen'] if entry['part'] == 'holders'] == []
    assert [section['title'] for section in result['sections']] == ['tables']


def test_without_time_it_is_not_seen_rather_than_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tablefull.triage.take._TOO_SHORT', 3600.0)
    result = triage(tree(tmp_path, ABUSER))
    (unseen,) = [entry for entry in result['unseen'] if entry['part'] == 'holders']
    assert unseen['reason'] == 'no time was left before --timeout'

"""`tablefull top` on real tables: what it counts is what an independent count of the kernel's own listing says."""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, ROOT, Namespace, interpreter
from tests.system.write_flows import (
    ANSWERED,
    CONFIRMED,
    ESTABLISHED,
    ICMP,
    ICMPV6,
    SYN_SENT,
    TCP,
    TIME_WAIT,
    UDP,
    Entry,
)

SEED = "cat /proc/net/nf_conntrack | awk '{print $7}' | sed s/src=//g | sort | uniq -c | sort -nr"
TOP = 'import sys; from tablefull.top.main import main; main(sys.argv[1:])'


@pytest.fixture
def empty() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


def write(namespace: Namespace, entries: list[Entry]) -> None:
    lines = [
        ' '.join(map(str, (*entry[:6], '-' if entry.state is None else entry.state, entry.zone))) for entry in entries
    ]
    out = namespace.run(sys.executable, '-m', 'tests.system.write_flows', input='\n'.join(lines), cwd=str(ROOT)).stdout
    assert int(out) == len(entries)


def top(namespace: Namespace, *argv: str, user: int = 0) -> dict[str, Any]:
    done = namespace.run(*interpreter(user), '-c', TOP, *argv, '--output', 'json', check=False, user=user)
    assert done.stderr == '', done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (3 if 'error' in found else 0)
    return found


def groups(namespace: Namespace, by: str) -> dict[str, int]:
    found = top(namespace, '--by', by, '--limit', '1000')
    assert (found['complete'], found['others'], found['source']) == (1, 0, 'ctnetlink')
    return {group['group']: group['flows'] for group in found['groups']}


def listed(namespace: Namespace) -> list[list[str]]:
    return [line.split() for line in namespace.run('cat', '/proc/net/nf_conntrack').stdout.splitlines()]


def named(words: list[str], name: str) -> str:
    """The value of the first `name=` of a line."""
    return next(word.partition('=')[2] for word in words if word.startswith(name + '='))


def normal(address: str) -> str:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def assert_equal_to_listing(namespace: Namespace) -> list[list[str]]:
    """By everything that a line of the listing shows, told apart by nothing but its words."""
    lines = listed(namespace)
    assert groups(namespace, 'source') == Counter(normal(named(words, 'src')) for words in lines)
    assert groups(namespace, 'destination') == Counter(normal(named(words, 'dst')) for words in lines)
    names = {'1': 'icmp', '58': 'icmpv6', '6': 'tcp', '17': 'udp'}
    assert groups(namespace, 'protocol') == Counter(names[words[3]] for words in lines)
    ports = Counter(
        f'{names[words[3]]} {named(words, "dport")}' if words[3] in ('6', '17') else names[words[3]] for words in lines
    )
    assert groups(namespace, 'port') == ports
    assert groups(namespace, 'zone') == Counter(named(words, 'zone') for words in lines)
    states = groups(namespace, 'state')
    tcp = Counter(f'tcp {words[5]}' for words in lines if words[3] == '6' and words[5].isupper())
    assert {
        name: n for name, n in states.items() if name.startswith('tcp') and name.isascii() and name[4:].isupper()
    } == tcp
    half_open = sum('[UNREPLIED]' in words for words in lines)
    assert top(namespace)['half_open'] == pytest.approx(100 * half_open / len(lines), abs=0.01)
    assert top(namespace, '--unanswered')['counted'] == half_open
    for family in ('ipv4', 'ipv6'):
        assert top(namespace, '--family', family)['counted'] == sum(words[0] == family for words in lines)
    return lines


def every_kind(zone: int = 0) -> list[Entry]:
    entries = []
    for n in range(40):
        client, client6 = f'10.1.{n % 3}.{n % 7 + 1}', f'2001:db8::{n % 5 + 1:x}'
        port = 2000 + n
        entries += [
            Entry(TCP, client, '192.0.2.1', port, 443, ANSWERED, ESTABLISHED, zone),
            Entry(TCP, client, '192.0.2.2', port, 80, CONFIRMED, SYN_SENT, zone),
            Entry(TCP, client6, '2001:db8:ffff::1', port, 443, ANSWERED, TIME_WAIT, zone),
            Entry(UDP, client, '192.0.2.3', port, 53, CONFIRMED, None, zone),
            Entry(UDP, client6, '2001:db8:ffff::3', port, 123, ANSWERED, None, zone),
            Entry(ICMP, client, '192.0.2.4', port, 0, ANSWERED, None, zone),
            Entry(ICMPV6, client6, '2001:db8:ffff::4', port, 0, CONFIRMED, None, zone),
        ]
    return entries


def test_every_protocol_of_both_families_is_counted_as_the_listing_shows_it(empty: Namespace) -> None:
    write(empty, every_kind())
    assert len(assert_equal_to_listing(empty)) == 280


def test_zones_are_counted(empty: Namespace) -> None:
    write(empty, every_kind() + every_kind(5) + every_kind(700)[:99])
    assert_equal_to_listing(empty)
    assert groups(empty, 'zone') == {'0': 280, '5': 280, '700': 99}


def test_accounting_and_timestamps_change_nothing(empty: Namespace) -> None:
    write(empty, every_kind()[:50])
    empty.run('sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=1', 'net.netfilter.nf_conntrack_timestamp=1')
    # Those before have no counters, those from now on do.
    write(empty, every_kind()[50:])
    lines = assert_equal_to_listing(empty)
    assert 0 < sum(any(word.startswith('packets=') for word in words) for words in lines) < len(lines)


def test_a_zone_of_one_direction_is_called_so(empty: Namespace) -> None:
    empty.run(
        'nft',
        '-f',
        '-',
        input='table ip t {\nchain c {\ntype filter hook output priority -300\nct original zone set 9\n}\n}\n',
    )
    send = 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("127.0.0.1", 9))'
    empty.run(sys.executable, '-c', send)
    assert groups(empty, 'zone')['9 (one direction)'] == 1


def test_the_published_one_liner_is_right_for_tcp_only(empty: Namespace) -> None:
    write(empty, every_kind())
    counted = {key: int(n) for n, key in (line.split() for line in empty.run('sh', '-c', SEED).stdout.splitlines())}
    lines = listed(empty)
    tcp = Counter(named(words, 'src') for words in lines if words[3] == '6')
    others = Counter(f'dst={named(words, "dst")}' for words in lines if words[3] != '6')
    # The source of TCP, and the *destination* of everything else.
    assert counted == {**tcp, **others}
    busiest = groups(empty, 'source')['10.1.0.1']
    assert counted['10.1.0.1'] < busiest


def test_the_sockets_of_this_host_tell_its_own_connections_from_forgotten_ones(empty: Namespace) -> None:
    empty.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
    hold = """
import socket, subprocess, sys
listener = socket.create_server(('127.0.0.1', 4000))
peers = [socket.create_connection(('127.0.0.1', 4000)) for _ in range(4)]
accepted = [listener.accept() for _ in peers]
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
    write(empty, [Entry(TCP, '127.0.0.1', '127.0.0.1', 9000 + n, 4000, ANSWERED, ESTABLISHED) for n in range(3)])
    write(empty, [Entry(TCP, '10.9.9.9', '192.0.2.1', 9000 + n, 4000, ANSWERED, ESTABLISHED) for n in range(2)])
    command = [*interpreter(0), '-c', TOP, '--sockets', '--output', 'json']
    found = json.loads(empty.run(sys.executable, '-c', hold, *command).stdout)
    assert found['ownership'] == {'local': 4, 'forwarded': 2, 'orphaned': 3, 'compared': 9}


def test_nobody_is_told_what_is_missing_and_the_capability_alone_is_enough(empty: Namespace) -> None:
    write(empty, every_kind()[:10])
    refused = top(empty, user=NOBODY)
    assert 'CAP_NET_ADMIN' in refused['error']
    assert '+net_admin' in refused['remedy']
    granted = [
        'setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', '--inh-caps', '+net_admin',
        '--ambient-caps', '+net_admin', '--bounding-set', '-all,+net_admin',
    ]  # fmt: skip
    done = empty.run(*granted, *interpreter(NOBODY), '-c', TOP, '--output', 'json')
    assert json.loads(done.stdout)['counted'] == 10


def test_a_sample_is_fair(empty: Namespace) -> None:
    empty.run(sys.executable, '-m', 'tests.system.write_flows', 'mixed', '60000', cwd=str(ROOT))
    everything = top(empty, '--by', 'source')
    sample = top(empty, '--by', 'source', '--sample', '10000')
    assert (everything['complete'], sample['complete']) == (1, 0)
    assert 10000 <= sample['counted'] < 10500
    true = {group['group']: group['share'] for group in everything['groups']}
    sampled = {group['group']: group for group in sample['groups']}
    assert len(true.keys() & sampled.keys()) >= 7
    # The margin is that of 95 in 100: of ten, one may be outside, and none by far.
    off = [abs(group['share'] - true[name]) / group['margin'] for name, group in sampled.items() if name in true]
    assert max(off) < 2.5
    assert sum(ratio > 1 for ratio in off) <= 3


def test_sources_without_number_take_bounded_memory(empty: Namespace) -> None:
    limit = int(empty.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    wanted = min(200_000, limit - 1000)
    empty.run(sys.executable, '-m', 'tests.system.write_flows', 'spread', str(wanted), cwd=str(ROOT))
    script = (
        'import sys; from tablefull.top.main import answer; print(answer(sys.argv[1:])[1]);'
        # ru_maxrss would be that of the process that forked this one.
        'print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])'
    )
    for by in ('source', 'prefix'):
        out = empty.run(*interpreter(0), '-c', script, '--by', by, '--output', 'json').stdout.splitlines()
        found = json.loads(out[0])
        assert found['counted'] > 0.9 * wanted
        if by == 'source':
            assert 0 < found['low'] <= 2 * found['counted'] / 65536
        assert int(out[1]) / 1024 <= 25
        if by == 'prefix':
            # All of them are from 11.0.0.0 on, and that is seen though no address is heavy.
            assert found['others'] < 0.1 * found['counted']


def test_looking_changes_nothing(empty: Namespace) -> None:
    before = empty.shown()
    top(empty)
    top(empty, '--sockets', '--unanswered')
    assert empty.shown() == before
    assert Path('/proc/net/nf_conntrack').exists()

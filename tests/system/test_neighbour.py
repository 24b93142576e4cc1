"""check_neighbour on real neighbour tables and routes, in network namespaces of its own.

The tables and gc_thresh3 are one for the whole host: they are filled far enough to see usage rise and no further, for
an overflow would refuse the host's own neighbours too. Overflows are re-enacted in a virtual machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, Namespace

THRESHOLD = '/proc/sys/net/ipv{}/neigh/default/gc_thresh3'


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace with an Ethernet link, v0, that has 192.0.2.10/24 and 2001:db8:1::10/64."""
    with Namespace() as made:
        made.run('ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1')
        for link in ('v0', 'v1'):
            made.run('ip', 'link', 'set', link, 'up')
        made.run('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'v0')
        made.run('ip', '-6', 'address', 'add', '2001:db8:1::10/64', 'dev', 'v0', 'nodad')
        yield made


def ip(namespace: Namespace, *commands: str) -> None:
    """Run `ip` commands."""
    for command in commands:
        namespace.run('ip', *command.split())


def told(namespace: Namespace, state: Path, *argv: str, user: int = 0) -> dict[str, Any]:
    """What the check says."""
    state.mkdir(mode=0o700, exist_ok=True)
    if user:
        os.chown(state, user, user)
    done = namespace.check('check_neighbour', '--state-dir', str(state), '--output', 'json', *argv, user=user)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found['exit_code'] == done.returncode
    return found


def findings(namespace: Namespace, state: Path, user: int = 0) -> dict[str, str]:
    """Code -> severity of everything that is not merely information."""
    # The level of the host's table and what overflowed before is not the matter of the tests of routes.
    ignored = 'neighbour-usage-high,neighbour-table-full,neighbour-off-link,neighbour-unresolved'
    found = told(namespace, state, '--ignore', ignored, user=user)
    return {entry['code']: entry['severity'] for entry in found['findings'] if entry['severity'] != 'info'}


# A public path: nobody may not look into pytest's own directories.
@pytest.fixture
def state(request: pytest.FixtureRequest) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix='tablefull-', dir='/var/tmp'))
    directory.chmod(0o711)
    yield directory / 'state'
    shutil.rmtree(directory)


ERRORS = {
    'own address': (['route add default via 192.0.2.10'], 'neighbour-gateway-own-address', 'critical'),
    'own address, IPv6': (
        # The kernel refuses the typo itself, but not the address that comes later.
        ['-6 route add default via 2001:db8:1::66 dev v0', '-6 address add 2001:db8:1::66/64 dev v0 nodad'],
        'neighbour-gateway-own-address',
        'critical',
    ),
    'no gateway': (['route add default dev v0'], 'neighbour-gateway-missing', 'critical'),
    'no gateway, IPv6': (['-6 route add default dev v0'], 'neighbour-gateway-missing', 'critical'),
    'halves without gateway': (
        ['route add 0.0.0.0/1 dev v0', 'route add 128.0.0.0/1 dev v0'],
        'neighbour-gateway-missing',
        'critical',
    ),
    'no gateway in a policy table': (
        ['rule add from 192.0.2.10 lookup 100', 'route add default dev v0 table 100'],
        'neighbour-gateway-missing',
        'critical',
    ),
    'one of two next hops': (
        ['route add default nexthop via 192.0.2.1 dev v0 nexthop dev v1'],
        'neighbour-gateway-missing',
        'critical',
    ),
    'address taken away': (
        [
            'address add 198.51.100.9/24 dev v0',
            'route add default via 198.51.100.1',
            'address delete 198.51.100.9/24 dev v0',
        ],
        'neighbour-gateway-off-link',
        'warning',
    ),
    'no answer': (
        ['route add default via 192.0.2.1', 'neigh add 192.0.2.1 dev v0 nud failed'],
        'neighbour-gateway-unresolved',
        'critical',
    ),
    'no answer, and a backup nobody used': (
        [
            'route add default via 192.0.2.1 metric 100',
            'route add default via 192.0.2.2 metric 200',
            'neigh add 192.0.2.1 dev v0 nud failed',
        ],
        'neighbour-gateway-unresolved',
        'critical',
    ),
    'no answer over IPv4 alone': (
        [
            'route add default via 192.0.2.1',
            '-6 route add default via fe80::1 dev v0',
            'neigh add 192.0.2.1 dev v0 nud failed',
        ],
        'neighbour-gateway-unresolved',
        'warning',
    ),
    'no answer, IPv6': (
        ['-6 route add default via fe80::1 dev v0', '-6 neigh add fe80::1 dev v0 nud failed'],
        'neighbour-gateway-unresolved',
        'critical',
    ),
}

# The errors that a remedy repairs, with more of what `ip route replace` finds a route by.
REPAIRED = [
    'route add default dev v0',
    'route add default dev v0 metric 100',
    'route add 0.0.0.0/1 dev v0',
    'route add default via 192.0.2.10 metric 7',
    'route add default metric 5 nexthop via 192.0.2.2 dev v0 nexthop dev v0',
    'route add default dev v0 table 100 metric 9',
    '-6 route add default dev v0',
    '-6 route add default dev v0 metric 7',
    '-6 route add 2000::/3 dev v0 table 100',
]

HEALTHY = {
    'unique local prefix': ['-6 route add fd00::/8 dev v0'],
    'no default': [],
    'gateway in the network': ['route add default via 192.0.2.1'],
    'link-local IPv6 gateway': ['-6 route add default via fe80::1 dev v0'],
    'global IPv6 gateway': ['-6 route add default via 2001:db8:1::1'],
    'point-to-point': [
        'tuntap add mode tun tun0',
        'link set tun0 up',
        'address add 10.8.0.1 peer 10.8.0.2 dev tun0',
        'route add default dev tun0',
        '-6 route add default dev tun0',
    ],
    'cloud, /32 route': ['route add 172.31.1.1 dev v0 scope link', 'route add default via 172.31.1.1 dev v0'],
    'cloud, onlink': ['route add default via 172.31.1.1 dev v0 onlink'],
    'cloud, /128 route': [
        '-6 route add 2001:db8:ff::1/128 dev v0',
        '-6 route add default via 2001:db8:ff::1 dev v0',
    ],
    'cloud, /32 address': [
        'address delete 192.0.2.10/24 dev v0',
        'address add 192.0.2.10 peer 10.0.0.1/32 dev v0',
        'route add default via 10.0.0.1',
    ],
    'IPv4 by an IPv6 gateway': ['route add default via inet6 fe80::1 dev v0'],
    'next-hop object': ['nexthop add id 7 via 192.0.2.1 dev v0', 'route add default nhid 7'],
    'multipath': ['route add default nexthop via 192.0.2.1 dev v0 nexthop via 192.0.2.2 dev v0'],
    'policy table': ['rule add from 192.0.2.10 lookup 100', 'route add default via 192.0.2.1 table 100'],
    'a bad route no rule leads to': ['route add default dev v0 table 100'],
    'unreachable': ['route add unreachable default', '-6 route add unreachable default metric 4294967295'],
    'blackhole': ['route add blackhole default'],
    'bridge': [
        'link add docker0 type bridge',
        'link set docker0 up',
        'address add 172.17.0.1/16 dev docker0',
        'route add default via 192.0.2.1',
    ],
    'address without its route': [
        'address add 198.51.100.9/24 dev v1 noprefixroute',
        'route add default via 198.51.100.1 dev v1 onlink',
    ],
}


@pytest.mark.parametrize('error', ERRORS)
@pytest.mark.parametrize('user', [0, NOBODY], ids=['root', 'nobody'])
def test_each_gateway_error_is_found_by_name(namespace: Namespace, state: Path, error: str, user: int) -> None:
    commands, code, severity = ERRORS[error]
    ip(namespace, *commands)
    assert findings(namespace, state, user) == {code: severity}


@pytest.mark.parametrize('twin', HEALTHY)
@pytest.mark.parametrize('user', [0, NOBODY], ids=['root', 'nobody'])
def test_each_healthy_twin_is_silent(namespace: Namespace, state: Path, twin: str, user: int) -> None:
    ip(namespace, *HEALTHY[twin])
    assert findings(namespace, state, user) == {}


@pytest.mark.parametrize('error', REPAIRED)
def test_the_remedy_repairs_the_route(namespace: Namespace, state: Path, error: str) -> None:
    ip(namespace, 'rule add from all lookup 100', '-6 rule add from all lookup 100', error)
    gateways = 'neighbour-gateway-missing', 'neighbour-gateway-own-address'
    (remedy,) = (entry['remedy'] for entry in told(namespace, state)['findings'] if entry['code'] in gateways)
    gateway = '2001:db8:1::1' if error.startswith('-6') else '192.0.2.1'
    for command in remedy:
        ip(namespace, command.partition('  #')[0].replace('GATEWAY', gateway)[len('ip ') :])
    assert findings(namespace, state) == {}


def test_the_own_address_of_another_interface_is_found(namespace: Namespace, state: Path) -> None:
    # The kernel refuses it in the other order.
    ip(namespace, 'route add default via 198.51.100.10 dev v0 onlink', 'address add 198.51.100.10/32 dev v1')
    assert findings(namespace, state) == {'neighbour-gateway-own-address': 'critical'}


def test_a_link_local_gateway_that_another_link_has_too_is_no_error(namespace: Namespace, state: Path) -> None:
    ip(namespace, '-6 address add fe80::1/64 dev v1 nodad', '-6 route add default via fe80::1 dev v0')
    assert findings(namespace, state) == {}


def kernel_entries(namespace: Namespace) -> dict[str, int]:
    """What the kernel says, in the words of `ip -s ntable`."""
    text = namespace.run('ip', '-s', 'ntable', 'show').stdout
    return {
        name: int(entries) for name, entries in re.findall(r'(arp|ndisc)_cache\s+thresh1.*?entries (\d+)', text, re.S)
    }


def settle(namespace: Namespace) -> None:
    """Wait until the namespaces of earlier tests are gone: the kernel takes them away later, with their neighbours."""
    seen: list[dict[str, int]] = []
    while seen[-5:] != [kernel_entries(namespace)] * 5:
        seen.append(kernel_entries(namespace))
        assert len(seen) < 100, 'the neighbour tables never rest'
        time.sleep(0.2)


def fill(namespace: Namespace, count: int, state: str = 'stale', network: str = '10.66', device: str = 'v0') -> None:
    """Add so many neighbours in one run of `ip`."""
    lines = ''.join(
        f'neigh add {network}.{number >> 8}.{number & 255} lladdr 02:00:00:00:00:01 nud {state} dev {device}\n'
        for number in range(count)
    )
    namespace.run('ip', '-batch', '-', input=lines)


def test_usage_is_what_the_kernel_counts(namespace: Namespace, state: Path) -> None:
    limit = int(Path(THRESHOLD.format(4)).read_text())
    settle(namespace)
    before = told(namespace, state)['metrics']
    fill(namespace, 40, 'permanent', '10.88')
    permanent = told(namespace, state)['metrics']
    fill(namespace, 60)
    after = told(namespace, state)['metrics']
    kernel = kernel_entries(namespace)
    assert after['arp_entries'] == kernel['arp'] == before['arp_entries'] + 100
    assert after['ndp_entries'] == kernel['ndisc']
    # Permanent entries are in the kernel's number, but not in what it compares with gc_thresh3.
    assert permanent['arp_usage'] == pytest.approx(before['arp_usage'], abs=0.01)
    assert after['arp_usage'] == pytest.approx(before['arp_usage'] + 100 * 60 / limit, abs=0.02)


def test_the_same_numbers_for_nobody(namespace: Namespace, state: Path) -> None:
    fill(namespace, 30, 'permanent')
    settle(namespace)
    # Whether an earlier overflow is recent only the kernel log tells, and that may be closed to nobody.
    ignored = ('--ignore', 'neighbour-table-full,neighbour-overflowed-before')
    root = told(namespace, state, *ignored)
    nobody = told(namespace, state.with_name('other'), *ignored, user=NOBODY)
    assert root['metrics'] == nobody['metrics']
    assert (root['state'], root['findings']) == (nobody['state'], nobody['findings'])


def test_noarp_entries_are_counted(namespace: Namespace, state: Path) -> None:
    settle(namespace)
    before = told(namespace, state)['metrics']['arp_usage']
    fill(namespace, 30, 'noarp')
    after = told(namespace, state)['metrics']
    assert after['arp_usage'] > before
    assert after['off_link'] == 0


def test_proxy_entries_are_not_in_the_table(namespace: Namespace, state: Path) -> None:
    settle(namespace)
    before = told(namespace, state)['metrics']['arp_entries']
    ip(namespace, 'neigh add proxy 192.0.2.77 dev v0')
    assert told(namespace, state)['metrics']['arp_entries'] == before


def test_off_link_and_unresolved_neighbours_are_counted(namespace: Namespace, state: Path) -> None:
    limit = int(Path(THRESHOLD.format(4)).read_text())
    count = limit // 10 + 10
    fill(namespace, count)
    fill(namespace, 7, 'stale', '192.0')
    ip(namespace, 'neigh add 192.0.2.77 dev v0 nud failed', 'neigh add 192.0.2.78 lladdr 02:00:00:00:00:01 dev v0')
    found = told(namespace, state)
    assert found['metrics']['off_link'] == count + 7
    assert found['metrics']['unresolved'] == 1
    (finding,) = [entry for entry in found['findings'] if entry['code'] == 'neighbour-off-link']
    assert finding['evidence'][0] == f'{count} of {count + 7} on v0 in 10.66.0.0/16'


def test_nothing_is_changed_by_looking(namespace: Namespace, state: Path) -> None:
    def tables() -> str:
        shown = [('route', 'show', 'table', 'all'), ('-6', 'route', 'show', 'table', 'all'), ('rule',), ('address',)]
        return ''.join(namespace.run('ip', *words).stdout for words in shown)

    before = tables(), namespace.shown()
    told(namespace, state)
    assert (tables(), namespace.shown()) == before


def test_a_host_without_netlink_sockets_is_read_from_its_files(state: Path) -> None:
    """RestrictAddressFamilies= and container profiles refuse AF_NETLINK."""
    script = (
        'import sys, _socket\n'
        'sys.path.insert(0, "plugins")\n'
        'class Refused(_socket.socket):\n'
        '    def __init__(self, *a):\n'
        '        raise OSError(97, "Address family not supported by protocol")\n'
        'import check_neighbour\n'
        'from tablefull.frame.plugin import main\n'
        'from tablefull.readers import rtnetlink\n'
        'rtnetlink._socket = type("S", (), {**vars(_socket), "socket": Refused})\n'
        'code, text = main(check_neighbour.CHECK, ["--state-dir", sys.argv[1]])\n'
        'print(text); sys.exit(code)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', script, str(state)], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    assert 'arp_entries=' in done.stdout

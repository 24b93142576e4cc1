from __future__ import annotations

import errno
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from check_neighbour import CHECK
from tablefull.findings import neighbour_off_link
from tablefull.findings.catalogue import CATALOGUE
from tablefull.frame.plugin import main
from tablefull.looks import neighbour as looks_neighbour
from tablefull.readers.files import ReadError
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.readers.links import Link
from tablefull.readers.neighbours import Neighbours
from tablefull.readers.routes import Hop, Route, Routes
from tests.unit.readers.trees import tree

FIXTURES = Path(__file__).parents[1] / 'fixtures'
LABELS = 'arp_usage arp_entries arp_overflow_rate ndp_usage ndp_entries ndp_overflow_rate unresolved off_link'.split()
HEADER = (
    'entries allocs destroys lookups hits res_failed periodic_gc_runs forced_gc_runs unresolved_discards table_fulls'
)
OLD_HEADER = HEADER.replace(' table_fulls', '')


def statistics(header: str = HEADER, **values: int) -> str:
    return header + '\n' + ' '.join(f'{values.get(column, 0):08x}' for column in header.split()) + '\n'


def host(path: Path, arp: str, uptime: float = 1000.0, **more: str) -> str:
    """A small healthy host with `arp` as its statistics; more files by path, '/' written as '__'."""
    return tree(
        path,
        {
            '/proc/net/stat/arp_cache': arp,
            '/proc/net/stat/ndisc_cache': statistics(entries=4),
            '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n',
            '/proc/sys/net/ipv6/neigh/default/gc_thresh3': '1024\n',
            '/proc/sys/kernel/osrelease': '6.1.0\n',
            '/proc/sys/kernel/random/boot_id': 'a-boot\n',
            '/proc/uptime': f'{uptime} 1.0\n',
            '/ip-addr.txt': '2: eth0: <BROADCAST,MULTICAST,UP> mtu 1500\n    inet 192.0.2.10/24 scope global eth0\n',
            '/ip-route.txt': 'default via 192.0.2.1 dev eth0 \n192.0.2.0/24 dev eth0 proto kernel scope link\n',
            '/ip6-route.txt': '',
            **{'/' + name.replace('__', '/'): text for name, text in more.items()},
        },
    )


class Checked:
    """One run: its exit code, its text, and what --output json says."""

    def __init__(self, root: str, state: Path, *argv: str) -> None:
        arguments = ['--root', root, '--state-dir', str(state), *argv]
        self.code, self.text = main(CHECK, arguments)

    @property
    def first(self) -> str:
        return self.text.splitlines()[0]

    @property
    def labels(self) -> list[str]:
        return [word.partition('=')[0] for word in self.first.partition('|')[2].split()]


def codes(root: str, state: Path, *argv: str) -> dict[str, str]:
    _, text = main(CHECK, ['--root', root, '--state-dir', str(state), '--output', 'json', *argv])
    found: dict[str, Any] = json.loads(text)
    return {finding['code']: finding['severity'] for finding in found['findings']}


@pytest.mark.parametrize(
    'case, code, sentence',
    [
        ('D0-proxyarp-healthy', 0, 'ARP 3 of 1024'),
        ('D1-proxyarp-default-dev-below', 2, 'default route on eth0 has no gateway'),
        ('D2-proxyarp-arp-overflow', 2, 'IPv4 neighbour table (ARP) overflowed'),
        ('D3-proxyarp-ndisc-overflow', 2, 'overflowed'),
        ('D5-proxyarp-permanent-above-thresh3', 2, ''),
        ('A0-clean-host', 0, 'no default gateway'),
        ('A8-netns-seen-inside-6.1', 3, 'no neighbour table can be seen here'),
    ],
)
def test_a_captured_tree_gets_the_verdict_of_an_operator(tmp_path: Path, case: str, code: int, sentence: str) -> None:
    checked = Checked(str(FIXTURES / case), tmp_path)
    assert checked.code == code
    assert sentence in checked.first


def test_permanent_entries_do_not_fill_the_table(tmp_path: Path) -> None:
    root = str(FIXTURES / 'D5-proxyarp-permanent-above-thresh3')
    checked = Checked(root, tmp_path)
    assert 'arp_usage=39.84%;70;90 arp_entries=460;;;0;256' in checked.first
    assert 'neighbour-usage-high' not in codes(root, tmp_path)


def test_ipv6_overflows_as_ipv4_does(tmp_path: Path) -> None:
    checked = Checked(str(FIXTURES / 'D3-proxyarp-ndisc-overflow'), tmp_path, '-v')
    assert 'IPv6 neighbour table (NDP) overflowed' in checked.text


def test_labels_stand_in_the_order_of_the_contract(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=10), **{'ip-s-neigh.txt': '', 'ip-s-neigh6.txt': ''})
    Checked(root, tmp_path)
    host(tmp_path / 'root', statistics(entries=10), uptime=1060.0)
    assert Checked(root, tmp_path).labels == LABELS


@pytest.mark.parametrize(
    'entries, code', [(716, 0), (717, 1), (921, 1), (922, 2), (1024, 2)], ids=['69.9', '70.02', '89.9', '90.04', '100']
)
def test_usage_is_judged_by_the_thresholds(tmp_path: Path, entries: int, code: int) -> None:
    assert Checked(host(tmp_path / 'root', statistics(entries=entries)), tmp_path).code == code


def test_a_captured_tree_is_not_told_to_allow_netlink(tmp_path: Path) -> None:
    text = Checked(str(FIXTURES / 'A8-netns-seen-inside-6.1'), tmp_path, '-v').text
    assert 'af_netlink' not in text.lower()
    assert 'capture the tree on the host' in text


def test_no_group_is_recommended_where_there_is_no_kernel_log(tmp_path: Path) -> None:
    text = Checked(str(FIXTURES / '2.6.18-rhel5-healthy'), tmp_path, '-v').text
    assert 'its log cannot be read [kernel-log-unreadable]' in text
    assert 'usermod' not in text


def test_what_was_not_told_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host(tmp_path / 'root', statistics(entries=5))
    state = tmp_path / 'state'
    Checked(root, state)
    (file,) = state.iterdir()
    before = file.read_text()
    host(tmp_path / 'root', statistics(entries=5, table_fulls=6), uptime=1060.0)

    def fail(*facts: object) -> None:
        raise ReadError('/proc/x', 'broken')

    with monkeypatch.context() as patched:
        patched.setattr(neighbour_off_link, 'judge', fail)
        assert Checked(root, state).code == 3
    assert file.read_text() == before
    assert Checked(root, state).code == 2


def test_off_link_neighbours_are_looked_for_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(neighbour_off_link, 'off_link', lambda seen: calls.append(seen) or [])
    Checked(host(tmp_path / 'root', statistics(entries=5), **{'ip-s-neigh.txt': ''}), tmp_path, '-vv')
    assert len(calls) == 1


def test_thresholds_are_ranges_and_empty_ones_are_not_given(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=1024))
    assert Checked(root, tmp_path, '-w', '100', '-c', '100').code == 0
    assert Checked(root, tmp_path, '-w', '', '-c', '').code == 2
    assert Checked(root, tmp_path, '-w', '-5x').code == 3


def test_an_overflow_between_two_runs_outranks_the_level(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=5, table_fulls=40))
    first = Checked(root, tmp_path, '-w', '100', '-c', '100')
    assert first.code == 0 and 'neighbour-overflowed-before' in first.text
    host(tmp_path / 'root', statistics(entries=5, table_fulls=46), uptime=1060.0)
    second = Checked(root, tmp_path, '-w', '100', '-c', '100')
    assert second.code == 2
    assert 'arp_overflow_rate=0.1;;;0' in second.first
    assert 'table_fulls +6 in 60 s' in second.text


def test_an_overflow_alerts_for_since_and_not_for_one_run(tmp_path: Path) -> None:
    root = str(tmp_path / 'root')
    verdicts = []
    for uptime, fulls in ((1000, 0), (1060, 6), (1120, 6), (1800, 6), (2200, 6), (2900, 6)):
        host(tmp_path / 'root', statistics(entries=5, table_fulls=fulls), uptime=uptime)
        verdicts.append(Checked(root, tmp_path).code)
    assert verdicts == [0, 2, 2, 2, 0, 0]


def test_a_reboot_is_no_overflow(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(table_fulls=4000), uptime=90000)
    Checked(root, tmp_path)
    host(tmp_path / 'root', statistics(), uptime=60, proc__sys__kernel__random__boot_id='another\n')
    assert Checked(root, tmp_path).code == 0


def test_an_old_kernel_probably_overflows(tmp_path: Path) -> None:
    more = {'proc__sys__kernel__osrelease': '3.10.0-1160.el7.x86_64\n'}
    root = host(tmp_path / 'root', statistics(OLD_HEADER, entries=1024, forced_gc_runs=7), **more)
    Checked(root, tmp_path, '-c', '100')
    host(tmp_path / 'root', statistics(OLD_HEADER, entries=1024, forced_gc_runs=9), uptime=1060.0, **more)
    checked = Checked(root, tmp_path, '-c', '100', '-v')
    assert checked.code == 2
    assert 'neighbour-table-full-probable' in checked.text
    assert 'arp_overflow_rate' not in checked.labels


def test_an_old_kernel_counts_permanent_entries(tmp_path: Path) -> None:
    lines = ''.join(f'10.88.0.{number} dev eth0 lladdr 02:00:00:00:00:01 PERMANENT\n' for number in range(250))
    more = {'proc__sys__kernel__osrelease': '4.18.0\n', 'ip-s-neigh.txt': lines}
    root = host(tmp_path / 'root', statistics(entries=800), **more)
    assert 'arp_usage=78.12%' in Checked(root, tmp_path).first
    host(tmp_path / 'root', statistics(entries=800), **{'ip-s-neigh.txt': lines})
    assert 'arp_usage=53.71%' in Checked(root, tmp_path).first


def test_a_host_without_ipv6_has_no_ndp_labels(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=5))
    (tmp_path / 'root/proc/net/stat/ndisc_cache').unlink()
    checked = Checked(root, tmp_path)
    assert checked.code == 0
    assert not [label for label in checked.labels if label.startswith('ndp')]


@pytest.mark.parametrize('severity, code', [('ok', 0), ('warning', 1), ('critical', 2), ('unknown', 3)])
def test_missing_says_what_no_table_means(tmp_path: Path, severity: str, code: int) -> None:
    (tmp_path / 'proc').mkdir()
    assert Checked(str(tmp_path), tmp_path, '--missing', severity).code == code


def test_a_limit_that_cannot_be_seen_is_never_ok(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=5))
    (tmp_path / 'root/proc/sys/net/ipv4/neigh/default/gc_thresh3').unlink()
    assert Checked(root, tmp_path).code == 3


@pytest.mark.parametrize(
    'file, text',
    [
        ('proc__net__stat__arp_cache', ''),
        ('proc__net__stat__arp_cache', '\0\0\0'),
        ('proc__net__stat__arp_cache', 'x' * (1 << 20)),
        ('proc__sys__net__ipv4__neigh__default__gc_thresh3', 'many\n'),
        ('ip-route.txt', 'default via 192.0.2.1'),
        ('ip-route.txt', '\0|\n'),
        ('ip-addr.txt', ''),
        ('ip-s-neigh.txt', 'garbage\n'),
    ],
)
def test_damaged_input_is_unknown_with_its_path(tmp_path: Path, file: str, text: str) -> None:
    checked = Checked(host(tmp_path / 'root', statistics(entries=5), **{file: text}), tmp_path)
    assert checked.code == 3
    assert 'cannot read ' in checked.first and file.split('__')[-1] in checked.first
    assert len(checked.text) < 1024 and '\0' not in checked.text


def test_a_finding_that_is_ignored_does_not_count(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=1000), **{'ip-route.txt': 'default dev eth0\n'})
    assert set(codes(root, tmp_path)) == {'neighbour-gateway-missing', 'neighbour-usage-high'}
    assert Checked(root, tmp_path, '--ignore', 'neighbour-gateway-missing,neighbour-usage-high').code == 0


def test_verbose_output_shows_every_fact(tmp_path: Path) -> None:
    text = Checked(host(tmp_path / 'root', statistics(entries=5)), tmp_path, '-vv').text
    for line in (
        'arp entries: 5',
        'arp gc_thresh3: 1024',
        'arp table_fulls: 0',
        'route: default via 192.0.2.1 dev eth0',
    ):
        assert line in text


def test_default_output_fits_nrpe_even_when_everything_is_wrong(tmp_path: Path) -> None:
    text = Checked(str(FIXTURES / 'D3-proxyarp-ndisc-overflow'), tmp_path).text
    assert len(text.encode()) <= 1024
    assert len(text.splitlines()[0].partition(' | ')[0]) < 120
    assert text.count('|') == 1


def test_the_live_host_is_judged_without_privilege(tmp_path: Path) -> None:
    code, text = main(CHECK, ['--state-dir', str(tmp_path / 'state')])
    assert code in (0, 1, 2), text
    assert 'arp_usage=' in text


def test_the_names_of_neighbour_codes_are_in_the_catalogue() -> None:
    sources = [*(Path(__file__).parents[2] / 'plugins/tablefull/findings').glob('neighbour*.py')]
    sources.append(Path(__file__).parents[2] / 'plugins/tablefull/looks/neighbour.py')
    used = {code for source in sources for code in re.findall(r"'(neighbour-[a-z-]+)'", source.read_text())}
    used.remove('neighbour-table-overflow')  # the kernel log's name of its message
    assert used == {code for code in CATALOGUE if code.startswith('neighbour-')}


def without_tables(case: str, path: Path) -> str:
    shutil.copytree(FIXTURES / case, path)
    shutil.rmtree(path / 'proc/net/stat')
    return str(path)


def test_a_wrong_route_is_told_where_no_table_can_be_seen(tmp_path: Path) -> None:
    root = without_tables('D1-proxyarp-default-dev-below', tmp_path / 'root')
    checked = Checked(root, tmp_path / 'state')
    assert checked.code == 2
    assert 'default route on eth0 has no gateway' in checked.first
    assert not {'arp_usage', 'arp_entries', 'arp_overflow_rate', 'ndp_usage'} & set(checked.labels)
    assert codes(root, tmp_path / 'state') == {
        'neighbour-gateway-missing': 'critical',
        'neighbour-tables-missing': 'unknown',
    }
    assert codes(root, tmp_path / 'state', '--missing', 'ok')['neighbour-tables-missing'] == 'info'


def test_an_overflow_in_the_kernel_log_is_told_where_no_table_can_be_seen(tmp_path: Path) -> None:
    root = without_tables('D2-proxyarp-arp-overflow', tmp_path / 'root')
    (tmp_path / 'root/ip-route.txt').write_text('192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10\n')
    found = codes(root, tmp_path / 'state')
    assert found['neighbour-table-full'] == 'critical'
    assert found['neighbour-tables-missing'] == 'unknown'
    assert 'IPv4 neighbour table (ARP) overflowed: new neighbours refused' in Checked(root, tmp_path / 'state').first


def test_what_was_seen_without_tables_is_not_remembered_as_nothing_refused(tmp_path: Path) -> None:
    root = host(tmp_path / 'root', statistics(entries=3, table_fulls=5))
    kept = tmp_path / 'root/proc/net/stat'
    kept.rename(tmp_path / 'stat')
    assert Checked(root, tmp_path / 'state', '--missing', 'ok').code == 0
    (tmp_path / 'stat').rename(kept)
    (tmp_path / 'root/proc/uptime').write_text('1060.0 1.0\n')
    assert 'neighbour-overflowed-before' in codes(root, tmp_path / 'state')
    assert 'nothing refused' not in Checked(host(tmp_path / 'other', statistics(entries=3)), tmp_path / 'new').first


def test_a_live_host_without_netlink_and_tables_is_judged_by_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks_neighbour, 'read_tables', lambda root: [])
    monkeypatch.setattr(looks_neighbour, 'read_links', lambda root: {'eth0': Link('eth0', 2, 0x1043)})
    monkeypatch.setattr(looks_neighbour, 'read_neighbours', lambda root, links: Neighbours([], ()))
    monkeypatch.setattr(
        looks_neighbour, 'read_routes', lambda root, links: Routes([Route(bytes(4), 0, (Hop('eth0'),))], (4,))
    )
    log = KernelLog('/dev/kmsg', (Event('neighbour-table-overflow', '', 1, 'overflow', 1.0),), 1, now_seconds=2.0)
    monkeypatch.setattr('tablefull.readers.kernel_log.read_kernel_log', lambda root, since, journal: log)
    found = codes('/', tmp_path)
    assert found.pop('neighbour-not-seen') == 'info'
    assert found == {
        'neighbour-gateway-missing': 'critical',
        'neighbour-table-full': 'critical',
        'neighbour-tables-missing': 'unknown',
    }


def test_without_recorded_addresses_the_source_of_a_kernel_route_is_an_own_one(tmp_path: Path) -> None:
    routes = 'default via 192.0.2.10 dev eth0\n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10 \n'
    root = host(tmp_path / 'root', statistics(entries=3), **{'ip-route.txt': routes})
    (tmp_path / 'root/ip-addr.txt').unlink()
    checked = Checked(root, tmp_path / 'state', '-v')
    assert checked.code == 2
    assert 'default gateway 192.0.2.10 is an address of this host' in checked.first
    assert '192.0.2.10 is configured on eth0' in checked.text
    assert 'whether the gateway is an address' not in checked.text
    (tmp_path / 'root/ip-route.txt').write_text(routes.replace('via 192.0.2.10', 'via 192.0.2.1'))
    # Another own address may be none of a route's: it stays unknown.
    other = Checked(root, tmp_path / 'state', '-v')
    assert (other.code, 'whether the gateway is an address' in other.text) == (0, True)


def test_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    arp = statistics(entries=3)
    with_returns = Checked(host(tmp_path / 'a', arp.replace('\n', '\r\n')), tmp_path / 'state-a')
    assert with_returns.first == Checked(host(tmp_path / 'b', arp), tmp_path / 'state-b').first


def test_addresses_that_netlink_refuses_do_not_hide_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: str) -> None:
        raise ReadError('addresses of this host', 'Address family not supported', errno.EAFNOSUPPORT)

    root = host(tmp_path / 'root', statistics(entries=3))
    monkeypatch.setattr(looks_neighbour, 'read_addresses', refuse)
    assert Checked(root, tmp_path / 'state').code == 3
    shutil.rmtree(tmp_path / 'root/proc/net/stat')
    checked = Checked(root, tmp_path / 'state', '--missing', 'ok', '-v')
    assert (checked.code, 'whether the gateway is an address of this host' in checked.text) == (0, True)

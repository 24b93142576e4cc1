"""Each part fails alone, and hostile or damaged input ends in an object all the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import check_conntrack
import check_kernel_log
from tablefull.frame.plugin import main as check_main
from tablefull.readers.files import ReadError
from tablefull.snapshot.main import answer
from tests.golden.cases import FIXTURES
from tests.unit.readers.trees import tree
from tests.unit.test_check_conntrack import host

HEALTHY = os.path.join(FIXTURES, '6.1-debian12-healthy')
# Reader -> the object that is lost with it.
READERS = {
    'tablefull.looks.conntrack.read_conntrack': 'conntrack',
    'tablefull.looks.conntrack.read_sysctls': 'conntrack',
    'tablefull.looks.conntrack_modules.read_modules': 'modules',
    'tablefull.looks.conntrack_modules.read_owners': 'modules',
    'tablefull.looks.neighbour.read_tables': 'neighbour',
    'tablefull.looks.neighbour.read_routes': 'neighbour',
    'tablefull.looks.neighbour.read_links': 'neighbour',
    'tablefull.looks.ferm_absent.absent': 'ferm',
    'tablefull.readers.kernel_log.read_kernel_log': 'kernel_log',
}
CHECKS = {'conntrack': 'conntrack', 'modules': 'conntrack_modules', 'neighbour': 'neighbour', 'ferm': 'ferm'}
ERRORS = [
    ReadError('/proc/some/file', 'not a number'),
    OSError(errno.EIO, 'Input/output error'),
    MemoryError(),
    RecursionError('too deep'),
]


def take(root: str, state: Path, *options: str) -> dict[str, Any]:
    code, text = answer(['--root', root, '--state-dir', str(state), *options])
    assert text.isascii() and text.isprintable()
    result: dict[str, Any] = json.loads(text)
    assert code == (3 if 'error' in result else 0)
    return result


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('reader', READERS)
def test_a_part_fails_alone(reader: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    whole = take(HEALTHY, tmp_path / 'a')
    monkeypatch.setattr(reader, fail)
    broken = take(HEALTHY, tmp_path / 'b')
    lost = READERS[reader]
    assert broken[lost] == {'read': 0}
    assert lost in [entry['part'] for entry in broken['unreadable']]
    for part in ('conntrack', 'modules', 'neighbour', 'ferm', 'kernel_log'):
        if part != lost:
            assert broken[part] == whole[part], part
    assert broken['checks'][CHECKS.get(lost, lost)]['state'] == 'unknown'


def test_a_file_closed_to_this_user_names_who_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(root: str) -> None:
        raise ReadError('/proc/modules', 'Permission denied', errno.EACCES)

    monkeypatch.setattr('tablefull.looks.conntrack_modules.read_modules', fail)
    (entry,) = [entry for entry in take(HEALTHY, tmp_path)['unreadable'] if entry['part'] == 'modules']
    assert entry == {
        'part': 'modules',
        'reason': '/proc/modules: Permission denied',
        'remedy': 'ls -l /proc/modules  # as root: who may read it?',
    }


def test_a_reader_that_hangs_costs_its_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tablefull.looks.conntrack.read_conntrack', lambda root: time.sleep(20))
    began = time.monotonic()
    result = take(HEALTHY, tmp_path, '--timeout', '2')
    assert time.monotonic() - began < 5
    assert result['conntrack'] == {'read': 0}
    assert result['neighbour']['read'] == result['kernel_log']['read'] == 1


def test_a_kernel_log_that_hangs_leaves_the_counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tablefull.readers.kernel_log.read_kernel_log', lambda *arguments: time.sleep(20))
    result = take(HEALTHY, tmp_path, '--timeout', '2')
    assert result['kernel_log'] == {'read': 0}
    assert result['conntrack']['entries'] > 0


def test_a_lost_part_forgets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(host(tmp_path, 100, 990), tmp_path / 'state')
    with monkeypatch.context() as broken:
        broken.setattr('tablefull.looks.conntrack.read_conntrack', lambda root: 1 / 0)
        assert take(host(tmp_path, 130, 990), tmp_path / 'state')['conntrack'] == {'read': 0}
    result = take(host(tmp_path, 160, 1000, drop=7), tmp_path / 'state')
    assert '7 packets refused' in result['checks']['conntrack']['summary']


def test_a_loss_that_was_not_told_in_time_is_told_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(host(tmp_path, 100, 990), tmp_path / 'state')
    with monkeypatch.context() as slow:
        # It has judged and remembered, and then comes too late.
        slow.setattr('tablefull.snapshot.fields.conntrack', lambda look: time.sleep(20))
        assert take(host(tmp_path, 130, 1000, drop=7), tmp_path / 'state', '--timeout', '2')['conntrack'] == {'read': 0}
    result = take(host(tmp_path, 160, 1000, drop=7), tmp_path / 'state')
    assert '7 packets refused' in result['checks']['conntrack']['summary']


@pytest.mark.parametrize('content', ['', '{', '[]', 'null', '{"conntrack": 1, "neighbour": [], "kernel_log": "x"}'])
def test_damaged_memory_costs_only_the_rates(content: str, tmp_path: Path) -> None:
    take(host(tmp_path, 100), tmp_path / 'state')
    (state,) = (tmp_path / 'state').iterdir()
    state.write_text(content)
    result = take(host(tmp_path, 200), tmp_path / 'state')
    assert result['conntrack']['entries'] == 100
    assert 'growth' not in result['conntrack']
    assert 'growth' in take(host(tmp_path, 300), tmp_path / 'state')['conntrack']


def test_many_runs_say_what_many_runs_of_the_check_say(tmp_path: Path) -> None:
    story = [
        (100, {}, 600),
        (160, {'drop': 5}, 990),
        (220, {'drop': 5, 'early_drop': 60}, 995),
        (280, {'drop': 12, 'insert_failed': 9000, 'early_drop': 60}, 1000),
        (1000, {'drop': 12, 'insert_failed': 9000, 'early_drop': 60}, 990),
        (5000, {'drop': 12, 'insert_failed': 9000, 'early_drop': 60}, 700),
    ]
    told = set()
    for uptime, counters, entries in story:
        root = host(tmp_path, uptime, entries, **counters)
        argv = ['--root', root, '--state-dir', str(tmp_path / 'check'), '--output', 'json']
        report = json.loads(check_main(check_conntrack.CHECK, argv)[1])
        result = take(root, tmp_path / 'snapshot')
        mine = [finding for finding in result['findings'] if finding['check'] == 'conntrack']
        assert [(finding['code'], finding['summary']) for finding in mine] == [
            (finding['code'], finding['summary']) for finding in report['findings']
        ]
        assert result['conntrack'].get('full_in') == report['metrics'].get('full_in')
        told |= {finding['code'] for finding in mine}
    assert {'conntrack-table-full', 'conntrack-insert-failed', 'conntrack-early-drops'} <= told


def test_a_counter_of_the_kernel_log_goes_on_between_runs(tmp_path: Path) -> None:
    line = '6,{},{},-;nf_conntrack: nf_conntrack: table full, dropping packet\n'
    root = host(tmp_path, 100)
    for sequence in (1, 500):
        tree(Path(root), {'/kmsg': line.format(sequence, 90_000_000)})
        result = take(root, tmp_path / 'state')
        check = check_main(check_kernel_log.CHECK, ['--root', root, '--state-dir', str(tmp_path), '--output', 'json'])
        assert result['kernel_log']['lost'] == json.loads(check[1])['metrics']['lost']
    assert result['kernel_log']['lost'] == 498
    assert result['kernel_log']['messages']['conntrack_table_full']['last_age'] == 10


HOSTILE = 'x_tables: ip_tables: \x1b[2J|evil=1\u202e%s{0}\x00"\\ target: only valid in raw table, not x|y'


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    root = host(tmp_path, 100)
    tree(
        Path(root),
        {
            '/kmsg': f'6,1,90000000,-;{HOSTILE}\n',
            '/ip-route.txt': 'default via 192.0.2.1 dev ev"il\\|\x1b[0m\n',
            '/ip-s-neigh.txt': '192.0.2.1 dev ev"il\\|\x1b[0m FAILED\n',
            '/proc/sys/kernel/osrelease': '6.1.0"\\\x1b[31m\u2028\n',
            '/proc/modules': 'evil|"\\ 1 0 - Live 0x0000000000000000\n',
        },
    )
    result = take(root, tmp_path / 'state')

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                assert name.isprintable()
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)
        elif isinstance(value, str):
            assert value.isprintable() and '|' not in value

    walk(result)
    assert result['kernel_log']['messages']['xtables_rejection']['count'] == 1


def test_endless_text_is_cut(tmp_path: Path) -> None:
    root = host(tmp_path, 100)
    line = 'x_tables: ip_tables: CT target: only valid in ' + 'x' * (1 << 20)
    tree(Path(root), {'/kmsg': f'6,1,90000000,-;{line}\n'})
    assert len(json.dumps(take(root, tmp_path / 'state'))) < 20_000


def test_a_host_of_thousands_of_interfaces_fits_into_the_smallest_agent(tmp_path: Path) -> None:
    root = str(shutil.copytree(HEALTHY, tmp_path / 'root'))
    neighbours = [f'10.{n >> 8}.{n & 255}.1 dev veth{n} lladdr 02:00:00:00:00:01 REACHABLE' for n in range(3000)]
    routes = [f'default via 10.{n >> 8}.{n & 255}.1 dev veth{n} metric {n}' for n in range(100)]
    tree(Path(root), {'/ip-s-neigh.txt': '\n'.join(neighbours) + '\n', '/ip-route.txt': '\n'.join(routes) + '\n'})
    result = take(root, tmp_path / 'state')
    assert len(result['neighbour']['interfaces']) == len(result['neighbour']['gateways']) == 64
    assert result['neighbour']['interfaces_left_out'] >= 3000 - 64
    assert len(json.dumps(result)) < 100_000


def files_of(root: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(directory, name), root)
        for directory, _, names in os.walk(root)
        for name in names
        if name not in ('NOTES', 'verdict.toml') and not os.path.islink(os.path.join(directory, name))
    )


@pytest.mark.parametrize('case', ['6.1-docker-router', 'C-legacy-c05-syntax-error-reload', 'D2-proxyarp-arp-overflow'])
def test_damaged_trees_end_in_a_whole_object(case: str, tmp_path: Path) -> None:
    tree_of_case = os.path.join(FIXTURES, case)
    names = files_of(tree_of_case)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(st.sampled_from(names), st.integers(0, 2000), st.binary(max_size=12), st.integers(0, 40)),
            min_size=1,
            max_size=6,
        )
    )
    def damage(changes: list[tuple[str, int, bytes, int]]) -> None:
        root = str(tmp_path / 'root')
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tree_of_case, root, symlinks=True)
        for name, place, new, removed in changes:
            path = Path(root, name)
            data = path.read_bytes()
            place %= len(data) + 1
            path.write_bytes(data[:place] + new + data[place + removed :])
        result = take(root, tmp_path / 'state')
        assert 'error' not in result
        assert not any('internal error' in entry['reason'] for entry in result['unreadable']), result['unreadable']

    damage()


# Without these nobody knows what the numbers of most parts mean.
SHARED = ('proc/sys/kernel/osrelease', 'proc/sys/kernel/random/boot_id', 'proc/uptime', 'proc/version')


@pytest.mark.parametrize('action', ['empty', 'gone', 'directory', 'binary', 'closed'])
def test_no_single_file_is_needed(action: str, tmp_path: Path) -> None:
    actions: dict[str, Callable[[Path], object]] = {
        'empty': lambda path: path.write_bytes(b''),
        'gone': lambda path: path.unlink(),
        'directory': lambda path: (path.unlink(), path.mkdir()),
        'binary': lambda path: path.write_bytes(bytes(range(256)) * 4),
        'closed': lambda path: path.chmod(0),
    }
    for name in files_of(HEALTHY):
        root = tmp_path / 'root'
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(HEALTHY, root, symlinks=True)
        actions[action](root / name)
        result = take(str(root), tmp_path / 'state')
        assert 'error' not in result, name
        reasons = [entry['reason'] for entry in result['unreadable']]
        assert not any('internal error' in reason for reason in reasons), (name, reasons)
        parts = [result[part]['read'] for part in ('conntrack', 'modules', 'neighbour', 'ferm', 'kernel_log')]
        assert name in SHARED or sum(parts) >= 3, name

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from check_conntrack import CHECK
from tablefull.frame.plugin import main
from tests.unit.readers.test_statistics import HEADERS, statistics
from tests.unit.readers.trees import tree

SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_'
LABELS = (
    'usage entries max buckets hash_load drop_rate early_drop_rate insert_failed_rate invalid_rate '
    'search_restart_rate full_in'
).split()


def host(root: Path, uptime: float, entries: int = 100, maximum: int = 1000, **counters: int) -> str:
    return tree(
        root / 'host',
        {
            SYSCTL + 'count': f'{entries}\n',
            SYSCTL + 'max': f'{maximum}\n',
            SYSCTL + 'buckets': '1000\n',
            '/proc/net/stat/nf_conntrack': statistics(HEADERS['5.15'], {'entries': entries, **counters}),
            '/proc/sys/kernel/random/boot_id': 'a-boot\n',
            '/proc/uptime': f'{uptime} 1.0\n',
            '/kmsg': '6,1,100,-;a line\n',
        },
    )


def run(tmp_path: Path, root: str, *argv: str) -> tuple[int, str]:
    return main(CHECK, ['--root', root, '--state-dir', str(tmp_path / 'state'), *argv])


def told(tmp_path: Path, root: str, *argv: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(tmp_path, root, '--output', 'json', *argv)[1])
    return result


def test_a_first_run_has_no_rates_and_says_so(tmp_path: Path) -> None:
    code, text = run(tmp_path, host(tmp_path, 100))
    assert code == 0
    assert text == (
        'CONNTRACK OK - 100 of 1000 entries in use (10 %), no rates yet | '
        'usage=10%;80;90 entries=100;;;0;1000 max=1000 buckets=1000;;;0 hash_load=1;4;8;0'
    )


def test_a_second_run_has_rates_in_the_order_of_the_contract(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 100, 600))
    result = told(tmp_path, host(tmp_path, 400, 700, drop=30, insert_failed=30, invalid=600))
    assert list(result['metrics']) == LABELS
    assert (result['metrics']['drop_rate'], result['metrics']['invalid_rate']) == (0.1, 2.0)
    assert result['metrics']['full_in'] == 900.0


def test_refused_packets_are_critical_though_the_thresholds_are_never_reached(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 100, 990), '-w', '100', '-c', '100')
    code, text = run(tmp_path, host(tmp_path, 160, 1000, drop=7), '-w', '100', '-c', '100')
    assert code == 2
    assert text.startswith('CONNTRACK CRITICAL - connection tracking table full, 7 packets refused')


def test_the_alert_ends_with_the_loss(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 100, 990))
    run(tmp_path, host(tmp_path, 160, 1000, drop=7))
    assert run(tmp_path, host(tmp_path, 220, 10, drop=7))[0] == 0


def test_a_reboot_forgets_the_samples(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 5000, drop=900))
    root = host(tmp_path, 6000, drop=10)
    tree(Path(root), {'/proc/sys/kernel/random/boot_id': 'another-boot\n'})
    assert 'no rates yet' in run(tmp_path, root)[1]


@pytest.mark.parametrize(('usage', 'code'), [(799, 0), (800, 0), (801, 1), (900, 1), (901, 2), (2000, 2)])
def test_usage_is_judged_by_the_range(tmp_path: Path, usage: int, code: int) -> None:
    assert run(tmp_path, host(tmp_path, 100, usage))[0] == code


@pytest.mark.parametrize(
    ('argv', 'code'),
    [
        (['--entries-warning', '99'], 1),
        (['--entries-critical', '~:50'], 2),
        (['--hash-load-warning', '0.5'], 1),
        (['--hash-load-critical', '@1:1'], 2),
        (['--entries-warning', '99', '--ignore', 'conntrack-entries-high'], 0),
        (['-w', '5', '-c', ''], 1),
        (['-w', '5', '--ignore', 'conntrack-usage-high'], 0),
    ],
)
def test_every_threshold_has_its_option(tmp_path: Path, argv: list[str], code: int) -> None:
    assert run(tmp_path, host(tmp_path, 100), *argv)[0] == code


def test_early_drops_and_insert_failures_have_thresholds(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 100))
    root = host(tmp_path, 110, early_drop=5, insert_failed=200, drop=200)
    result = told(tmp_path, root)
    assert [finding['code'] for finding in result['findings']] == ['conntrack-early-drops', 'conntrack-insert-failed']
    assert result['exit_code'] == 1


@pytest.mark.parametrize(('missing', 'code'), [('ok', 0), ('warning', 1), ('critical', 2), ('unknown', 3)])
def test_what_absence_means_is_the_users_choice(tmp_path: Path, missing: str, code: int) -> None:
    root = tree(tmp_path / 'host', {'/proc/sys/kernel/osrelease': '6.1.0'})
    assert run(tmp_path, root, '--missing', missing)[0] == code
    assert run(tmp_path, root)[0] == 0


def test_a_state_that_cannot_be_kept_is_unknown_and_keeps_being_unknown(tmp_path: Path) -> None:
    root = host(tmp_path, 100)
    (tmp_path / 'state').write_text('a file where the directory should be')
    for _ in range(3):
        code, text = run(tmp_path, root)
        assert code == 3
        assert 'nothing can be remembered between runs' in text.splitlines()[0]
    assert run(tmp_path, root, '--ignore', 'state-unwritable')[0] == 0


def test_a_damaged_state_costs_one_run_its_rates_and_no_more(tmp_path: Path) -> None:
    run(tmp_path, host(tmp_path, 100))
    (state,) = (tmp_path / 'state').iterdir()
    state.write_text('{')
    assert 'state-damaged' in run(tmp_path, host(tmp_path, 160))[1]
    assert 'nothing refused' in run(tmp_path, host(tmp_path, 220))[1]


@pytest.mark.parametrize('name', ['count', 'max', 'buckets'])
@pytest.mark.parametrize('content', ['', '\0\0', 'x', '1 2', '9' * 500])
def test_garbage_is_unknown_and_names_the_file(tmp_path: Path, name: str, content: str) -> None:
    root = host(tmp_path, 100)
    tree(Path(root), {SYSCTL + name: content})
    code, text = run(tmp_path, root)
    assert code == 3
    assert f'nf_conntrack_{name}' in text


def test_garbage_statistics_are_unknown(tmp_path: Path) -> None:
    root = host(tmp_path, 100)
    tree(Path(root), {'/proc/net/stat/nf_conntrack': '\xff' * 1000})
    assert run(tmp_path, root)[0] == 3

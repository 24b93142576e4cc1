from __future__ import annotations

import errno
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import check_kernel_log
from check_kernel_log import CHECK
from tablefull.frame.plugin import main
from tablefull.readers.files import ReadError
from tests.unit.readers.trees import tree

FULL = 'nf_conntrack: nf_conntrack: table full, dropping packet'
OVERFLOW = 'neighbour: arp_cache: neighbor table overflow!'
REJECTED = 'x_tables: ip_tables: CT target: only valid in raw table, not filter'
SUPPRESSED = 'net_ratelimit: 245 callbacks suppressed'


def host(root: Path, *texts: str, first: int = 0, uptime: float = 100.0) -> str:
    """A captured tree whose ring buffer holds `texts`, a second apart, the last one ten seconds ago."""
    start = uptime - 10 - len(texts)
    records = [f'4,{first + index},{int((start + index) * 1e6)},-;{text}' for index, text in enumerate(texts, 1)]
    boot = f'6,{first},{int(start * 1e6)},-;Linux version 6.1.0'
    return tree(
        root,
        {
            '/kmsg': '\n'.join([boot, *records]) + '\n',
            '/proc/uptime': f'{uptime} 1.0\n',
            '/proc/sys/kernel/osrelease': '6.1.0-56-amd64\n',
        },
    )


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def run(root: str, *arguments: str) -> tuple[int, str]:
        return main(CHECK, ['--root', root, '--state-dir', str(tmp_path / 'state'), *arguments])

    return run


def test_a_quiet_log_is_healthy(tmp_path: Path, run: Any) -> None:
    assert run(host(tmp_path, 'pci 0000:00: resource')) == (
        0,
        'KERNEL LOG OK - no message about a full network table in 15 min of /kmsg | suppressed=0;;;0 lost=0;;;0',
    )


def test_a_full_table_is_critical_whatever_the_thresholds(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, *[FULL] * 10, SUPPRESSED), '-w', '1000', '-c', '1000')
    assert code == 2
    assert output.splitlines()[0] == (
        'KERNEL LOG CRITICAL - connection tracking table full at least 255 times in 15 min: packets refused'
        ' | conntrack_table_full=10;1000;1000;0 suppressed=245;;;0 lost=0;;;0'
    )


def test_labels_keep_the_order_of_the_catalogue(tmp_path: Path, run: Any) -> None:
    output = run(host(tmp_path, REJECTED, OVERFLOW, FULL))[1]
    labels = re.findall(r'(\w+)=', output.splitlines()[0].partition('|')[2])
    assert labels == ['conntrack_table_full', 'neighbour_table_full', 'xtables_rejection', 'suppressed', 'lost']


def test_an_overflow_at_level_info_is_seen(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path)
    (tmp_path / 'kmsg').write_text(f'6,1,95000000,-;{OVERFLOW}\n7,2,95000001,-;{FULL}\n')
    assert run(root)[1].count('critical: ') == 2


def test_an_alert_stays_for_the_time_asked_for_and_not_longer(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, FULL)
    assert [run(root)[0], run(root)[0]] == [2, 2]
    (tmp_path / 'proc/uptime').write_text('1000.0 1.0')
    assert run(root)[0] == 0
    assert run(root, '--since', '1h')[0] == 2


def test_with_new_the_same_line_never_alerts_twice(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, FULL)
    assert [run(root, '--new')[0], run(root, '--new')[0]] == [2, 0]
    host(tmp_path, FULL, 'noise', FULL)
    code, output = run(root, '--new')
    assert code == 2 and 'conntrack_table_full=1;' in output
    assert run(root, '--new')[1].startswith('KERNEL LOG OK - no new message')
    assert run(root)[0] == 2  # unless asked


def test_two_selections_do_not_take_lines_from_each_other(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, FULL, REJECTED)
    assert run(root, '--new', '--only', 'xtables-rejection')[0] == 1
    assert run(root, '--new', '--only', 'conntrack-table-full')[0] == 2
    assert run(root, '--new')[0] == 2


def test_records_lost_between_two_runs_are_measured_and_said(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, 'noise')
    run(root)
    code, output = run(host(tmp_path, 'noise', first=50))
    assert (code, 'lost=48;' in output, '48 kernel log records overwritten' in output) == (0, True, True)


def test_only_and_ignore_choose_by_finding_code(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, FULL, REJECTED)
    assert run(root, '--only', 'xtables-rejection')[0] == 1
    assert 'conntrack_table_full' not in run(root, '--only', 'xtables-rejection')[1]
    assert run(root, '--ignore', 'conntrack-table-full')[0] == 1
    assert run(root, '--only', 'neighbour-table-full')[0] == 0


def test_a_code_that_no_message_has_is_an_error_and_not_silence(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, FULL), '--only', 'conntrack-usage-high')
    assert code == 3 and output.startswith('KERNEL LOG UNKNOWN - --only takes conntrack-table-full, ')


def test_suppressed_messages_alone_stay_ok_and_are_said(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, SUPPRESSED), '-w', '0', '-c', '0')
    assert code == 0 and 'info: 245 kernel messages suppressed' in output


def test_a_threshold_on_lines_raises(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, REJECTED, REJECTED)
    assert [run(root, '-c', limit)[0] for limit in ('1', '2')] == [2, 1]


def test_a_record_of_user_space_is_never_believed(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path)
    (tmp_path / 'kmsg').write_text(f'12,1,95000000,-;{FULL}\n28,2,95000001,-;{OVERFLOW}\n')
    assert run(root)[0] == 0


@pytest.mark.parametrize(('missing', 'code'), [('ok', 0), ('warning', 1), ('critical', 2), ('unknown', 3), ('', 3)])
def test_no_kernel_log_is_what_missing_says(tmp_path: Path, run: Any, missing: str, code: int) -> None:
    (tmp_path / 'proc').mkdir()
    assert run(str(tmp_path), '--missing', missing)[0] == code


def test_a_named_file_that_is_not_there_is_unknown(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, FULL), '--file', '/var/log/kern.log')
    assert (code, 'there is no log file /var/log/kern.log' in output) == (3, True)


def test_a_named_file_is_read_instead_of_the_ring(tmp_path: Path, run: Any) -> None:
    root = host(tmp_path, FULL)
    tree(tmp_path, {'/var/log/kern.log': f'Nov 21 10:21:11 lab kernel: [    1.0] {REJECTED}\n'})
    assert run(root, '--file', '/var/log/kern.log')[0] == 1


def test_a_closed_log_is_unknown_with_the_line_that_opens_it(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise ReadError('/dev/kmsg', 'Operation not permitted', errno.EPERM)

    monkeypatch.setattr(check_kernel_log, 'read_kernel_log', refuse)
    monkeypatch.setattr('os.geteuid', lambda: 65534)
    (tmp_path / 'proc').mkdir()
    code, output = run(str(tmp_path))
    assert code == 3
    assert output.startswith('KERNEL LOG UNKNOWN - the kernel log is closed to user nobody')
    assert re.search(r'do: (usermod -aG |sysctl -w )', output)


def test_an_unusable_log_is_unknown(tmp_path: Path, run: Any) -> None:
    code, output = run(tree(tmp_path, {'/kmsg': 'garbage'}))
    assert (code, output) == (3, 'KERNEL LOG UNKNOWN - cannot read /kmsg: holds no record of the kernel log')


def test_a_hostile_line_is_told_without_harm(tmp_path: Path, run: Any) -> None:
    hostile = r'x_tables: ip_tables: \x1b[2J|evil=1\xe2\x80\xae%s{0} target: only valid in raw table, not x|y'
    code, output = run(host(tmp_path, hostile), '-v')
    assert code == 1
    assert output.splitlines()[0].count('|') == 1 and all(line.isprintable() for line in output.splitlines())
    assert '\n'.join(output.splitlines()[1:]).count('|') == 0


def test_a_line_of_a_mebibyte_is_told_in_short(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, 'x_tables: ip_tables: CT target: only valid in ' + 'x' * (1 << 20)))
    assert code == 1
    assert len(output) <= 1000 and len(output.splitlines()[0].partition(' | ')[0]) < 120


def test_json_carries_the_same(tmp_path: Path, run: Any) -> None:
    code, output = run(host(tmp_path, FULL), '--output', 'json')
    answer = json.loads(output)
    assert (code, answer['exit_code'], answer['state']) == (2, 2, 'critical')
    assert answer['metrics'] == {'conntrack_table_full': 1, 'suppressed': 0, 'lost': 0}
    assert answer['findings'][0]['evidence'][0] == FULL


def test_every_fact_is_told_when_asked_for(tmp_path: Path, run: Any) -> None:
    output = run(host(tmp_path, FULL), '-vv')[1]
    assert 'source: /kmsg' in output and '10 seconds ago: ' + FULL in output


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=8)), max_size=8))
def test_a_mutated_log_ends_in_a_state_and_never_in_a_traceback(
    tmp_path: Path, run: Any, changes: list[tuple[int, bytes]]
) -> None:
    root = host(tmp_path, FULL, SUPPRESSED, REJECTED)
    data = (tmp_path / 'kmsg').read_bytes()
    for place, change in changes:
        data = data[:place] + change + data[place + len(change) // 2 :]
    (tmp_path / 'kmsg').write_bytes(data)
    code, output = run(root)
    assert code in (0, 1, 2, 3)
    assert 'internal error' not in output
    assert all(line.isprintable() for line in output.splitlines())


@pytest.mark.parametrize('age, end', [(3 * 3600, '; its last line is 3 h old'), (60, '')])
def test_a_log_file_that_went_silent_says_so(tmp_path: Path, run: Any, age: int, end: str) -> None:
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(time.time() - age))
    file = tmp_path / 'kern.log'
    file.write_text(f'{stamp} lab kernel: [    1.0] pci 0000:00: resource\n')
    code, output = run('/', '--file', str(file), '--output', 'json')
    assert code == 0
    assert json.loads(output)['summary'].endswith(f'in 15 min of {file}{end}')

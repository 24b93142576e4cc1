from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from check_conntrack_modules import CHECK
from tablefull.frame.plugin import main
from tests.unit.findings.test_modules import BOOT, FLUSHED, LISTED, MASQUERADE, OLD
from tests.unit.readers.trees import tree

COUNT = '/proc/sys/net/netfilter/nf_conntrack_count'
MAX = '/proc/sys/net/netfilter/nf_conntrack_max'


def host(path: Path, modules: str | None, entries: int | None = None, release: str = '6.1.0') -> str:
    """A tree of a host with these lines in /proc/modules, or without the file."""
    content: dict[str, str | bytes] = {'/proc/sys/kernel/osrelease': f'{release}\n', '/proc/sys/net/core/x': '1\n'}
    if modules is not None:
        content['/proc/modules'] = modules
    if entries is not None:
        content.update({COUNT: f'{entries}\n', MAX: '65536\n'})
    return tree(path, content)


def run(root: str, *options: str) -> tuple[int, str]:
    code, text = main(CHECK, ['--root', root, *options])
    return code, text.split('\n')[0]


@pytest.mark.parametrize(
    ('modules', 'entries', 'code', 'sentence'),
    [
        ('', None, 0, 'no module for connection tracking, NAT or tables is loaded'),
        (BOOT, None, 0, 'no module for connection tracking, NAT or tables is loaded'),
        (LISTED, None, 1, 'an unexpected module is loaded: iptable_filter'),
        (FLUSHED, 0, 1, 'NAT is left behind, no rule uses it: iptable_nat, xt_MASQUERADE, nf_nat (+1 more)'),
        (FLUSHED, 21, 1, 'NAT is left behind, no rule uses it: iptable_nat, xt_MASQUERADE, nf_nat (+1 more)'),
        (MASQUERADE, 21, 2, 'connection tracking is active but not expected here: 21 entries (+1 more)'),
        (None, 0, 0, 'connection tracking is compiled into this kernel and tracks nothing here'),
        (None, 5, 2, 'connection tracking, compiled in, is active but not expected here: 5 entries'),
    ],
)
def test_the_first_line_tells_what_an_operator_would(
    tmp_path: Path, modules: str | None, entries: int | None, code: int, sentence: str
) -> None:
    state, line = run(host(tmp_path, modules, entries))
    assert state == code and line.split(' - ')[1].split(' | ')[0] == sentence


def test_the_perfdata_have_their_order(tmp_path: Path) -> None:
    _, line = run(host(tmp_path, FLUSHED, 21))
    assert line.split(' | ')[1] == 'modules=6;;;0 unexpected=6;0;;0 entries=21;;;0;65536'


def test_without_tracking_there_are_no_entries(tmp_path: Path) -> None:
    _, line = run(host(tmp_path, BOOT))
    assert line.endswith('| modules=0;;;0 unexpected=0;0;;0 entries=0;;;0')


def test_a_hidden_count_is_left_out_of_the_perfdata(tmp_path: Path) -> None:
    state, line = run(host(tmp_path, FLUSHED))
    assert state == 1 and 'entries=' not in line


def test_an_old_kernel_tracks_as_soon_as_the_module_is_there(tmp_path: Path) -> None:
    assert run(host(tmp_path, OLD, 0, '2.6.32-754.el6.x86_64'))[0] == 2


def test_a_host_that_needs_tracking_says_so(tmp_path: Path) -> None:
    root = host(tmp_path, MASQUERADE, 21)
    assert run(root, '--expect', 'loaded')[0] == 0
    assert run(root, '--allow', 'nf_*,iptable_*,xt-MASQUERADE')[0] == 0


def test_tracking_that_is_expected_and_absent_is_missing(tmp_path: Path) -> None:
    root = host(tmp_path, BOOT)
    assert run(root, '--expect', 'loaded')[0] == 2
    assert run(root, '--expect', 'loaded', '--missing', 'warning')[0] == 1
    assert run(root, '--expect', 'loaded', '--missing', 'ok')[0] == 0
    assert run(root, '--missing', 'critical')[0] == 0


def test_so_many_unexpected_modules_can_be_let_pass(tmp_path: Path) -> None:
    root = host(tmp_path, LISTED)
    assert run(root, '-w', '1')[0] == 0
    assert run(root, '-c', '0')[0] == 2
    assert run(root, '-w', '')[0] == 1


def test_a_finding_can_be_ignored(tmp_path: Path) -> None:
    root = host(tmp_path, LISTED)
    assert run(root, '--ignore', 'modules-unexpected')[0] == 0


def test_blocking_is_judged_only_on_demand(tmp_path: Path) -> None:
    root = host(tmp_path, BOOT)
    tree(tmp_path, {'/etc/modprobe.d/x.conf': 'blacklist nf_conntrack\n'})
    assert run(root)[0] == 0
    assert run(root, '--require-blocked', 'nf_conntrack')[0] == 1
    tree(tmp_path, {'/etc/modprobe.d/x.conf': 'install nf_conntrack /bin/false\n'})
    assert run(root, '--require-blocked', 'nf_conntrack')[0] == 0


@pytest.mark.parametrize('modules', ['nf_conntrack 18841', 'garbage\n', '\x00\n', '<html></html>\n', '\xff\n'])
def test_garbage_is_unknown_and_never_healthy(tmp_path: Path, modules: str) -> None:
    state, line = run(host(tmp_path, modules))
    assert state == 3 and line.startswith('CONNTRACK MODULES UNKNOWN - cannot read /proc/modules')


def test_a_tree_without_proc_is_unknown(tmp_path: Path) -> None:
    assert run(str(tmp_path))[0] == 3


def test_everything_read_is_told_twice_verbose(tmp_path: Path) -> None:
    code, text = main(CHECK, ['--root', host(tmp_path, FLUSHED, 21), '-vv'])
    assert code == 1 and 'tracking: leftover' in text and 'nat module: ' in text


def test_the_default_output_is_short_whatever_is_loaded(tmp_path: Path) -> None:
    many = ''.join(f'nf_nat_{"x" * 40}{index} 9 1 - Live 0x0\n' for index in range(500))
    users = ','.join(line.split()[0] for line in many.splitlines())
    text = f'{many}nf_conntrack 9 500 {users}, Live 0x0\n'
    code, output = main(CHECK, ['--root', host(tmp_path, text, 9)])
    assert code == 2 and len(output.encode()) <= 1024


def test_json_carries_the_same(tmp_path: Path) -> None:
    code, text = main(CHECK, ['--root', host(tmp_path, MASQUERADE, 21), '--output', 'json'])
    result: dict[str, Any] = json.loads(text)
    assert (code, result['state']) == (2, 'critical')
    assert result['metrics'] == {'modules': 6, 'unexpected': 6, 'entries': 21}
    assert [finding['code'] for finding in result['findings']] == ['modules-tracking', 'modules-unexpected']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_mutated_files_end_in_a_state_with_a_reason(tmp_path: Path, data: st.DataObject) -> None:
    mutated: dict[str, str | bytes] = {}
    for path, text in (('/proc/modules', FLUSHED), (COUNT, '21\n'), ('/etc/modprobe.d/x.conf', 'install a b\n')):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 9))
        mutated[path] = text[:at].encode() + data.draw(st.binary(max_size=6)) + text[at + cut :].encode()
    root = tree(tmp_path, {'/proc/sys/kernel/osrelease': '6.1.0\n', MAX: '65536\n', **mutated})
    code, text = main(CHECK, ['--root', root])
    assert code in (0, 1, 2, 3) and 'internal error' not in text and text.startswith('CONNTRACK MODULES ')

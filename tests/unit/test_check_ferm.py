"""check_ferm from its command line to its output, on small trees."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from check_ferm import CHECK
from tablefull.frame.plugin import main
from tablefull.looks import ferm as looks_ferm
from tablefull.readers import ferm_presence, programs, systemd
from tablefull.readers.ferm import Configuration, Settings
from tests.unit.readers.test_ferm import CONFIGURATION, SETTINGS
from tests.unit.readers.test_systemd import FAILED_RELOAD, gone, program
from tests.unit.readers.trees import tree

HEALTHY = FAILED_RELOAD.replace('ReloadResult=exit-code', 'ReloadResult=success')
FAILED = HEALTHY.replace('=active', '=failed').replace('Result=success\nRel', 'Result=exit-code\nRel', 1)
FAILED = FAILED.replace('ExecMainStatus=0', 'ExecMainStatus=1')
LOADED = """\
nf_tables 307200 0 - Live 0x0000000000000000
xt_CT 16384 4 - Live 0x0000000000000000
xt_tcpudp 20480 12 - Live 0x0000000000000000
xt_conntrack 16384 4 - Live 0x0000000000000000
nf_conntrack 188416 2 xt_CT,xt_conntrack, Live 0x0000000000000000
ip_tables 36864 1 iptable_filter, Live 0x0000000000000000
iptable_filter 16384 1 - Live 0x0000000000000000
x_tables 61440 5 xt_CT,xt_tcpudp,xt_conntrack,iptable_filter,ip_tables, Live 0x0000000000000000
"""
FLUSHED = LOADED.replace(' 12 - ', ' 0 - ').replace(' 4 - ', ' 0 - ')
KMSG = '6,445,18663134,-;x_tables: ip_tables: CT target: only valid in raw table, not filter\n'
OLD_KMSG = '6,445,100,-;x_tables: ip_tables: REDIRECT target: only valid in nat table, not filter\n'
JOURNAL = """\
Nov 21 10:20:52.016244 lab ferm[271]: iptables-restore: line 15 failed
Nov 21 10:20:52.318512 lab ferm[268]: Firewall rules rolled back.
"""
RULES = '*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport {} -j ACCEPT\nCOMMIT\n'


def host(directory: Path, **changes: str | None) -> str:
    """A captured tree of a healthy host; `changes` replaces files by keyword, None removes one."""
    files: dict[str, str | None] = {
        'unit': HEALTHY,
        'settings': SETTINGS,
        'configuration': CONFIGURATION,
        'modules': LOADED,
        'uptime': '329.05 1.00\n',
        **changes,
    }
    paths = {
        'unit': '/systemctl-show-ferm.txt',
        'settings': '/etc/default/ferm',
        'configuration': '/etc/ferm/ferm.conf',
        'modules': '/proc/modules',
        'uptime': '/proc/uptime',
        'kmsg': '/kmsg',
        'journal': '/journal-ferm.txt',
        'modprobe': '/etc/modprobe.d/no-conntrack.conf',
        'lines': '/ferm-lines.txt',
        'saved': '/iptables-legacy-save.txt',
        'nftables': '/etc/systemd/system/sysinit.target.wants/nftables.service',
    }
    present = {paths[name]: content for name, content in files.items() if content is not None}
    return tree(directory, {'/proc/sys/kernel/osrelease': '6.1.0\n', **present})


def run(root: str, *arguments: str) -> tuple[int, list[str]]:
    code, text = main(CHECK, ['--root', root, *arguments])
    return code, text.splitlines()


def codes(root: str, *arguments: str) -> dict[str, str]:
    report = json.loads(main(CHECK, ['--root', root, '--output', 'json', *arguments])[1])
    return {finding['code']: finding['severity'] for finding in report['findings']}


def test_a_healthy_oneshot_is_ok_and_tells_its_age(tmp_path: Path) -> None:
    code, lines = run(host(tmp_path))
    assert code == 0
    assert lines == [
        'FERM OK - loaded 4 min ago without error; some rules are in use, not compared (--verify-rules) | age=299s;;;0'
    ]


def test_a_failed_start_stands_beside_the_line_of_the_kernel(tmp_path: Path) -> None:
    root = host(tmp_path, unit=FAILED, modules=FLUSHED, kmsg=OLD_KMSG + KMSG, journal=JOURNAL, uptime='30.0 1.0\n')
    code, lines = run(root)
    assert code == 2
    assert lines[0].startswith(
        'FERM CRITICAL - ferm failed to start: CT target: only valid in raw table, not filter; no rules are loaded'
    )
    assert 'age=' not in lines[0]


def test_without_uptime_the_line_of_the_kernel_is_found_all_the_same(tmp_path: Path) -> None:
    root = host(tmp_path, unit=FAILED, modules=FLUSHED, kmsg=OLD_KMSG + KMSG, journal=JOURNAL, uptime=None)
    assert 'failed to start: CT target: only valid in raw table, not filter' in run(root)[1][0]


def test_a_refusal_of_another_time_is_not_the_reason(tmp_path: Path) -> None:
    unit = FAILED.replace('TimestampMonotonic=', 'TimestampMonotonic=9')
    lines = run(host(tmp_path, unit=unit, kmsg=KMSG, journal=JOURNAL, uptime='98765432.0 1.0\n'))[1]
    assert 'only valid' not in '\n'.join(lines)
    assert 'iptables-restore: line 15 failed' in lines[0]


def test_a_module_kept_out_by_modprobe_is_named(tmp_path: Path) -> None:
    blocked = {'modprobe': 'install nf_conntrack /bin/false\n', 'modules': 'x_tables 1 0 - Live 0x0\n'}
    assert codes(host(tmp_path, unit=FAILED, **blocked))['ferm-module-blocked'] == 'warning'
    # While it is loaded, the line is not what stood in the way.
    assert 'ferm-module-blocked' not in codes(host(tmp_path, unit=FAILED, modprobe=blocked['modprobe']))


def test_flushed_rules_show_in_use_counts_that_everybody_may_read(tmp_path: Path) -> None:
    assert codes(host(tmp_path, modules=FLUSHED)) == {'ferm-rules-gone': 'critical'}


def test_recorded_rules_are_compared_without_being_asked_for(tmp_path: Path) -> None:
    root = host(tmp_path, lines=RULES.format('ssh'), saved=RULES.format(23))
    assert codes(root) == codes(root, '--verify-rules')
    assert codes(root) == {'ferm-rules-missing': 'critical', 'ferm-rules-added': 'warning'}


def test_after_a_failed_reload_recorded_differences_are_expected(tmp_path: Path) -> None:
    failed = {'unit': FAILED_RELOAD, 'kmsg': KMSG, 'journal': 'Nov 21 10:20:52 lab ferm[1]: Plugin failed\n'}
    # What ferm makes of the new configuration: another rule, and a stricter policy.
    saved = RULES.format(22).replace('INPUT DROP', 'INPUT ACCEPT')
    lines = RULES.format('ssh').replace('COMMIT', '-A INPUT -p tcp --dport 443 -j ACCEPT\nCOMMIT')
    root = host(tmp_path / 'rules', **failed, lines=lines, saved=saved)
    assert codes(root) == {'ferm-reload-failed': 'warning'}
    assert set(codes(root, '--verify-rules').values()) == {'warning'}
    root = host(tmp_path / 'syntax', **failed, lines='Error in x line 3:\nx <--\nno\n', saved=saved)
    assert codes(root) == {'ferm-reload-failed': 'warning'}
    root = host(tmp_path / 'flushed', **failed, lines=lines, saved='*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n')
    assert codes(root)['ferm-rules-missing'] == 'critical'


def test_recorded_rules_that_cannot_be_compared_are_no_fault_when_nobody_asked(tmp_path: Path) -> None:
    root = host(tmp_path, lines='', saved=RULES.format(23))
    assert codes(root) == {'ferm-rules-unverified': 'info'}
    assert codes(root, '--verify-rules') == {'ferm-rules-unverified': 'unknown'}


@pytest.mark.parametrize(('state', 'severity'), [('enabled', 'critical'), ('disabled', 'warning')])
def test_of_a_stopped_unit_missing_rules_are_no_second_fault(tmp_path: Path, state: str, severity: str) -> None:
    unit = HEALTHY.replace('ActiveState=active', 'ActiveState=inactive').replace('=enabled', f'={state}')
    saved = '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n'
    root = host(tmp_path, unit=unit, modules=FLUSHED, lines=RULES.format('ssh'), saved=saved)
    assert codes(root) == {'ferm-stopped': severity}
    assert codes(root, '--verify-rules') == {
        'ferm-stopped': severity,
        'ferm-rules-missing': 'info',
        'ferm-policy-differs': 'info',
    }


def test_an_incomplete_tree_is_not_a_host_without_configuration(tmp_path: Path) -> None:
    root = host(tmp_path / 'used', configuration=None)
    assert codes(root) == {'ferm-configuration-unreadable': 'info'}
    assert 'not in this tree' in '\n'.join(run(root)[1])
    # Nothing in use: that may well be the reason.
    assert codes(host(tmp_path / 'unused', configuration=None, modules=FLUSHED)) == {
        'ferm-configuration-missing': 'critical'
    }
    root = host(tmp_path / 'directory', configuration=None)
    (tmp_path / 'directory/etc/ferm').mkdir()
    assert codes(root) == {'ferm-configuration-missing': 'critical'}
    root = host(tmp_path / 'stopped', unit=HEALTHY.replace('=active', '=inactive'), configuration=None)
    assert codes(root)['ferm-configuration-missing'] == 'critical'


def test_compared_rules_are_counted(tmp_path: Path) -> None:
    code, lines = run(host(tmp_path, lines=RULES.format('ssh'), saved=RULES.format(22)), '--verify-rules')
    assert (code, lines[0].partition(' | ')[2]) == (0, 'rules=1;;;0 age=299s;;;0')
    assert 'all that ferm makes is among the 1 rules' in lines[0]


def test_a_broken_configuration_on_disk_is_a_warning_before_it_is_loaded(tmp_path: Path) -> None:
    root = host(tmp_path, lines='Error in /etc/ferm/ferm.conf line 3:\nx <--\nUnrecognized keyword: x\n')
    assert codes(root, '--verify-rules') == {'ferm-configuration-broken': 'warning'}


def test_rules_that_cannot_be_compared_are_unknown(tmp_path: Path) -> None:
    assert run(host(tmp_path), '--verify-rules')[0] == 3


def test_a_tree_without_the_state_of_the_unit_is_unknown_not_healthy(tmp_path: Path) -> None:
    code, lines = run(host(tmp_path, unit=None))
    assert (code, lines[0]) == (3, 'FERM UNKNOWN - the state of ferm.service cannot be seen')


@pytest.mark.parametrize(('missing', 'code'), [('ok', 0), ('warning', 1), ('critical', 2), ('unknown', 3), ('', 3)])
def test_not_installed_is_what_the_option_says(tmp_path: Path, missing: str, code: int) -> None:
    for root in (
        host(tmp_path / 'none', unit=None, settings=None, configuration=None),
        # Removed, not purged: the configuration stays.
        host(tmp_path / 'rest', unit='LoadState=not-found\nActiveState=inactive\n'),
    ):
        assert run(root, '--missing', missing)[0] == code
        assert codes(root, '--missing', missing).keys() == {'ferm-not-installed'}


def test_a_condition_around_the_stateful_rule_makes_gone_a_suspicion(tmp_path: Path) -> None:
    for number, text in enumerate(
        ('@if $X { mod state state NEW ACCEPT; }', '@def &f() = { mod state state NEW ACCEPT; }')
    ):
        root = host(tmp_path / str(number), modules=FLUSHED, configuration=text)
        assert codes(root) == {'ferm-rules-suspect': 'warning'}


def test_an_age_outside_the_range_is_judged_only_when_asked_for(tmp_path: Path) -> None:
    root = host(tmp_path)
    assert codes(root) == {}
    assert codes(root, '-w', '200') == {'ferm-age': 'warning'}
    assert codes(root, '-w', '86400:', '-c', '3600:') == {'ferm-age': 'critical'}
    assert codes(root, '-w', '200', '--ignore', 'ferm-age') == {}
    code, lines = run(root, '--warning', '600:', '--critical', '60:')
    assert (code, lines[0]) == (1, 'FERM WARNING - ferm last loaded its rules 4 min ago | age=299s;600:;60:;0')


def test_an_ignored_finding_does_not_count(tmp_path: Path) -> None:
    root = host(tmp_path, modules=FLUSHED)
    assert run(root, '--ignore', 'ferm-rules-gone')[0] == 0


def test_nftables_beside_ferm_is_mentioned(tmp_path: Path) -> None:
    assert codes(host(tmp_path, nftables='')) == {'ferm-nftables-enabled': 'info'}


def test_every_fact_is_shown_when_asked_for(tmp_path: Path) -> None:
    text = '\n'.join(run(host(tmp_path), '-vv')[1])
    assert 'active_state: active' in text and 'extensions:' in text


@pytest.mark.parametrize('name', ['unit', 'settings', 'configuration', 'modules'])
def test_garbage_in_any_file_is_never_healthy(tmp_path: Path, name: str) -> None:
    for content in ('\0\0\0', '\x7fELF\0'):
        code, lines = run(host(tmp_path, **{name: content}))
        assert code == 3 or 'cannot be seen' in lines[0], lines


def test_hostile_words_of_a_unit_cannot_forge_a_line_or_perfdata(tmp_path: Path) -> None:
    unit = HEALTHY.replace('ActiveState=active', 'ActiveState=x\x1b[2J | age=0s').replace('enabled', 'a|b\x07')
    code, lines = run(host(tmp_path, unit=unit))
    assert code == 3
    assert not any('\x1b' in line or '\x07' in line for line in lines)
    assert lines[0].count('|') <= 1


def test_a_journal_of_hostile_lines_stays_text(tmp_path: Path) -> None:
    journal = 'Nov 21 10:20:52 lab ferm[1]: iptables-restore: line 1 failed | x=1 \x1b]0;title\x07\n' * 50
    code, lines = run(host(tmp_path, unit=FAILED, journal=journal))
    assert code == 2
    assert all(line.isprintable() for line in lines)
    assert lines[0].count('|') <= 1


def live(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """The host itself, with programs and a systemd of our own."""
    monkeypatch.setattr(programs, '_DIRECTORIES', (str(directory),))
    monkeypatch.setattr(systemd, 'BOOTED', str(directory))
    monkeypatch.setattr(ferm_presence, 'installed', lambda root: True)


def test_a_systemctl_that_hangs_is_a_timeout_and_leaves_no_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live(monkeypatch, tmp_path)
    program(tmp_path, 'systemctl', f'echo $$ > {tmp_path}/number\nexec /bin/sleep 60\n')
    code, text = main(CHECK, ['--timeout', '0.5'])
    assert (code, text) == (3, 'FERM UNKNOWN - no answer within 0.5 s (--timeout)')
    assert gone(int((tmp_path / 'number').read_text()))


def test_on_a_live_host_a_file_newer_than_the_last_load_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live(monkeypatch, tmp_path)
    unit = HEALTHY.replace('StateChangeTimestampMonotonic=29052412', 'StateChangeTimestampMonotonic=1')
    program(tmp_path, 'systemctl', f"/bin/cat <<'EOT'\n{unit}EOT\n")
    newest = tmp_path / 'ferm.conf'
    newest.write_text('')
    configuration = Configuration(True, (str(newest), os.stat(newest).st_mtime), (str(newest),))
    monkeypatch.setattr(looks_ferm, 'read_configuration', lambda root: configuration)
    monkeypatch.setattr(looks_ferm, 'read_settings', lambda root: Settings(True, 'yes'))
    report = json.loads(main(CHECK, ['--output', 'json'])[1])
    assert 'ferm-configuration-newer' in {finding['code'] for finding in report['findings']}

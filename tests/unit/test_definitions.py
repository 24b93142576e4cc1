"""`tablefull templates`: the definitions with the paths of the installation that writes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tablefull import definitions
from tablefull.command import answer
from tablefull.definitions import Places, adapted, only_root_writes, places, write

TEMPLATES = Path(__file__).parents[2] / 'templates'
HOME = Places('/home/op/venv/bin', '/home/op/venv/bin')
PACKAGE = Places('/usr/lib64/nagios/plugins', '/usr/bin', '/usr/bin/tablefull snapshot')
ALL = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob('*') if path.is_file())


def program(directory: Path, name: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).touch(mode=0o755)
    return directory / name


def test_every_definition_is_listed() -> None:
    assert answer(['templates']) == (0, '\n'.join(ALL))


@pytest.mark.parametrize('name', ALL)
@pytest.mark.parametrize('where', [HOME, PACKAGE], ids=['venv', 'package'])
def test_no_path_of_the_readme_is_left(name: str, where: Places) -> None:
    text = adapted((TEMPLATES / name).read_text(), where)
    assert '/opt/tablefull/bin' not in text
    assert '/usr/lib/nagios/plugins' not in text


def test_the_installation_of_the_readme_gets_what_the_project_has() -> None:
    for name in ALL:
        text = (TEMPLATES / name).read_text()
        same = adapted(text, Places('/usr/lib/nagios/plugins', '/opt/tablefull/bin')) == text
        # A Zabbix agent needs no links to the checks, so its file does not rely on them.
        assert same == (name != 'zabbix/tablefull.conf'), name


def test_every_daemon_finds_the_checks_where_its_constant_does_not_lead() -> None:
    texts = {name: adapted((TEMPLATES / name).read_text(), HOME) for name in ALL}
    assert '[ "/home/op/venv/bin/check_ferm" ]' in texts['icinga2/tablefull-commands.conf']
    assert '/home/op/venv/bin/check_ferm --warning' in texts['nagios/tablefull-commands.cfg']
    assert '"command": "/home/op/venv/bin/check_ferm"' in texts['director/tablefull-basket.json']
    assert ']=/home/op/venv/bin/check_ferm' in texts['nrpe/tablefull.cfg']
    assert ',/home/op/venv/bin/python3 -IS /home/op/venv/bin/tablefull-snapshot $1' in texts['zabbix/tablefull.conf']
    for text in texts.values():
        assert not re.search(r'PluginDir \+ "/check_|\$USER1\$/check_|"command": "check_', text)


def test_a_package_has_command_and_checks_in_different_places() -> None:
    text = adapted((TEMPLATES / 'zabbix' / 'tablefull.conf').read_text(), PACKAGE)
    assert ',/usr/bin/tablefull snapshot $1' in text
    assert ',/usr/lib64/nagios/plugins/check_$1 ' in text
    assert 'PluginDir + "/check_ferm"' in adapted((TEMPLATES / 'icinga2/tablefull-commands.conf').read_text(), PACKAGE)


def test_a_path_that_contains_another_one_is_put_in_once() -> None:
    where = Places('/x/usr/lib/nagios/plugins', '/x')
    assert adapted('/usr/lib/nagios/plugins/check_ferm', where) == '/x/usr/lib/nagios/plugins/check_ferm'


def test_checks_beside_the_command_are_its_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / 'other'
    program(other, 'check_conntrack')
    monkeypatch.setattr(definitions, 'PLUGIN_DIRECTORIES', (str(other),))
    program(tmp_path / 'venv', 'check_conntrack')
    program(tmp_path / 'venv', 'tablefull-snapshot')
    (tmp_path / 'tablefull').symlink_to(program(tmp_path / 'venv', 'tablefull'))
    # As pipx links it; the plugins of a package of the same host are others.
    assert places(str(tmp_path / 'tablefull')) == (f'{tmp_path}/venv', f'{tmp_path}/venv', '')


def test_links_to_the_checks_in_the_plugin_directory_are_how_daemons_know_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / 'plugins'
    plugins.mkdir()
    (plugins / 'check_conntrack').symlink_to(program(tmp_path / 'venv', 'check_conntrack'))
    monkeypatch.setattr(definitions, 'PLUGIN_DIRECTORIES', (str(plugins),))
    program(tmp_path / 'venv', 'tablefull-snapshot')
    assert places(str(tmp_path / 'venv' / 'tablefull')) == (str(plugins), f'{tmp_path}/venv', '')


def test_a_package_has_its_checks_in_the_plugin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / 'plugins', 'check_conntrack')
    monkeypatch.setattr(definitions, 'PLUGIN_DIRECTORIES', (f'{tmp_path}/plugins',))
    found = places(str(program(tmp_path / 'bin', 'tablefull')))
    assert found == (f'{tmp_path}/plugins', f'{tmp_path}/bin', f'{tmp_path}/bin/tablefull snapshot')


def test_the_user_may_know_better(tmp_path: Path) -> None:
    assert places(str(tmp_path / 'tablefull'), '/elsewhere').plugins == '/elsewhere'


def test_they_are_written_below_a_new_directory(tmp_path: Path) -> None:
    status, _ = answer(['templates', '--write', str(tmp_path / 'new' / 'place'), '--plugins', '/usr/bin'])
    assert status == 0
    written = tmp_path / 'new' / 'place'
    found = {path.relative_to(written).as_posix() for path in written.rglob('*') if path.is_file()}
    assert found | {'sudoers/tablefull'} == set(ALL)
    assert ']=/usr/bin/check_neighbour\n' in (written / 'nrpe' / 'tablefull.cfg').read_text()
    assert (written / 'zabbix' / 'tablefull-7.0.yaml').stat().st_mode & 0o777 == 0o644


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / 'mine').write_text('precious')
    status, text = answer(['templates', '--write', str(tmp_path)])
    assert (status, [path.name for path in tmp_path.iterdir()]) == (3, ['mine'])
    assert text.endswith('is not empty; nothing was written')


def test_root_is_not_asked_to_run_what_others_can_replace(tmp_path: Path) -> None:
    # Whoever runs the tests, /tmp is writable for all.
    program(tmp_path / 'bin', 'check_conntrack')
    lines = write(str(tmp_path / 'new'), Places(f'{tmp_path}/bin', f'{tmp_path}/bin'))
    assert not (tmp_path / 'new' / 'sudoers').exists()
    assert [line for line in lines if line.startswith('not sudoers/tablefull: others than root can write')]


def test_a_program_of_the_system_is_roots_alone(tmp_path: Path) -> None:
    assert only_root_writes('/usr/bin/env')
    assert not only_root_writes(str(tmp_path))
    assert not only_root_writes('/nonexistent')


def test_what_cannot_be_written_is_said() -> None:
    status, text = answer(['templates', '--write', '/proc/nonexistent/x'])
    assert status == 3
    assert text.startswith('TABLEFULL UNKNOWN - cannot write the definitions: ')


def test_help_and_errors_are_those_of_every_command() -> None:
    assert answer(['templates', '--help'])[1].startswith('usage: tablefull templates')
    assert answer(['templates', '--wrong'])[0] == 3

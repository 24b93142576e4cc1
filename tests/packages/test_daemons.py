"""The Debian package beside stock daemons, in the order of a life: old version, daemons, upgrade, end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.conftest import NAME, SCRIPTS, USERS
from tests.packages.roots import Debian, debian, older


@pytest.fixture(scope='module')
def system(deb: Path, place: Path) -> Iterator[Debian]:
    """Daemons came after the suite, and then the suite was upgraded."""
    system = debian('bookworm', place / 'daemons')
    system.install(system.put(older(deb, '0.0.1-1', place)))
    assert not [path.name for path in (system.path / 'var/lib/tablefull').iterdir()]
    system.install(
        'icinga2', 'nagios4-core', 'mailutils', 'nagios-nrpe-server', 'nagios-nrpe-plugin', 'zabbix-agent', 'sudo'
    )
    yield system


def test_users_of_daemons_that_come_later_get_their_state_directories(system: Debian) -> None:
    for user in USERS:
        number = system.run('id', '-u', user).stdout.strip()
        directory = system.path / 'var/lib/tablefull' / number
        assert (directory.stat().st_uid, directory.stat().st_mode & 0o7777) == (int(number), 0o700)
    assert (system.path / 'var/lib/tablefull').stat().st_uid == 0


def test_an_upgrade_keeps_state_and_what_the_administrator_has_changed(system: Debian, deb: Path) -> None:
    for user in USERS:
        # Counters are remembered for each network namespace; this is the one that lasts.
        system.as_user(user, '/usr/lib/nagios/plugins/check_conntrack', network=True)
    states = {path: path.read_bytes() for path in (system.path / 'var/lib/tablefull').glob('*/*.json')}
    assert len({path.parent for path in states}) == 2
    changed = [
        system.path / 'etc/nagios/nrpe.d/tablefull.cfg',
        system.path / 'etc/nagios-plugins/config/tablefull-commands.cfg',
    ]
    for path in changed:
        path.write_text(path.read_text() + '# mine\n')

    said = system.install(system.put(deb))
    assert 'rror' not in said
    version = system.run('dpkg-query', '--show', '--showformat', '${Version}', NAME).stdout
    assert version != '0.0.1-1'
    for path in changed:
        assert path.read_text().endswith('# mine\n')
    assert {path: path.read_bytes() for path in (system.path / 'var/lib/tablefull').glob('*/*.json')} == states
    # And it is used: the first run after the upgrade knows rates.
    done = system.as_user('nagios', '/usr/lib/nagios/plugins/check_conntrack', network=True)
    assert 'no rates yet' not in done.stdout
    assert 'drop_rate=' in done.stdout


def test_stock_icinga_and_nrpe_know_the_commands_and_checks_run_as_their_users(system: Debian) -> None:
    (system.path / 'tmp' / 'daemons').write_text((SCRIPTS / 'daemons').read_text())
    done = system.run('sh', '/tmp/daemons', network=False)
    # Five for each of two users, four by NRPE, one as root for each user.
    assert len(re.findall(r'^[A-Z ]+ (?:OK|WARNING|CRITICAL|UNKNOWN) - ', done.stdout, re.MULTILINE)) == 16


def test_stock_nagios_takes_the_commands(system: Debian) -> None:
    done = system.run('nagios4', '-v', '/etc/nagios4/nagios.cfg')
    assert 'Things look okay' in done.stdout
    # One of them used: Nagios says nothing of commands that nobody uses.
    (system.path / 'etc/nagios4/conf.d/use.cfg').write_text(
        'define service {\n use generic-service\n host_name localhost\n service_description x\n'
        ' check_command tablefull-conntrack!70!90\n}\n'
    )
    done = system.run('nagios4', '-v', '/etc/nagios4/nagios.cfg')
    assert 'Things look okay' in done.stdout
    (system.path / 'etc/nagios4/conf.d/use.cfg').unlink()


def test_commands_that_icinga_would_find_twice_are_told_at_installation(system: Debian, deb: Path) -> None:
    ours = 'usr/share/icinga2/include/plugins-contrib.d/tablefull-commands.conf'
    copy = system.path / 'etc/icinga2/conf.d/own.conf'
    copy.write_text((system.path / ours).read_text())
    try:
        assert '/etc/icinga2/conf.d/own.conf defines commands' in system.install('--reinstall', system.put(deb))
        # The warning is true, and what README.Debian says to do about it helps.
        assert system.run('icinga2', 'daemon', '--validate', check=False).returncode != 0
        system.run('dpkg-divert', '--rename', '--add', f'/{ours}')
        system.run('icinga2', 'daemon', '--validate')
        system.run('dpkg-divert', '--rename', '--remove', f'/{ours}')
    finally:
        copy.unlink()


def test_purging_leaves_the_daemons_and_nothing_else(system: Debian) -> None:
    accounts = system.accounts()
    system.run('apt-get', 'purge', '--yes', '--quiet=2', NAME)
    assert not [path for path in system.files() if 'tablefull' in path]
    assert not [
        path for path in system.files() if re.search(r'/check_(conntrack|neighbour|ferm|kernel_log|by_sudo)', path)
    ]
    assert system.accounts() == accounts
    system.run('icinga2', 'daemon', '--validate')

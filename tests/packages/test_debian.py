"""The Debian package on clean systems: it works, brings little, and leaves nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.test_mail import agents
from tests.packages.conftest import BUILT, NAME, SCRIPTS, run
from tests.packages.roots import debian


def installed(*options: str) -> set[str]:
    """The packages that this would install on a machine with no package at all."""
    done = run('apt-get', '--simulate', '-o', 'Dir::State::status=/dev/null', 'install', *options)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r'^Inst (\S+)', done.stdout, re.MULTILINE))


@pytest.mark.parametrize('recommends', ['--install-recommends', '--no-install-recommends'])
def test_no_mail_transport_agent_no_daemon_and_no_firewall_program_comes_along(deb: Path, recommends: str) -> None:
    found = installed(recommends, str(deb))
    assert NAME in found
    assert 'python3-nagiosplugin' in found
    assert not found & agents()
    others = (
        'systemd',
        'cron',
        'exim',
        'ferm',
        'iptables',
        'nftables',
        'conntrack',
        'icinga',
        'nagios',
        'zabbix',
        'sudo',
    )
    assert not [name for name in found if name.startswith(others)]


def test_it_depends_on_the_two_libraries_alone(deb: Path) -> None:
    depends = run('dpkg-deb', '--field', deb, 'Depends', 'Recommends', 'Pre-Depends').stdout
    assert set(re.findall(r'[a-z0-9-]{3,}', depends.partition(':')[2].replace(':any', ''))) == {
        'python3',
        'python3-nagiosplugin',
        'python3-psutil',
    }


def test_lintian_has_nothing_to_say() -> None:
    done = run(
        'lintian', '--pedantic', '--allow-root', '--fail-on', 'pedantic', *BUILT.glob('*.dsc'), *BUILT.glob('*.deb')
    )
    assert (done.returncode, done.stdout) == (0, ''), done.stdout + done.stderr


@pytest.mark.parametrize('suite', ['bookworm', 'trixie'])
def test_it_works_on_a_clean_system_and_purging_leaves_nothing(suite: str, deb: Path, place: Path) -> None:
    system = debian(suite, place / suite)
    # What the test itself needs there, and what the package brings along, which stays when it goes.
    system.install('bash-completion', 'man-db', 'python3-nagiosplugin', 'python3-psutil')
    before, accounts = system.files(), system.accounts()

    said = system.install(system.put(deb))
    assert 'rror' not in said
    assert 'tablefull:' not in said
    (system.path / 'tmp' / 'checks').write_text((SCRIPTS / 'checks').read_text())
    done = system.run('sh', '/tmp/checks')
    assert len(re.findall(r'^[A-Z ]+ (?:OK|WARNING|CRITICAL|UNKNOWN) - ', done.stdout, re.MULTILINE)) == 5
    # As root, too: the directory of the package itself is for root.
    system.run('/usr/lib/nagios/plugins/check_conntrack', check=False)
    left = set(system.files()) - set(before)
    assert any(path.startswith('var/lib/tablefull/conntrack-0-') for path in left)
    assert any(path.startswith('var/tmp/tablefull-65534/conntrack-') for path in left)

    system.run('apt-get', 'purge', '--yes', '--quiet=2', NAME)
    assert system.files() == before
    assert system.accounts() == accounts

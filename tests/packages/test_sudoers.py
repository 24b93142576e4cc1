"""The sudoers file of the package lets the monitoring user run two exact commands, and steer neither."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import attacks
from tests.packages.attacks import ENVIRONMENTS, FERM, HOSTILE, LOG, REFUSED, SAME
from tests.packages.roots import Debian, debian

EXAMPLE = '/usr/share/doc/monitoring-plugins-tablefull/examples/sudoers/tablefull'


@pytest.fixture(scope='module')
def system(deb: Path, place: Path) -> Iterator[Debian]:
    """The package, sudo, and a monitoring user that somebody else has taken over."""
    system = debian('bookworm', place / 'sudoers')
    system.install('sudo')
    system.run('useradd', '--system', '--home-dir', HOSTILE, '--shell', '/bin/sh', 'nagios')
    system.install(system.put(deb))
    system.run('install', '-m', '0440', EXAMPLE, '/etc/sudoers.d/tablefull')
    hostile = system.path / HOSTILE[1:]
    # Where a --root of the attacker would find a log, and one of his own to write to.
    site = hostile / '.local/lib/python3.11/site-packages'
    for directory in (hostile / 'bin', hostile / 'var/log', site):
        directory.mkdir(parents=True)
    for name in attacks.MODULES:
        for directory in (hostile, site):
            (directory / f'{name}.py').write_text(attacks.EVIL)
    (hostile / 'link').symlink_to(LOG)
    (hostile / 'bin/check_kernel_log').symlink_to(LOG)
    (hostile / 'bin/check_ferm').symlink_to(LOG)
    for name in ('python3', 'journalctl', 'systemctl', 'ferm', 'copy'):
        (hostile / name).write_text('#!/bin/sh\necho EVIL\n')
        (hostile / name).chmod(0o755)
    system.run('chown', '--recursive', 'nagios:', HOSTILE)
    yield system


def sudo(system: Debian, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # In the attacker's directory, with whatever stands there.
    words = ['sh', '-c', f'cd {HOSTILE} && exec /usr/bin/sudo -n "$@"', 'sh']
    return system.as_user('nagios', *words, *argv, **environment)


def test_the_file_is_right(system: Debian) -> None:
    assert system.run('visudo', '-c', '-s', '-f', '/etc/sudoers.d/tablefull').stderr == ''


@pytest.mark.parametrize('argv', [(LOG,), (FERM, '--verify-rules')], ids=['log', 'ferm'])
def test_the_two_commands_are_allowed(system: Debian, argv: tuple[str, ...]) -> None:
    done = sudo(system, '--', *argv)
    assert done.stdout.startswith(('KERNEL LOG ', 'FERM ')), done.stdout + done.stderr
    assert 'sudo' not in done.stderr


@pytest.mark.parametrize('argv', REFUSED, ids=' '.join)
def test_anything_else_is_refused(system: Debian, argv: tuple[str, ...]) -> None:
    done = sudo(system, *argv)
    assert done.returncode == 1
    assert done.stdout == ''


@pytest.mark.parametrize('other', SAME)
def test_another_name_of_the_same_file_runs_the_allowed_one(system: Debian, other: str) -> None:
    done = sudo(system, '--', other)
    assert done.stdout.startswith('KERNEL LOG '), done.stdout + done.stderr


@pytest.mark.parametrize('variables', ENVIRONMENTS, ids=lambda variables: next(iter(variables)))
def test_nothing_in_the_environment_steers_root(system: Debian, variables: dict[str, str]) -> None:
    before = system.files()
    done = sudo(system, '--', LOG, **variables)
    assert done.stdout.startswith('KERNEL LOG '), done.stdout + done.stderr
    assert 'EVIL' not in done.stdout + done.stderr
    changed = set(system.files().items()) ^ set(before.items())
    assert not [path for path, _ in changed if path.startswith(HOSTILE[1:])]


def test_a_careless_env_keep_still_leaves_the_interpreter_alone(system: Debian) -> None:
    careless = system.path / 'etc/sudoers.d/careless'
    careless.write_text('Defaults env_keep += "PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE HOME"\n')
    careless.chmod(0o440)
    try:
        done = sudo(system, '--', LOG, PYTHONPATH=HOSTILE, PYTHONHOME=HOSTILE, PYTHONUSERBASE=HOSTILE, HOME=HOSTILE)
    finally:
        careless.unlink()
    assert done.stdout.startswith('KERNEL LOG '), done.stdout


def test_the_attack_would_work_on_a_launcher_that_is_not_isolated(system: Debian) -> None:
    # Proof that the tests above can fail: the same launcher without its flags, and the same directory.
    launcher = system.path / LOG[1:]
    naked = system.path / 'usr/local/bin/naked'
    naked.write_text(launcher.read_text().replace('python3 -IS', 'python3', 1))
    naked.chmod(0o755)
    done = system.as_user('nagios', '/usr/local/bin/naked', PYTHONPATH=HOSTILE)
    assert done.stdout.startswith('EVIL ')


def test_what_root_runs_is_writable_for_root_alone(system: Debian) -> None:
    # The whole way: launcher, interpreter, the package's modules with their byte code, both libraries, its state.
    listed = system.run(
        'sh', '-c', 'dpkg -L monitoring-plugins-tablefull python3-nagiosplugin python3-psutil python3.11'
    ).stdout
    places = {path for path in listed.splitlines() if path.startswith('/')} - {'/.'}
    places |= {f'/{path}' for path in system.files() if path.startswith('usr/') and '/__pycache__' in path}
    assert LOG in places
    for place in sorted(places):
        path = system.path / place[1:]
        status = path.lstat()
        assert status.st_uid == 0, place
        assert path.is_symlink() or not status.st_mode & 0o022 or place == '/var/tmp', place


def test_the_attacker_cannot_prepare_what_root_will_remember(system: Debian) -> None:
    done = system.as_user('nagios', 'sh', '-c', 'ls -ld /var/lib/tablefull; : >/var/lib/tablefull/kernel_log-0.json')
    assert done.stdout.startswith('drwxr-xr-x')
    assert done.returncode != 0

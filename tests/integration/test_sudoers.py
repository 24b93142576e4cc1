"""The sudoers file lets the monitoring user run two exact commands as root, and nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.remotes import sudoers

PLUGINS = '/usr/lib/nagios/plugins'
ALLOWED = [[f'{PLUGINS}/check_ferm', '--verify-rules'], [f'{PLUGINS}/check_kernel_log']]


@pytest.fixture(scope='module', autouse=True)
def file() -> Iterator[Path]:
    with sudoers() as path:
        yield path


def sudo(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [f'{name}={value}' for name, value in environment.items()]
    return subprocess.run(
        ['setpriv', '--reuid=nagios', '--regid=nagios', '--init-groups', 'env', *words, 'sudo', '-n', *argv],
        capture_output=True,
        text=True,
        timeout=60,
        cwd='/run',
    )


def test_visudo_finds_nothing_to_say_about_it(file: Path) -> None:
    done = subprocess.run(['visudo', '-c'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ''
    strict = subprocess.run(['visudo', '-c', '-s', '-f', file], capture_output=True, text=True)
    assert (strict.returncode, strict.stderr) == (0, ''), strict.stdout + strict.stderr


def test_it_goes_with_an_administrator_who_has_aliases_of_his_own() -> None:
    other = Path('/etc/sudoers.d/site')
    other.write_text('User_Alias NAGIOS = nagios\nCmnd_Alias NAGIOS_COMMANDS = /usr/bin/true\n')
    other.chmod(0o440)
    try:
        done = subprocess.run(['visudo', '-c'], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        other.unlink()


@pytest.mark.parametrize('argv', ALLOWED, ids=lambda argv: argv[0].rpartition('/')[2])
def test_the_exact_commands_run_as_root_and_give_a_verdict(argv: list[str]) -> None:
    done = sudo('--', *argv)
    assert re.match(r'(FERM|KERNEL LOG) (OK|WARNING|CRITICAL|UNKNOWN)\b', done.stdout), done.stdout + done.stderr
    assert done.stderr == ''


@pytest.mark.parametrize(
    'argv',
    [
        [f'{PLUGINS}/check_ferm'],
        [f'{PLUGINS}/check_ferm', '--verify-rules', '--root', '/run'],
        [f'{PLUGINS}/check_ferm', '--verify-rules', '-vvv'],
        [f'{PLUGINS}/check_ferm', '--verify-rules', '--state-dir=/run'],
        [f'{PLUGINS}/check_ferm', '--root=/run', '--verify-rules'],
        [f'{PLUGINS}/check_ferm', ' --verify-rules'],
        [f'{PLUGINS}/check_kernel_log', '--file', '/etc/shadow'],
        [f'{PLUGINS}/check_kernel_log', '--state-dir', '/etc'],
        [f'{PLUGINS}/check_kernel_log', ''],
        [f'{PLUGINS}/check_conntrack'],
        [f'{PLUGINS}/check_by_sudo', f'{PLUGINS}/check_kernel_log'],
        ['check_kernel_log'],
        ['/opt/tablefull/bin/python3', '-c', 'print(1)'],
        ['/opt/tablefull/bin/python3', f'{PLUGINS}/check_kernel_log'],
        ['/bin/sh', '-c', f'{PLUGINS}/check_kernel_log'],
        ['-E', f'{PLUGINS}/check_kernel_log'],
        ['PYTHONPATH=/run', f'{PLUGINS}/check_kernel_log'],
        ['LD_PRELOAD=/run/x.so', f'{PLUGINS}/check_kernel_log'],
        ['-u', 'daemon', f'{PLUGINS}/check_kernel_log'],
        ['-e', '/etc/shadow'],
    ],
    ids=lambda argv: ' '.join(argv).replace(PLUGINS, ''),
)
def test_anything_else_is_refused(argv: list[str]) -> None:
    done = sudo(*argv)
    assert done.returncode == 1
    assert done.stdout == ''


@pytest.mark.parametrize(
    'other',
    [f'{PLUGINS}/../plugins/check_kernel_log', '../usr/lib/nagios/plugins/check_kernel_log', '{}/check_kernel_log'],
)
def test_by_another_name_of_the_same_file_it_is_the_allowed_path_that_runs(hostile: Path, other: str) -> None:
    # sudo compares files, not names; what it runs is the path in the sudoers file, so nobody can swap a link meanwhile.
    (hostile / 'check_kernel_log').symlink_to(f'{PLUGINS}/check_kernel_log')
    done = sudo('--', other.format(hostile))
    assert done.stdout.startswith('KERNEL LOG '), done.stdout + done.stderr


EVIL = """
import os
os.write(1, b'EVIL %d' % os.geteuid())
os._exit(0)
"""


@pytest.fixture
def hostile(place: Path) -> Path:
    """A directory with code that any Python would import that looks into it, and the home of the user."""
    for name in ('nagiosplugin', 'argparse', 'json', 'sitecustomize', 'usercustomize', 'tablefull', 'signal'):
        (place / f'{name}.py').write_text(EVIL)
    (place / 'startup').write_text(EVIL)
    return place


@pytest.mark.parametrize(
    'variables',
    [
        {'PYTHONPATH': '{}'},
        {'PYTHONHOME': '{}'},
        {'PYTHONSTARTUP': '{}/startup', 'PYTHONINSPECT': '1'},
        {'PYTHONUSERBASE': '{}'},
        {'HOME': '{}'},
        {'PATH': '{}:/usr/bin:/bin', 'BASH_ENV': '{}/startup', 'ENV': '{}/startup'},
        {'NAGIOS_PLUGIN_STATE_DIRECTORY': '{}'},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_nothing_in_the_environment_steers_root(hostile: Path, variables: dict[str, str]) -> None:
    values = {name: value.format(hostile) for name, value in variables.items()}
    done = sudo('--', f'{PLUGINS}/check_kernel_log', **values)
    assert done.stdout.startswith('KERNEL LOG '), done.stdout
    assert not (hostile / 'tablefull').exists()


def test_even_a_careless_administrator_lets_nobody_steer_the_interpreter(hostile: Path) -> None:
    # env_keep passes PYTHONPATH on; the interpreter of an installed check is isolated and does not look at it.
    careless = Path('/etc/sudoers.d/careless')
    careless.write_text('Defaults env_keep += "PYTHONPATH PYTHONSTARTUP PYTHONHOME"\n')
    careless.chmod(0o440)
    try:
        done = sudo('--', f'{PLUGINS}/check_kernel_log', PYTHONPATH=str(hostile), PYTHONHOME=str(hostile))
    finally:
        careless.unlink()
    assert done.stdout.startswith('KERNEL LOG '), done.stdout


def test_what_root_runs_is_writable_for_root_alone() -> None:
    for path in (Path(PLUGINS, 'check_kernel_log'), Path(PLUGINS, 'check_kernel_log').resolve()):
        for place in (path, *path.parents):
            status = place.stat()
            assert status.st_uid == 0
            assert status.st_mode & 0o022 == 0, place

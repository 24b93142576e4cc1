"""The RPM, as far as Debian can say: built with stand-ins for Fedora's macros, unpacked, and started. Not installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.packages.conftest import BUILT, ROOT, only, run
from tests.packages.roots import debian

SPECIFICATION = ROOT / 'packaging' / 'rpm' / 'nagios-plugins-tablefull.spec'
PLUGINS = '/usr/lib64/nagios/plugins'


@pytest.fixture(scope='module')
def rpm() -> Path:
    (found,) = (path for path in BUILT.glob('*.rpm') if not path.name.endswith('.src.rpm'))
    return found


def test_rpmlint_has_nothing_to_say(rpm: Path) -> None:
    done = run('rpmlint', '--config', ROOT / 'packaging/rpm/rpmlint.toml', rpm, SPECIFICATION, only('*.src.rpm'))
    assert '0 errors, 0 warnings' in done.stdout, done.stdout


def test_it_requires_the_two_libraries_and_the_owner_of_the_plugin_directory(rpm: Path) -> None:
    lines = run('rpm', '-qp', '--requires', rpm).stdout.splitlines()
    needed = {line.split()[0] for line in lines if not line.startswith(('rpmlib', 'config('))}
    libraries = {'python3-nagiosplugin', 'python3-psutil'}
    assert needed == {'/bin/sh', '/usr/bin/python3', 'python(abi)', 'nagios-common', *libraries}


def test_what_an_administrator_may_change_is_kept(rpm: Path) -> None:
    assert run('rpm', '-qp', '--configfiles', rpm).stdout.split() == ['/etc/nrpe.d/tablefull.cfg']


def test_unpacked_it_runs(rpm: Path, place: Path) -> None:
    system = debian('bookworm', place / 'rpm')
    system.install('python3-nagiosplugin', 'python3-psutil')
    unpack = 'rpm2cpio "$1" | cpio --extract --make-directories --quiet'
    subprocess.run(['sh', '-euc', unpack, 'sh', rpm], cwd=system.path, check=True)
    # The libraries come from Debian, which has them elsewhere.
    site = system.path / 'usr/lib/python3.11/site-packages'
    for library in ('nagiosplugin', 'psutil'):
        (site / library).symlink_to(f'/usr/lib/python3/dist-packages/{library}')
    for check in ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log'):
        done = system.as_user('daemon', f'{PLUGINS}/check_{check}')
        assert re.match(r'[A-Z ]+ (OK|WARNING|CRITICAL|UNKNOWN) - ', done.stdout), done.stdout + done.stderr
        assert 'cannot be started' not in done.stdout
    assert '"schema":1' in system.as_user('daemon', '/usr/bin/tablefull', 'snapshot').stdout
    # Paths of its own in everything that names one.
    for path in ('etc/nrpe.d/tablefull.cfg', 'usr/share/doc/nagios-plugins-tablefull/examples/sudoers/tablefull'):
        text = (system.path / path).read_text()
        assert f'{PLUGINS}/check_ferm' in text
        assert '/usr/lib/nagios' not in text

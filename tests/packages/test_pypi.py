"""Wheel and source archive: checked by the tools of the field, installed with old and new libraries, reproducible."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packages.conftest import BUILT, ROOT, only, run

CHECKS = ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log')
# Fetched by make. The oldest psutil has no wheel for this Python and is compiled.
OLDEST = ('nagiosplugin==1.3.2', 'psutil==5.9.0')
NEWEST = ('nagiosplugin', 'psutil')


@pytest.fixture(scope='module')
def wheel() -> Path:
    return only('*.whl')


@pytest.fixture(scope='module')
def sdist() -> Path:
    return only('tablefull-*.tar.gz')


def test_the_archive_of_python_packages_would_take_them(wheel: Path, sdist: Path) -> None:
    done = run(ROOT / '.venv/bin/twine', 'check', '--strict', wheel, sdist)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count('PASSED') == 2


def test_the_contents_of_the_wheel_are_those_of_a_wheel(wheel: Path) -> None:
    done = run(ROOT / '.venv/bin/check-wheel-contents', wheel, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, f'{wheel}: OK'), done.stdout


def test_definitions_pages_and_manuals_are_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for directory, there in (
        ('templates', 'tablefull/templates/'),
        ('docs/findings', 'tablefull/pages/'),
        ('packaging/man', '.data/data/share/man/'),
    ):
        expected = {path.name for path in (ROOT / directory).rglob('*') if path.is_file()}
        assert expected <= {name.rpartition('/')[2] for name in names if there in name}, directory
    assert [name for name in names if name.endswith('.data/data/share/bash-completion/completions/tablefull')]


def test_the_source_archive_has_what_the_project_has(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    tracked = run('git', 'ls-files', cwd=ROOT).stdout.split('\n')[:-1]
    # Links become the files behind them.
    missing = {name for name in tracked if name not in names and not (ROOT / name).is_symlink()}
    assert missing <= {'.gitignore'}


def test_built_again_they_are_the_same_to_the_byte(tmp_path: Path) -> None:
    # Another directory, time zone, language, umask and hour.
    environment = {**os.environ, 'TZ': 'Pacific/Kiritimati', 'LC_ALL': 'C', 'HOME': str(tmp_path), 'USER': 'other'}
    command = ['sh', '-c', 'umask 077; exec tools/make-packages "$1"', 'sh', str(tmp_path / 'again')]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    first = {path.name: path.read_bytes() for path in BUILT.iterdir() if path.is_file()}
    again = {path.name: path.read_bytes() for path in (tmp_path / 'again').iterdir() if path.is_file()}
    assert {name.rpartition('.')[2] for name in first} >= {'gz', 'whl', 'deb', 'dsc', 'xz', 'rpm'}
    assert sorted(first) == sorted(again)
    assert [name for name in first if first[name] != again[name]] == []


def installed(place: Path, wheel: Path, *libraries: str) -> Path:
    """A virtual environment with the wheel and these libraries. Returns its directory."""
    venv = place / f'venv-{len(list(place.iterdir()))}'
    subprocess.run(['/usr/bin/python3', '-m', 'venv', venv], check=True)
    pip = [venv / 'bin/pip', 'install', '--quiet', '--disable-pip-version-check']
    subprocess.run([*pip, wheel, *libraries], check=True, capture_output=True, timeout=300)
    return venv


@pytest.mark.parametrize('libraries', [OLDEST, NEWEST], ids=['oldest', 'newest'])
def test_it_works_with_the_oldest_and_the_newest_libraries(
    place: Path, wheel: Path, libraries: tuple[str, ...]
) -> None:
    venv = installed(place, wheel, *libraries)
    nobody = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', 'env', '-i']
    for check in CHECKS:
        done = run(*nobody, venv / 'bin' / f'check_{check}', cwd='/')
        found = re.match(r'[A-Z ]+ (OK|WARNING|CRITICAL|UNKNOWN) - ', done.stdout)
        assert found, done.stdout + done.stderr
        assert done.returncode == ('OK', 'WARNING', 'CRITICAL', 'UNKNOWN').index(found[1])
        assert 'internal error' not in done.stdout
        assert done.stderr == ''
    done = run(*nobody, venv / 'bin/tablefull', 'snapshot', cwd='/')
    assert json.loads(done.stdout)['schema'] == 1
    assert (venv / 'share/man/man8/check_ferm.8').exists()
    written = run(venv / 'bin/tablefull', 'templates', '--write', venv / 'definitions')
    assert written.returncode == 0, written.stdout
    command = (venv / 'definitions/nrpe/tablefull.cfg').read_text()
    assert f'[tablefull_conntrack]={venv}/bin/check_conntrack\n' in command


def test_pipx_installs_it(place: Path, wheel: Path) -> None:
    home = place / 'pipx'
    environment = {**os.environ, 'PIPX_HOME': f'{home}', 'PIPX_BIN_DIR': f'{home}/bin', 'PIPX_MAN_DIR': f'{home}/man'}
    environment['PIPX_DEFAULT_PYTHON'] = '/usr/bin/python3'
    done = run(ROOT / '.venv/bin/pipx', 'install', wheel, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(home / 'bin/check_conntrack', '--version').stdout.startswith('check_conntrack (tablefull) ')
    assert run(home / 'bin/tablefull', 'explain', 'conntrack-table-full').stdout.startswith('# conntrack-table-full')
    assert (home / 'man/man1/tablefull.1').exists()
    # Its definitions name the checks where they are, not the links to them.
    assert run(home / 'bin/tablefull', 'templates', '--write', home / 'definitions').returncode == 0
    line = (home / 'definitions/nrpe/tablefull.cfg').read_text().partition('[tablefull_neighbour]=')[2].splitlines()[0]
    assert line == f'{home}/venvs/tablefull/bin/check_neighbour'

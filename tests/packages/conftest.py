"""The packages that `make packages` has made, and systems to install them on."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / 'build' / 'packages'
SCRIPTS = ROOT / 'packaging' / 'debian' / 'tests'
NAME = 'monitoring-plugins-tablefull'
USERS = ('nagios', 'zabbix')


def only(pattern: str) -> Path:
    """The one file of build/packages with such a name."""
    (file,) = BUILT.glob(pattern)
    return file


@pytest.fixture(scope='session')
def deb() -> Path:
    """The Debian package."""
    return only('*.deb')


@pytest.fixture(scope='session')
def place() -> Iterator[Path]:
    """A directory that every user may enter, unlike those of pytest. In memory: dpkg waits for disks at every file."""
    directory = Path(tempfile.mkdtemp(prefix='tablefull-'))
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=6g', 'tablefull', directory], check=True)
    yield directory
    subprocess.run(['umount', '--lazy', directory], check=True)
    directory.rmdir()


def run(*argv: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program of this machine and take its output."""
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]

"""One installation for all tests here, made as the README says, on the machine of its own that tools/sandbox gives."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# make has fetched what pip needs.
WITHOUT_NETWORK = {'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': f'{ROOT}/build/wheels', 'PIP_QUIET': '1'}
PLUGINS = Path('/usr/lib/nagios/plugins')


def pytest_sessionstart() -> None:
    """Refuse to touch a real machine: these tests write to /etc and start daemons."""
    # In the sandbox process numbers begin with this very process.
    if os.environ.get('TABLEFULL_SANDBOX') != '1' or os.getpid() != 1:
        pytest.exit('run `make test-integration`: these tests need the machine of their own that it makes', 2)


@pytest.fixture(scope='session', autouse=True)
def installed() -> Path:
    """Install the suite by the README's own lines, without the network. Returns the plugin directory."""
    lines = readme_installation()
    assert lines[0].startswith('python3 -m venv /opt/tablefull')
    for line in lines:
        line = line.replace('python3 -m venv', '/usr/bin/python3 -m venv')
        subprocess.run(['sh', '-euc', line], check=True, cwd=ROOT, env={**os.environ, **WITHOUT_NETWORK})
    return PLUGINS


def readme_installation() -> list[str]:
    """The commands of the README that install the suite."""
    readme = (ROOT / 'README.md').read_text()
    block = readme.partition('\n## Use it\n')[2].partition('```sh\n')[2].partition('```')[0]
    return [line for line in block.splitlines() if line.startswith(('python3 -m venv', 'sed ', 'ln '))]


def make_place() -> Path:
    """A new directory that every user may enter, unlike those of pytest."""
    directory = Path(tempfile.mkdtemp(dir='/run', prefix='test-'))
    directory.chmod(0o755)
    return directory


@pytest.fixture
def place() -> Path:
    """A directory for one test."""
    return make_place()


@pytest.fixture(scope='module')
def shared_place() -> Path:
    """A directory for the tests of a module."""
    return make_place()

"""One Zabbix of one release for all tests here, with the suite installed as the README says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import WITHOUT_NETWORK, readme_installation
from tests.zabbix.api import Api
from tests.zabbix.hosts import INCLUDED, Monitored, monitored
from tests.zabbix.lab import running
from tests.zabbix.releases import Release

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / 'templates' / 'zabbix'


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--release', default='')
    parser.addoption('--tree', type=Path)
    parser.addoption('--database', type=Path)
    parser.addoption('--images', type=Path, help='put the screenshots for the documents there')


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to touch a real machine: these tests write to /etc and start daemons."""
    # In the sandbox process numbers begin with this very process.
    if os.environ.get('TABLEFULL_SANDBOX') != '1' or os.getpid() != 1:
        pytest.exit('run `make test-zabbix`: these tests need the machine of their own that it makes', 2)


@pytest.fixture(scope='session')
def release(pytestconfig: pytest.Config) -> Release:
    options = pytestconfig.option
    return Release(options.release, options.tree, options.database)


@pytest.fixture(scope='session')
def installed() -> None:
    """The suite by the README's own lines, without the network, and the agents' configuration."""
    # The other release installs at the same time, and pip builds in the directory it installs from.
    copy = Path('/run/checkout')
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns('.*', 'build', 'tests', '*.egg-info'), symlinks=True)
    for line in readme_installation():
        line = line.replace('python3 -m venv', '/usr/bin/python3 -m venv')
        subprocess.run(['sh', '-euc', line], check=True, cwd=copy, env={**os.environ, **WITHOUT_NETWORK})
    # Other tests install ferm and never configure it, which would be a problem of every host here.
    for path in ('/usr/sbin/ferm', '/lib/systemd/system/ferm.service'):
        Path(path).unlink(missing_ok=True)
    for directory in INCLUDED.values():
        shutil.copy(TEMPLATES / 'tablefull.conf', directory)


@pytest.fixture(scope='session')
def api(release: Release) -> Iterator[Api]:
    """A Zabbix with nothing in it but what Zabbix itself brings."""
    with running(release) as api:
        yield api


@pytest.fixture(scope='session')
def templates(api: Api, release: Release) -> Path:
    """The file for this release, imported. Returns it."""
    path = TEMPLATES / f'tablefull-{release.version}.yaml'
    api.import_file(path)
    return path


@pytest.fixture(scope='session')
def hosts(api: Api, templates: Path, installed: None) -> Iterator[list[Monitored]]:
    """A machine with each of the two agents; each is four hosts, one for each template. All are running."""
    with monitored(api, 'agentd') as with_agentd, monitored(api, 'agent2') as with_agent2:
        yield [*with_agentd, *with_agent2]

"""The NRPE daemon with our commands, asked by check_nrpe in every way it can be asked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.templates.services import SERVICES, Service

from tests.integration.remotes import PLUGINS, TEMPLATES, ask, nrpe, sudoers, uncommented

FILE = (TEMPLATES / 'nrpe' / 'tablefull.cfg').read_text()
# The daemon speaks TLS or not; the client chooses the version of the packets, and with TLS how anonymous it may be.
WAYS = {
    'with TLS': [(), ('-2',), ('-3',), ('-d', '0'), ('-d', '2')],
    'without TLS': [('-n',), ('-n', '-2'), ('-n', '-3')],
}


@pytest.fixture(scope='module', params=WAYS)
def way(request: pytest.FixtureRequest, shared_place: Path) -> Iterator[str]:
    """A daemon that has every command, those enabled that are shipped as comments."""
    flags = ('-n',) if request.param == 'without TLS' else ()
    with sudoers(), nrpe(shared_place, uncommented(FILE), flags=flags) as log:
        # It logs a line it cannot read, and starts all the same. Later it logs what clients get wrong.
        said = log.read_text()
        assert 'Listening for connections' in said
        assert not re.search(r'(?i)unknown|error|continuing|no variable|invalid', said), said
        yield request.param


def directly(service: Service) -> int:
    """The exit code of the check itself, as the user that its service is run as."""
    argv = [PLUGINS / f'check_{service.check}', *service.arguments]
    user = 'root' if service.root else 'nagios'
    return subprocess.run(
        ['setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups', *argv], capture_output=True
    ).returncode


@pytest.mark.parametrize('service', SERVICES, ids=lambda service: service.name)
def test_every_command_gives_the_verdict_of_its_check(way: str, service: Service) -> None:
    title = service.check.upper().replace('_', ' ')
    for options in WAYS[way]:
        code, output = ask(service.remote_command, *options)
        # A client that had to ask again in an older version says so in a line before.
        verdict = re.search(rf'^{title} (OK|WARNING|CRITICAL|UNKNOWN)( - |$)'.encode(), output, re.MULTILINE)
        assert verdict, (options, output)
        assert code == directly(service), (options, output)
        # Version 2 carries a kilobyte; cut off would be the performance data first.
        assert len(output) - verdict.start() < 1024
        assert service.check != 'conntrack' or b'| usage=' in output


def test_a_client_that_speaks_otherwise_than_the_daemon_gets_unknown(way: str) -> None:
    assert ask('tablefull_conntrack', *(() if way == 'without TLS' else ('-n',)))[0] == 3

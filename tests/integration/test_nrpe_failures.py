"""What can go wrong between NRPE and a check, and that none of it ends in OK or WARNING."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tools.templates.services import SERVICES

from tests.integration.remotes import PLUGINS, SUDOERS, TEMPLATES, ask, nrpe, sudoers, uncommented

FILE = (TEMPLATES / 'nrpe' / 'tablefull.cfg').read_text()


@pytest.fixture
def everything(place: Path) -> Iterator[None]:
    """A daemon with every command."""
    with sudoers(), nrpe(place, uncommented(FILE)):
        yield


@contextmanager
def replaced(program: Path, script: str = '') -> Iterator[None]:
    """A check that is not there, or is `script` instead."""
    target = program.readlink()
    program.unlink()
    if script:
        program.write_text(script)
        program.chmod(0o755)
    try:
        yield
    finally:
        program.unlink(missing_ok=True)
        program.symlink_to(target)


def test_only_what_is_enabled_in_the_shipped_file_can_be_asked_for(place: Path) -> None:
    with nrpe(place, FILE):
        for service in SERVICES:
            code, output = ask(service.remote_command)
            if service.wanted:
                assert code == 3
                assert b'not defined' in output
            else:
                assert output.startswith(service.check.upper().replace('_', ' ').encode())


@pytest.mark.usefixtures('everything')
def test_a_client_cannot_send_arguments() -> None:
    code, output = ask('tablefull_conntrack', '-a', '--warning', '0')
    assert code == 3
    assert b'CONNTRACK' not in output


@pytest.mark.usefixtures('everything')
def test_root_sees_the_kernel_log_that_is_closed_to_nagios() -> None:
    assert Path('/proc/sys/kernel/dmesg_restrict').read_text() == '1\n', 'this test needs a closed kernel log'
    assert ask('tablefull_kernel_log')[0] == 3
    code, output = ask('tablefull_kernel_log_root')
    assert code != 3, output


@pytest.mark.usefixtures('everything')
def test_refused_by_sudo_is_unknown_and_says_so() -> None:
    shutil.move(SUDOERS, '/run/tablefull-sudoers')
    try:
        for service in SERVICES:
            if service.root:
                code, output = ask(service.remote_command)
                assert code == 3
                assert b'UNKNOWN - sudo does not let nagios run exactly this command as root: /usr' in output
    finally:
        shutil.move('/run/tablefull-sudoers', SUDOERS)


@pytest.mark.usefixtures('everything')
def test_a_missing_check_is_unknown() -> None:
    for service in SERVICES:
        with replaced(PLUGINS / f'check_{service.check}'):
            assert ask(service.remote_command)[0] == 3


@pytest.mark.usefixtures('everything')
def test_a_broken_installation_is_unknown() -> None:
    for service in SERVICES:
        with replaced(PLUGINS / f'check_{service.check}', '#!/nonexistent/python3\n'):
            assert ask(service.remote_command)[0] == 3


def test_a_check_that_hangs_is_unknown(place: Path) -> None:
    with replaced(PLUGINS / 'check_conntrack', '#!/bin/sh\nsleep 30\n'), nrpe(place, FILE, 'command_timeout=2\n'):
        code, output = ask('tablefull_conntrack')
    assert (code, b'timed out after 2 seconds' in output) == (3, True)


def test_a_daemon_that_is_not_there_is_unknown() -> None:
    assert ask('tablefull_conntrack')[0] == 3

"""Nagios 4 with its stock configuration, our files in the places that their heads name, and real results."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tools.templates.services import CHECKS, SERVICES, options_of

from tests.integration.icinga import wait_for
from tests.integration.remotes import PLUGINS, TEMPLATES, nrpe

FILES = TEMPLATES / 'nagios'
COMMANDS = Path('/etc/nagios-plugins/config/tablefull-commands.cfg')
CONFIGURATION = Path('/etc/nagios4/nagios.cfg')
STATUS = Path('/var/lib/nagios4/status.dat')
PIPE = Path('/var/lib/nagios4/rw/nagios.cmd')

NRPE_HOST = """
define host {
    use          linux-server
    host_name    gateway1
    address      127.0.0.1
    hostgroups   +tablefull-nrpe
}
"""


@pytest.fixture(scope='module', autouse=True)
def installed_files() -> None:
    """Where a user puts them; and Nagios asks nobody on the network for a newer version of itself."""
    shutil.copy(FILES / 'tablefull-commands.cfg', COMMANDS)
    for name in ('templates', 'localhost', 'nrpe'):
        shutil.copy(FILES / f'tablefull-{name}.cfg', '/etc/nagios4/conf.d')
    Path('/etc/nagios4/conf.d/gateway1.cfg').write_text(NRPE_HOST)
    text = CONFIGURATION.read_text().replace('check_for_updates=1', 'check_for_updates=0')
    CONFIGURATION.write_text(text.replace('status_update_interval=10', 'status_update_interval=1'))


def verify() -> tuple[int, str]:
    done = subprocess.run(['nagios4', '-v', CONFIGURATION], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def services(output: str) -> int:
    """How many services Nagios says it checked."""
    found = re.search(r'Checked (\d+) services', output)
    assert found, output
    return int(found[1])


def test_nothing_is_refused_and_nothing_warned_of() -> None:
    code, output = verify()
    assert code == 0, output
    assert 'Total Warnings: 0' in output, output
    assert 'Total Errors:   0' in output, output


def test_the_commands_alone_are_no_trouble_for_a_host_without_services_of_ours(place: Path) -> None:
    moved = [shutil.move(path, place) for path in Path('/etc/nagios4/conf.d').iterdir()]
    try:
        assert verify()[0] == 0
    finally:
        for path in moved:
            shutil.move(path, '/etc/nagios4/conf.d')


def test_the_services_shipped_as_comments_are_accepted_too(place: Path) -> None:
    directory = Path('/etc/nagios4/conf.d')
    shipped = services(verify()[1])
    for name in ('localhost', 'nrpe'):
        text = (FILES / f'tablefull-{name}.cfg').read_text()
        head, _, body = text.partition('\n\n')
        (directory / f'tablefull-{name}.cfg').write_text(head + '\n\n' + body.replace('\n# ', '\n'))
    groups = ','.join(f'tablefull-nrpe{end}' for end in ('', '-ferm', '-ferm-rules', '-kernel-log-root'))
    (directory / 'gateway1.cfg').write_text(NRPE_HOST.replace('+tablefull-nrpe', f'+{groups}'))
    try:
        code, output = verify()
        assert code == 0, output
        assert 'Total Warnings: 0' in output
        assert services(output) == shipped + 2 * sum(bool(service.wanted) for service in SERVICES)
    finally:
        for name in ('localhost', 'nrpe'):
            shutil.copy(FILES / f'tablefull-{name}.cfg', directory)
        (directory / 'gateway1.cfg').write_text(NRPE_HOST)


@contextmanager
def nagios() -> Iterator[None]:
    """The daemon, until the test is over."""
    Path('/run/nagios4').mkdir(exist_ok=True)
    shutil.chown('/run/nagios4', 'nagios', 'nagios')
    PIPE.unlink(missing_ok=True)
    process = subprocess.Popen(['nagios4', CONFIGURATION], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for('the command pipe of Nagios', PIPE.exists)
        yield
    finally:
        process.terminate()
        process.wait(20)


def status(host: str, service: str) -> dict[str, str]:
    """What status.dat says of a service."""
    for block in re.findall(r'^servicestatus \{\n(.*?)^\t\}', STATUS.read_text(), re.MULTILINE | re.DOTALL):
        values = dict(line.strip().split('=', 1) for line in block.splitlines() if '=' in line)
        if (values['host_name'], values['service_description']) == (host, service):
            return values
    return {}


def check_now(host: str, service: str) -> dict[str, str]:
    """Have a service checked; its status afterwards."""
    now = int(time.time())
    PIPE.write_text(f'[{now}] SCHEDULE_FORCED_SVC_CHECK;{host};{service};{now}\n')

    def checked() -> dict[str, str] | None:
        values = status(host, service)
        return values if values.get('has_been_checked') == '1' and int(values['last_check']) >= now else None

    values: dict[str, str] = wait_for(f'a result of {host};{service}', checked)
    return values


def directly(check: str) -> tuple[int, str, str]:
    """(exit code, text, performance data) of the first line of a check, as user nagios."""
    argv = ['setpriv', '--reuid=nagios', '--regid=nagios', '--clear-groups', str(PLUGINS / f'check_{check}')]
    done = subprocess.run(argv, capture_output=True, text=True)
    text, _, data = done.stdout.splitlines()[0].partition(' | ')
    return done.returncode, text, data


def labels(data: str) -> list[str]:
    return [word.partition('=')[0] for word in data.split()]


def test_results_and_performance_data_are_read_from_its_status(place: Path) -> None:
    with nrpe(place, (TEMPLATES / 'nrpe' / 'tablefull.cfg').read_text()), nagios():
        for service in SERVICES:
            if service.wanted:
                continue
            for host in ('localhost', 'gateway1'):
                check_now(host, service.name)
                time.sleep(1.1)
                values = check_now(host, service.name)
                code, text, data = directly(service.check)
                assert (int(values['current_state']), values['plugin_output']) == (code, text), host
                assert labels(values['performance_data']) == labels(data)
                assert int(values['max_attempts']) == service.attempts


def expanded(arguments: str, check: str) -> str:
    """The command line that Nagios makes of `tablefull-...!arguments`, by its own expansion in the debug log."""
    name = f'tablefull-{check}'.replace('_', '-')
    extra = Path('/etc/nagios4/conf.d/extra.cfg')
    extra.write_text(
        'define service {\n    use generic-service\n    host_name localhost\n    service_description extra\n'
        f'    check_command {name}{arguments}\n}}\n'
    )
    debug = Path('/var/lib/nagios4/debug.log')
    debug.unlink(missing_ok=True)
    before = CONFIGURATION.read_text()
    CONFIGURATION.write_text(before + f'\ndebug_level=2048\ndebug_verbosity=2\ndebug_file={debug}\n')
    try:
        with nagios():
            output = check_now('localhost', 'extra')['plugin_output']
        assert '; see check_' not in output, output
        lines = re.findall(rf"Done\.  Final output: '(.*check_{check} .*)'", debug.read_text())
        found: str = lines[-1]
        return found
    finally:
        CONFIGURATION.write_text(before)
        extra.unlink()


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        ('', "--warning '' --critical ''"),
        ('!85!95', "--warning '85' --critical '95'"),
        (
            '!85.5!@10:20!--missing critical --entries-warning ~:1000',
            "--warning '85.5' --critical '@10:20' --missing critical --entries-warning ~:1000",
        ),
    ],
)
def test_arguments_of_a_service_reach_the_check(arguments: str, expected: str) -> None:
    assert expanded(arguments, 'conntrack').strip() == f'{PLUGINS}/check_conntrack {expected}'


def test_the_comments_name_every_option() -> None:
    text = (FILES / 'tablefull-commands.cfg').read_text()
    for check in CHECKS.values():
        for option in options_of(check):
            assert f'--{option.name}' in text

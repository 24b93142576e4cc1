"""PostgreSQL, zabbix_server and the frontend, started in a sandbox as Debian's units would start them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.zabbix.releases import POSTGRESQL, Release
from tests.zabbix.waiting import wait_for

LOGS = Path('/run/zabbix-logs')
FRONTEND = 'http://127.0.0.1:8080'
DATABASE = Path('/run/zabbix-database')


def as_user(user: str) -> list[str]:
    """What systemd does for `User=`: the ids and groups of the account, and an environment with nothing else in it."""
    home = {'zabbix': '/nonexistent'}.get(user, '/')
    environment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', f'HOME={home}', f'USER={user}']
    return [
        *('env', '-i', *environment, f'LOGNAME={user}', 'SHELL=/usr/sbin/nologin'),
        *('setpriv', f'--reuid={user}', f'--regid={user}', '--init-groups'),
    ]


class Daemon:
    """A process in the foreground, in a process group of its own; use with `with`."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name, self.command = name, command
        self.log = LOGS / f'{name}.log'

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; its output goes to a file below LOGS."""
        LOGS.mkdir(exist_ok=True)
        with self.log.open('ab') as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd='/'
            )

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """End it and its children. What does not obey in time is killed."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def assert_running(self) -> None:
        """Fail with the end of its log when it has ended."""
        assert self.process.poll() is None, f'{self.name} ended: {self.log.read_text()[-2000:]}'


def lay_over(tree: Path) -> None:
    """Put a release over the one that is installed; in a sandbox, where this lasts as long as the test."""
    for directory in ('etc/zabbix', 'usr'):
        subprocess.run(['cp', '--archive', '--no-target-directory', tree / directory, Path('/', directory)], check=True)


def database(release: Release) -> Daemon:
    """PostgreSQL with a fresh Zabbix in it, in memory."""
    shutil.copytree(release.database, DATABASE)
    subprocess.run(['chown', '--recursive', 'postgres:postgres', DATABASE], check=True)
    DATABASE.chmod(0o700)
    options = [
        'listen_addresses=127.0.0.1',
        f'unix_socket_directories={DATABASE}',
        'fsync=off',
        'synchronous_commit=off',
        'autovacuum=off',
    ]
    command = [*as_user('postgres'), str(POSTGRESQL / 'postgres'), '-D', str(DATABASE)]
    return Daemon('postgresql', command + [word for option in options for word in ('-c', option)])


def query(statement: str) -> str:
    """What the database answers, unaligned. For what must be there before the server starts, and for counting."""
    command = [str(POSTGRESQL / 'psql'), '--no-psqlrc', '--tuples-only', '--no-align', '--host=127.0.0.1']
    command += ['--username=zabbix', '--command', statement, 'zabbix']
    answer: str = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return answer.strip()


def wait_for_database() -> None:
    """Until it takes connections."""
    ready = [str(POSTGRESQL / 'pg_isready'), '--quiet', '--host=127.0.0.1']
    wait_for('PostgreSQL', lambda: subprocess.run(ready, check=False).returncode == 0)


def server(release: Release) -> Daemon:
    """zabbix_server with Debian's configuration and what a test cannot wait for: a new host is polled within a second.

    The host that Zabbix ships is switched off, for it would be asked for by the pollers of this server too.
    """
    query("update hosts set status = 1 where status = 0 and host = 'Zabbix server'")
    settings: dict[str, object] = {
        'DBHost': '127.0.0.1',
        'LogType': 'console',
        'SocketDir': '/run/zabbix',
        'CacheUpdateFrequency': 1,
        'StartPollers': 8,
        'StartPollersUnreachable': 2,
        'UnreachablePeriod': 15,
        'UnavailableDelay': 5,
        'UnreachableDelay': 5,
        'StartDBSyncers': 2,
    }
    if release.version != '6.0':
        settings['AllowSoftwareUpdateCheck'] = 0
    write_settings(Path('/etc/zabbix/zabbix_server.conf.d/test.conf'), settings)
    disable(Path('/etc/zabbix/zabbix_server.conf'), 'LogFile', 'LogSlowQueries', *settings)
    run = Path('/run/zabbix')
    run.mkdir(exist_ok=True)
    shutil.chown(run, 'zabbix', 'zabbix')
    return Daemon('server', [*as_user('zabbix'), '/usr/sbin/zabbix_server', '--foreground'])


def disable(path: Path, *names: str) -> None:
    """Comment out settings of a configuration file: one that stands twice is refused, or the last one counts."""
    lines = path.read_text().splitlines()
    path.write_text('\n'.join('#' + line if line.split('=')[0] in names else line for line in lines) + '\n')


def write_settings(path: Path, settings: Mapping[str, object]) -> None:
    """A configuration file of Zabbix, readable for everybody."""
    path.write_text(''.join(f'{name}={value}\n' for name, value in settings.items()))


CONFIGURATION = """<?php
$DB = ['TYPE' => 'POSTGRESQL', 'SERVER' => '127.0.0.1', 'PORT' => '0', 'DATABASE' => 'zabbix', 'USER' => 'zabbix',
    'PASSWORD' => '', 'SCHEMA' => '', 'ENCRYPTION' => false, 'KEY_FILE' => '', 'CERT_FILE' => '', 'CA_FILE' => '',
    'VERIFY_HOST' => false, 'CIPHER_LIST' => '', 'VAULT' => '', 'VAULT_URL' => '', 'VAULT_DB_PATH' => '',
    'VAULT_TOKEN' => '', 'VAULT_PREFIX' => '', 'VAULT_CERT_FILE' => '', 'VAULT_KEY_FILE' => '',
    'DOUBLE_IEEE754' => true];
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '10051';
$ZBX_SERVER_NAME = '';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""


def frontend() -> Daemon:
    """The frontend on PHP's own web server."""
    Path('/etc/zabbix/zabbix.conf.php').write_text(CONFIGURATION)
    # The frontend wants a locale of this name and shows an error in every widget without it; any UTF-8 one will do.
    locale = Path('/usr/lib/locale/en_US.utf8')
    if not locale.exists():
        shutil.copytree('/usr/lib/locale/C.utf8', locale)
    settings = {
        'post_max_size': '32M',
        'memory_limit': '512M',
        'max_execution_time': 300,
        'max_input_time': 300,
        'date.timezone': 'UTC',
    }
    command = ['env', 'PHP_CLI_SERVER_WORKERS=4', 'php']
    for name, value in settings.items():
        command += ['-d', f'{name}={value}']
    return Daemon('frontend', [*command, '-S', FRONTEND.partition('//')[2], '-t', '/usr/share/zabbix'])


def wait_for_frontend() -> None:
    """Until it answers."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(FRONTEND, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
            raise
        except OSError:
            return False
        return True

    wait_for('the frontend', answers)

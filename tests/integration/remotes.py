"""The two other ways to a remote check: an NRPE daemon with its stock configuration, and an SSH server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.icinga import wait_for

TEMPLATES = Path(__file__).parents[2] / 'templates'
NRPE_D = Path('/etc/nagios/nrpe.d')
PLUGINS = Path('/usr/lib/nagios/plugins')
SUDOERS = Path('/etc/sudoers.d/tablefull')


def listening(port: int) -> bool:
    """Whether something answers on this port of the loopback address."""
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def daemon(argv: list[str], port: int, log: Path) -> Iterator[Path]:
    """A daemon in the foreground that listens on `port`; yields its log."""
    assert not listening(port)
    with log.open('w') as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert process.poll() is None, f'{argv}: {log.read_text()}'
        return listening(port)

    try:
        wait_for(f'{argv[0]} on port {port}', answers)
        yield log
    finally:
        process.terminate()
        process.wait(15)


@contextmanager
def nrpe(place: Path, text: str, options: str = '', flags: tuple[str, ...] = ()) -> Iterator[Path]:
    """The NRPE daemon with `text` as its file of commands, and more lines of configuration; yields its log.

    With the flag -n it speaks without TLS, and only so.
    """
    for leftover in NRPE_D.glob('*'):
        leftover.unlink()
    (NRPE_D / 'tablefull.cfg').write_text(text)
    (NRPE_D / 'options.cfg').write_text(options)
    Path('/run/nagios').mkdir(exist_ok=True)
    log = place / 'nrpe.log'
    log.write_text('')
    shutil.chown(log, 'nagios')
    (NRPE_D / 'log.cfg').write_text(f'log_file={log}\n')
    with daemon(['nrpe', '-c', '/etc/nagios/nrpe.cfg', '-f', *flags], 5666, place / 'nrpe.out'):
        yield log


def uncommented(text: str) -> str:
    """An NRPE file with the commands enabled that it ships as comments, the first of each name."""
    seen = set()
    lines = []
    for line in text.splitlines():
        name = line.lstrip('#').partition('=')[0]
        if name.startswith('command[') and name not in seen:
            seen.add(name)
            line = line.lstrip('#')
        lines.append(line)
    return '\n'.join(lines) + '\n'


@contextmanager
def ssh_server(place: Path, user: str) -> Iterator[None]:
    """An SSH server on port 22 that lets the user nagios in as `user`, by key, without a question."""
    if subprocess.run(['id', user], capture_output=True).returncode:
        # '*' is no password, where '!' is a locked account, which the server refuses.
        subprocess.run(['useradd', '--create-home', '--shell', '/bin/sh', '--password', '*', user], check=True)
    keys = Path('/var/lib/nagios/.ssh')
    keys.mkdir(exist_ok=True)
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', keys / 'id_ed25519'], check=True)
    home = Path(f'/home/{user}/.ssh')
    home.mkdir(exist_ok=True)
    shutil.copy(keys / 'id_ed25519.pub', home / 'authorized_keys')
    host_key = place / 'host_key'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', host_key], check=True)
    public = host_key.with_suffix('.pub').read_text()
    (keys / 'known_hosts').write_text(f'127.0.0.1 {public}')
    subprocess.run(['chown', '-R', 'nagios:nagios', keys], check=True)
    subprocess.run(['chown', '-R', f'{user}:{user}', f'/home/{user}'], check=True)
    os.makedirs('/run/sshd', exist_ok=True)
    argv = [
        '/usr/sbin/sshd',
        '-D',
        '-e',
        '-f',
        '/dev/null',
        '-o',
        f'HostKey={host_key}',
        '-o',
        'ListenAddress=127.0.0.1',
    ]
    with daemon(argv, 22, place / 'sshd.log'):
        yield


@contextmanager
def sudoers() -> Iterator[Path]:
    """The file of templates/sudoers where its head says it belongs, and nothing else beside Debian's own."""
    for other in SUDOERS.parent.iterdir():
        if other.name != 'README':
            other.unlink()
    shutil.copy(TEMPLATES / 'sudoers' / 'tablefull', SUDOERS)
    SUDOERS.chmod(0o440)
    yield SUDOERS
    SUDOERS.unlink()


def ask(command: str, *options: str) -> tuple[int, bytes]:
    """(exit code, output) of check_nrpe."""
    done = subprocess.run(
        [PLUGINS / 'check_nrpe', '-H', '127.0.0.1', '-u', '-t', '20:UNKNOWN', *options, '-c', command],
        capture_output=True,
        timeout=60,
    )
    return done.returncode, done.stdout

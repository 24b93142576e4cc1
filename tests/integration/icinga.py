"""Real Icinga 2 daemons with the stock configuration, each with directories and a port of its own."""

from __future__ import annotations

import base64
import json
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

USER = 'nagios'
CONTRIBUTED = Path('/usr/share/icinga2/include/plugins-contrib.d')
SECONDS = 30.0


def wait_for(what: str, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first true value of `condition`; fails the test when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f'waited {seconds} s for {what}')


class Icinga:
    """One node: a copy of /etc/icinga2 and state directories below `place`, its API on `port`; use with `with`."""

    def __init__(self, place: Path, name: str = 'sandbox.example.org', port: int = 5665) -> None:
        self.place, self.name, self.port = place, name, port
        self.log = place / 'log' / 'icinga2.log'
        self.etc = place / 'etc'
        shutil.copytree('/etc/icinga2', self.etc, symlinks=True)
        for directory in ('data/certs', 'data/api', 'log', 'cache', 'spool/perfdata', 'spool/tmp', 'run'):
            (place / directory).mkdir(parents=True)
        self.write('constants.conf', (self.etc / 'constants.conf').read_text() + f'const NodeName = "{name}"\n')

    def write(self, path: str, text: str) -> None:
        """Put a file into the configuration, below etc."""
        target = self.etc / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def define(self, *arguments: str) -> list[str]:
        """The command line of icinga2 for this node."""
        places = {
            'ConfigDir': 'etc',
            'ZonesDir': 'etc/zones.d',
            'DataDir': 'data',
            'LogDir': 'log',
            'CacheDir': 'cache',
            'SpoolDir': 'spool',
            'InitRunDir': 'run',
        }
        return ['icinga2', *arguments, *(f'-D{name}={self.place / path}' for name, path in places.items())]

    def hand_over(self) -> None:
        """Give everything to the user the daemon drops to."""
        subprocess.run(['chown', '-R', f'{USER}:{USER}', self.place], check=True)

    def validate(self) -> tuple[int, str]:
        """(exit code, what it says) of the daemon's own check of the configuration."""
        self.hand_over()
        done = subprocess.run([*self.define('daemon', '-C')], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def objects(self, kind: str) -> set[str]:
        """Names of all objects of a type, such as 'Service', as of the last validation."""
        done = subprocess.run(
            self.define('object', 'list', '--type', kind), capture_output=True, text=True, check=True, timeout=60
        )
        return set(re.findall(r"^Object '(.+?)' of type", re.sub(r'\x1b\[[0-9;]*m', '', done.stdout), re.MULTILINE))

    def certify(self, authority: Icinga | None = None) -> None:
        """Make a certificate, signed by our own authority or that of another node, and enable the API."""
        certificates = self.place / 'data' / 'certs'
        source = (authority or self).place / 'authority'
        if authority is None:
            source.mkdir()
            _openssl('req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -days 2 -keyout ca.key -out ca.crt', source)
        shutil.copy(source / 'ca.crt', certificates / 'ca.crt')
        request = f'req -newkey rsa:2048 -nodes -subj /CN={self.name} -keyout {self.name}.key -out {self.name}.csr'
        _openssl(request, certificates)
        extension = certificates / 'extension'
        extension.write_text(f'subjectAltName=DNS:{self.name}\n')
        _openssl(
            f'x509 -req -in {self.name}.csr -CA {source}/ca.crt -CAkey {source}/ca.key -CAcreateserial -days 2 '
            f'-extfile extension -out {self.name}.crt',
            certificates,
        )
        self.write(
            'features-enabled/api.conf',
            f'object ApiListener "api" {{\n  bind_host = "127.0.0.1"\n  bind_port = {self.port}\n'
            '  accept_commands = true\n  accept_config = true\n}\n'
            'object ApiUser "root" {\n  password = "sandbox"\n  permissions = [ "*" ]\n}\n',
        )

    def __enter__(self) -> Icinga:
        """Start the daemon and wait for its API."""
        code, text = self.validate()
        assert code == 0, text
        with (self.place / 'log' / 'start.log').open('w') as output:
            self.process = subprocess.Popen(self.define('daemon'), stdout=output, stderr=subprocess.STDOUT)
        wait_for(f'the API of {self.name}: {self.log}', self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.place / 'log' / 'start.log').read_text()
        try:
            self.api('GET', '/v1/status')
        except (urllib.error.URLError, ConnectionError, ssl.SSLError):
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the API; returns the list of results."""
        request = urllib.request.Request(
            f'https://127.0.0.1:{self.port}{path}',
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={'Accept': 'application/json', 'Content-Type': 'application/json'},
        )
        request.add_header('Authorization', 'Basic ' + base64.b64encode(b'root:sandbox').decode())
        context = ssl.create_default_context(cafile=str(self.place / 'data' / 'certs' / 'ca.crt'))
        context.check_hostname = False
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return json.load(answer)['results']

    def service(self, host: str, name: str) -> dict[str, Any]:
        """Attributes of a service."""
        attributes: dict[str, Any] = self.api('GET', f'/v1/objects/services/{host}!{name}')[0]['attrs']
        return attributes

    def check_now(self, host: str, name: str) -> dict[str, Any]:
        """Have a service checked and return its attributes after the new result."""
        before = self.service(host, name)['last_check']
        self.api(
            'POST', '/v1/actions/reschedule-check', {'type': 'Service', 'service': f'{host}!{name}', 'force': True}
        )

        def again() -> dict[str, Any] | None:
            service = self.service(host, name)
            return service if service['last_check'] > before else None

        result: dict[str, Any] = wait_for(f'a result of {host}!{name}', again)
        return result


def _openssl(arguments: str, directory: Path) -> None:
    subprocess.run(['openssl', *arguments.split()], cwd=directory, check=True, capture_output=True)

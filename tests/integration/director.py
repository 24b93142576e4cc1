"""Icinga Director on a PostgreSQL and a configuration of its own; no web server is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODULE = Path('/usr/share/icingaweb2/modules/director')

RESOURCES = """
[director]
type = db
db = pgsql
host = {socket}
dbname = director
username = director
password = director
charset = utf8
"""


def _binaries() -> Path:
    return max(Path('/usr/lib/postgresql').glob('*/bin'))


def _as_postgres(*argv: str | Path) -> None:
    command = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', *argv]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


class Director:
    """icingacli with a database of its own."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def run(self, *argv: str, text: str | None = None) -> str:
        """Output of `icingacli director ...`; fails the test when it fails."""
        done = subprocess.run(
            ['icingacli', 'director', *argv],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, 'ICINGAWEB_CONFIGDIR': str(self.configuration)},
        )
        assert done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
        return done.stdout

    def show(self, kind: str, name: str) -> dict[str, Any]:
        """An object as the Director has stored it."""
        shown: dict[str, Any] = json.loads(self.run(kind, 'show', name, '--json', '--no-defaults'))
        return shown

    def query(self, statement: str) -> list[str]:
        """Rows of a question to its database, columns separated by a bar."""
        done = subprocess.run(
            ['psql', '-h', self.configuration.parent, '-U', 'postgres', '-At', 'director', '-c', statement],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()

    def everything(self) -> list[str]:
        """Every row of every table, as SQL."""
        socket = str(self.configuration.parent)
        argv = [str(_binaries() / 'pg_dump'), '-h', socket, '-U', 'postgres', '--data-only', '--inserts', 'director']
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        # pg_dump marks each of its scripts with a word of chance.
        return [line for line in done.stdout.splitlines() if not line.startswith(('\\restrict', '\\unrestrict'))]


@contextmanager
def director(place: Path) -> Iterator[Director]:
    """A Director with an empty, migrated database."""
    data, configuration = place / 'data', place / 'icingaweb2'
    shutil.chown(place, 'postgres')
    _as_postgres(_binaries() / 'initdb', '-D', data, '-E', 'UTF8', '--locale=C.UTF-8', '--auth-local=trust')
    options = f'-c listen_addresses= -c unix_socket_directories={place} -c fsync=off'
    _as_postgres(_binaries() / 'pg_ctl', '-D', data, '-o', options, '-l', place / 'postgresql.log', '-w', 'start')
    try:
        for statement in (
            "create role director login superuser password 'director'",
            'create database director owner director',
        ):
            subprocess.run(['psql', '-q', '-h', place, '-U', 'postgres', '-c', statement], check=True)
        subprocess.run(
            ['psql', '-q', '-h', place, '-U', 'postgres', 'director', '-c', 'create extension pgcrypto'], check=True
        )
        (configuration / 'modules' / 'director').mkdir(parents=True)
        (configuration / 'enabledModules').mkdir()
        (configuration / 'resources.ini').write_text(RESOURCES.format(socket=place))
        (configuration / 'modules' / 'director' / 'config.ini').write_text('[db]\nresource = "director"\n')
        for module in MODULE.parent.iterdir():
            (configuration / 'enabledModules' / module.name).symlink_to(module)
        found = Director(configuration)
        found.run('migration', 'run')
        # What the kickstart would have read from Icinga: apply rules of a zone that is not known as global are refused.
        found.run('zone', 'create', 'director-global', '--object_type', 'external_object', '--is_global', 'y')
        found.run('zone', 'create', 'master', '--object_type', 'external_object')
        yield found
    finally:
        _as_postgres(_binaries() / 'pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop')

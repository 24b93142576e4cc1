"""Where the two long-term releases of Zabbix come from: Debian's own packages, fetched once and kept in a cache.

6.0 is installed; 7.0 comes from Debian's backports and is unpacked beside it, because a machine has one version of a
package. Whatever is slow is done here, on the real machine, before a sandbox begins in which nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

POSTGRESQL = Path('/usr/lib/postgresql/15/bin')
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
BACKPORTS = ('zabbix-server-pgsql', 'zabbix-frontend-php', 'zabbix-agent', 'zabbix-agent2')


class Release(NamedTuple):
    """A Zabbix to test with.

    version   '6.0' or '7.0'
    tree      directory to lay over / before anything of it is started; None when it is installed
    database  data directory of a PostgreSQL that holds a fresh Zabbix; to be copied, not used
    """

    version: str
    tree: Path | None
    database: Path


VERSIONS = ('6.0', '7.0')


def release(version: str) -> Release:
    """A release, fetched and prepared where it was not before. Needs root."""
    tree = _backports() if version == '7.0' else None
    return Release(version, tree, _database(tree or Path('/')))


def _cache() -> Path:
    directory = Path(os.environ.get('XDG_CACHE_HOME', '/var/cache'), 'tablefull-tests')
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def _building(target: Path) -> Iterator[Path]:
    """An empty directory that becomes `target` when the block ends well, so that nothing half made is ever used."""
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        building = Path(temporary, 'building')
        building.mkdir(mode=0o755)
        yield building
        os.rename(building, target)


def _key(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:12]


def _mirror() -> str:
    """Address of the Debian mirror that this machine uses."""
    targets = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(SITE)', 'Created-By: Packages'],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in targets.splitlines():
        if line.startswith('Debian|bookworm|main|'):
            return line.rpartition('|')[2]
    raise SystemExit('this machine has no source of Debian 12 (bookworm main) that apt could ask; apt-get update?')


def _backports() -> Path:
    """The packages of 7.0 unpacked, fetched by apt with a state of its own: the machine's sources stay as they are."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        place.chmod(0o755)
        lines = [
            f'deb [signed-by={KEYRING}] {_mirror()} {suite} main\n' for suite in ('bookworm', 'bookworm-backports')
        ]
        (place / 'sources.list').write_text(''.join(lines))
        (place / 'lists' / 'partial').mkdir(parents=True)
        options = [
            f'--option=Dir::Etc::SourceList={place}/sources.list',
            '--option=Dir::Etc::SourceParts=-',
            f'--option=Dir::State::Lists={place}/lists',
            f'--option=Dir::Cache={place}/cache',
            '--option=APT::Sandbox::User=root',
        ]
        subprocess.run(['apt-get', *options, 'update', '--quiet=2'], check=True)
        packages = _missing(options)
        found = subprocess.run(
            ['apt-get', *options, 'download', '--print-uris', *packages], check=True, capture_output=True, text=True
        ).stdout
        # File name, size and checksum of every package: whatever changes there is another tree.
        tree = _cache() / f'zabbix-7.0-{_key(re.sub(r"^.[^ ]*", "", found, flags=re.MULTILINE))}'
        if not tree.exists():
            with _building(tree) as building:
                subprocess.run(['apt-get', *options, 'download', '--quiet=2', *packages], check=True, cwd=place)
                for archive in sorted(place.glob('*.deb')):
                    subprocess.run(['dpkg-deb', '--extract', archive, building], check=True)
                shutil.rmtree(building / 'usr/share/doc')
    return tree


def _missing(options: list[str]) -> list[str]:
    """NAME=VERSION of the packages of 7.0, and of what they need and this machine has not got."""
    wanted = [f'{name}/bookworm-backports' for name in BACKPORTS]
    command = ['apt-get', *options, 'install', '--simulate', '--no-install-recommends', *wanted]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Inst zabbix-agent [1:6.0.14+dfsg-1] (1:7.0.9+dfsg-1~bpo12+1 Debian Backports:stable-backports [amd64])
    return sorted(f'{name}={version}' for name, version in re.findall(r'^Inst (\S+) (?:\[\S*\] )?\((\S+) ', told, re.M))


def _database(tree: Path) -> Path:
    """A PostgreSQL data directory with the schema and the first data of the Zabbix in `tree`."""
    scripts = [tree / f'usr/share/zabbix-server-pgsql/{name}.sql.gz' for name in ('schema', 'images', 'data')]
    binary = (POSTGRESQL / 'postgres').read_bytes()
    database = _cache() / f'postgresql-{_key(*(script.read_bytes() for script in scripts), binary, _CREATION)}'
    if not database.exists():
        with _building(database) as building:
            building.parent.chmod(0o755)
            shutil.chown(building, 'postgres', 'postgres')
            building.chmod(0o700)
            command = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', 'sh', '-euc', _CREATION]
            command += ['sh', str(POSTGRESQL), str(building), *map(str, scripts)]
            subprocess.run(command, check=True, cwd='/')
    return database


# session_replication_role: without checking each foreign key on the way the data is there in a third of the time.
# vacuum analyze: without statistics the planner makes every import of a template take seconds.
_CREATION = """
programs=$1 data=$2
shift 2
"$programs/initdb" --pgdata "$data" --encoding UTF8 --locale C.UTF-8 --auth trust --no-sync >/dev/null
"$programs/pg_ctl" --pgdata "$data" --log "$data/log" --wait --silent \
    -o "-c listen_addresses= -c unix_socket_directories=$data -c fsync=off" start
trap '"$programs/pg_ctl" --pgdata "$data" --silent --wait --mode fast stop' EXIT
psql="psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --host $data --username postgres"
$psql --command 'create role zabbix superuser login' --command 'create database zabbix owner zabbix' >/dev/null
export PGOPTIONS='-c session_replication_role=replica'
for script; do
    zcat "$script" | psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --host "$data" --username zabbix zabbix >/dev/null
done
$psql --command 'vacuum analyze' zabbix
"""

"""Throw-away Debian systems below a directory, by mmdebstrap: they show what a package does to a clean machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / 'build' / 'roots'
# A day-old archive still has every package that its lists name.
_FRESH = 20 * 3600
# What maintainer scripts ask before they start a service; 101 is "not now".
_NOT_NOW = '#!/bin/sh\nexit 101\n'
_ENVIRONMENT = ('PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive')
# /proc and process numbers of its own: whatever was started in there ends with the command.
_ENTER = """
[ "$1" = net ] || ip link set lo up
mount --rbind /proc "$2/proc" && mount --rbind /dev "$2/dev" && mount --rbind /sys "$2/sys"
cd / && root=$2 && shift 2 && exec chroot "$root" env -i "$@"
"""
# Places whose content is apt's and dpkg's own business, or changes by looking.
_IGNORED = ('proc', 'sys', 'dev', 'tmp', 'run', 'root', 'var/cache', 'var/log', 'var/lib/apt', 'var/lib/dpkg')


class Debian:
    """One system. `run` works as root in it, as if it were a machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *argv: str, network: bool = True, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in there; without `network` it has a loopback device of its own and nothing else."""
        namespaces = ['--mount', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc']
        words = ['unshare', *namespaces, *([] if network else ['--net']), 'sh', '-euc', _ENTER, 'sh']
        done = subprocess.run(
            [*words, 'net' if network else 'alone', str(self.path), *_ENVIRONMENT, *argv],
            capture_output=True,
            text=True,
            timeout=400,
        )
        if check:
            assert done.returncode == 0, f'{argv}\n{done.stdout[-3000:]}{done.stderr[-3000:]}'
        return done

    def as_user(
        self, user: str, *argv: str, network: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as `user`, with nothing in the environment but PATH and `environment`."""
        words = ['PATH=/usr/bin:/bin', *(f'{name}={value}' for name, value in environment.items())]
        become = ['setpriv', f'--reuid={user}', f'--regid={user}', '--init-groups', 'env', '-i', *words]
        return self.run(*become, *argv, network=network, check=False)

    def install(self, *packages: str) -> str:
        """Install packages or files with recommended ones left out. Returns what apt and dpkg said."""
        options = ['--yes', '--quiet=2', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0']
        done = self.run('apt-get', 'install', *options, *packages)
        return done.stdout + done.stderr

    def put(self, file: Path) -> str:
        """Copy a file into /tmp there. Returns its path there."""
        shutil.copy(file, self.path / 'tmp')
        return f'/tmp/{file.name}'

    def files(self) -> dict[str, str]:
        """Path -> kind, mode and owner of everything that a package might leave behind."""
        found = {}
        for directory, names, files in os.walk(self.path):
            below = os.path.relpath(directory, self.path)
            names[:] = [name for name in names if os.path.normpath(f'{below}/{name}') not in _IGNORED]
            for name in names + files:
                status = os.lstat(os.path.join(directory, name))
                found[os.path.normpath(f'{below}/{name}')] = f'{status.st_mode:o} {status.st_uid}:{status.st_gid}'
        return found

    def accounts(self) -> str:
        """All users and groups."""
        return (self.path / 'etc/passwd').read_text() + (self.path / 'etc/group').read_text()


def debian(suite: str, path: Path) -> Debian:
    """A clean minimal system of `suite` at `path`, which must not exist. Made once a day, unpacked each time."""
    archive = CACHE / f'{suite}.tar'
    if not archive.exists() or time.time() - archive.stat().st_mtime > _FRESH:
        CACHE.mkdir(parents=True, exist_ok=True)
        new = archive.with_suffix('.new.tar')
        # With the lists of the archive, so that packages can be installed there without fetching them again.
        argv = ['mmdebstrap', '--quiet', '--variant=minbase', '--skip=cleanup/apt', suite, str(new)]
        subprocess.run(argv, check=True, timeout=400)
        new.rename(archive)
    path.mkdir()
    # Devices are those of the machine, mounted when something runs there.
    subprocess.run(['tar', '--extract', '--file', archive, '--directory', path, '--exclude=./dev/*'], check=True)
    shutil.copy('/etc/resolv.conf', path / 'etc/resolv.conf')
    # Its own name without asking the network.
    (path / 'etc/hosts').write_text(f'127.0.0.1 localhost {os.uname().nodename}\n')
    policy = path / 'usr/sbin/policy-rc.d'
    policy.write_text(_NOT_NOW)
    policy.chmod(0o755)
    return Debian(path)


def older(package: Path, version: str, target: Path) -> Path:
    """The same package with a lower version, below `target`."""
    tree = target / 'tree'
    subprocess.run(['dpkg-deb', '--raw-extract', package, tree], check=True)
    control = tree / 'DEBIAN' / 'control'
    lines = [
        f'Version: {version}' if line.startswith('Version:') else line for line in control.read_text().splitlines()
    ]
    control.write_text('\n'.join(lines) + '\n')
    file = target / f'{package.name.split("_")[0]}_{version}_all.deb'
    subprocess.run(['dpkg-deb', '--root-owner-group', '--build', tree, file], check=True, stdout=subprocess.DEVNULL)
    return file

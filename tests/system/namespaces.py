"""A network namespace of a test's own, gone when the test is."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@functools.cache
def readable_plugins() -> str:
    """A copy of the plugins and their libraries that everybody may read: a checkout may lie in a private directory."""
    import nagiosplugin
    import psutil

    copy = tempfile.mkdtemp(prefix='tablefull-', dir='/var/tmp')
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(ROOT / 'plugins', copy, dirs_exist_ok=True)
    for library in (nagiosplugin, psutil):
        directory = Path(library.__file__).parent
        shutil.copytree(directory, Path(copy, directory.name))
    for path, _, names in os.walk(copy):
        os.chmod(path, 0o755)
        for name in names:
            os.chmod(os.path.join(path, name), 0o644)
    return copy


def interpreter(user: int) -> list[str]:
    """How `user` starts a Python that has the plugins: the virtual environment's own, or the one behind it."""
    if not user:
        return ['env', f'PYTHONPATH={ROOT / "plugins"}', sys.executable]
    behind = os.path.realpath(sys.executable)
    return ['env', f'PYTHONPATH={readable_plugins()}', 'PYTHONDONTWRITEBYTECODE=1', behind]


class Namespace:
    """A fresh network namespace, held by a sleeping process; use with `with`."""

    def __enter__(self) -> Namespace:
        """Make the namespace and raise its loopback interface."""
        self._holder = subprocess.Popen(
            ['unshare', '--net', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep 900'],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b'ready\n'
        self.path = f'/proc/{self._holder.pid}/ns/net'
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the holder; the kernel takes the namespace away."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    @property
    def inode(self) -> int:
        """What the kernel log calls the namespace."""
        return Path(self.path).stat().st_ino

    @property
    def pid(self) -> int:
        """A process in the namespace, for `ip link set X netns PID`."""
        return self._holder.pid

    def run(self, *argv: str, check: bool = True, user: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `user`; fails the test when it fails, unless `check` is false."""
        command = ['nsenter', f'--net={self.path}']
        if user:
            command += ['setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups']
        done = subprocess.run([*command, *argv], capture_output=True, text=True, timeout=120, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f'{argv}: exit {done.returncode}: {done.stdout}{done.stderr}')
        return done

    def shown(self) -> dict[str, str]:
        """What this kernel shows of modules, tables and hooks, by reading files: none of it is changed by looking.

        A kernel without modules has no /proc/modules, and /sys/module then lists what is compiled in.
        """
        files = [
            '/proc/modules',
            '/proc/net/ip_tables_names',
            '/proc/net/ip6_tables_names',
            '/proc/net/netfilter/nf_log',
        ]
        shown = {path: self.run('cat', path, check=False).stdout for path in files}
        # Use counts change with every process; names do not.
        shown['/proc/modules'] = ' '.join(sorted(line.split()[0] for line in shown['/proc/modules'].splitlines()))
        shown['/sys/module'] = ' '.join(sorted(path.name for path in Path('/sys/module').iterdir()))
        return shown

    def python(self, script: str, *argv: str) -> str:
        """Standard output of a script of this directory, run inside."""
        return self.run(sys.executable, str(ROOT / 'tests' / 'system' / script), *argv).stdout

    def check(self, name: str, *argv: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a check inside. Its standard error must be empty, always."""
        script = f'import {name}; {name}.main()'
        done = self.run(*interpreter(user), '-c', script, *argv, check=False, user=user)
        assert done.stderr == '', done.stderr
        return done

"""A network namespace of a test's own, gone when the test is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
NOBODY = 65534


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
        done = self.run(sys.executable, str(ROOT / 'plugins' / f'{name}.py'), *argv, check=False, user=user)
        assert done.stderr == '', done.stderr
        return done

"""A virtual machine: booted once, saved, and restored for each scenario, so that none sees what another has done."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.incidents.image import Image, locked, run

ROOT = Path(__file__).parents[2]
TOOLS = Path(__file__).parent / 'tools'
# Where the plugins lie in the machine.
SUITE = '/usr/lib/tablefull'
INIT = {'plain': '/lab/plain-init', 'systemd': '/sbin/init'}
# From pressing the button to the agent. A machine that is shared may need ten times what an idle one does.
BOOT_SECONDS = 600

INSTALL = r"""set -eu
mkdir -p /usr/lib/tablefull /usr/lib/nagios/plugins
tar -xzf /tmp/suite.tar -C /usr/lib
cp -p /usr/lib/tools/* /lab
rm /tmp/suite.tar
for check in /usr/lib/tablefull/check_*.py; do
    chmod 755 "$check"
    name=${check##*/}
    ln -sf "$check" "/usr/lib/nagios/plugins/${name%.py}"
done
chmod 755 /usr/lib/tablefull/check_by_sudo /usr/lib/tablefull/tablefull-snapshot
cat > /usr/bin/tablefull <<'END'
#!/usr/bin/python3
import sys
sys.path.insert(0, '/usr/lib/tablefull')
from tablefull.launch import main
main()
END
chmod 755 /usr/bin/tablefull
python3 -m compileall -q /usr/lib/tablefull
python3 -c 'import nagiosplugin, psutil'
sync
"""


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    output: str
    errors: str


class MachineError(Exception):
    """The machine did not do what it has to do before anything can be judged."""


class Machine:
    """One QEMU. Use with `with`: it ends, and what it wrote is gone, at the end of the block.

    image, kernel, init   what to boot: a name of image.SUITES, and one of INIT
    saved                 directory of a snapshot to restore instead of booting, None to boot
    """

    def __init__(self, image: Image, kernel: str, init: str, saved: Path | None = None) -> None:
        self.image, self.kernel, self.init, self.saved = image, kernel, init, saved
        self.directory = Path(tempfile.mkdtemp(prefix='tablefull-lab-'))
        self.console = self.directory / 'console.log'
        self._received = b''

    def __enter__(self) -> Machine:
        """Start it and wait for its agent."""
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it at once, like a power cut."""
        if hasattr(self, '_process'):
            self._process.kill()
            self._process.wait()
        if hasattr(self, '_agent'):
            self._agent.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self) -> None:
        disk = self.directory / 'disk.qcow2'
        below, form = (self.saved / 'disk.qcow2', 'qcow2') if self.saved else (self.image.disk, 'raw')
        run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', below, '-F', form, disk)
        arguments = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'pc']
        # With a thread for each processor, QEMU 7.2 may go on with a breakpoint that the kernel has taken back already.
        arguments += ['-accel', 'tcg,thread=single', '-cpu', 'qemu64', '-smp', '2', '-m', '512']
        arguments += ['-kernel', str(self.image.kernel(self.kernel)), '-initrd', str(self.image.initrd(self.kernel))]
        # On a busy host the kernel would wait in vain for its timer to tick, and give up on it.
        arguments += ['-append', f'console=ttyS0 quiet panic=0 no_timer_check lab={INIT[self.init]}']
        arguments += ['-serial', f'file:{self.console}']
        arguments += ['-drive', f'file={disk},if=virtio,format=qcow2,cache=unsafe']
        for name in ('agent', 'monitor'):
            arguments += ['-chardev', f'socket,id={name},path={self.directory / name},server=on,wait=off']
        arguments += ['-mon', 'monitor,mode=control', '-device', 'virtio-serial-pci']
        arguments += ['-device', 'virtserialport,chardev=agent']
        if self.saved:
            arguments += ['-incoming', f'exec:cat {self.saved / "memory"}']
        with open(self.directory / 'qemu.log', 'wb') as log:
            self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._agent = self._connect('agent')
        if self.saved:
            self._await_restored()
        else:
            self.await_agent()

    def _connect(self, name: str) -> socket.socket:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        deadline = time.monotonic() + 30
        while True:
            try:
                channel.connect(str(self.directory / name))
                return channel
            except OSError:
                self._must_live()
                if time.monotonic() > deadline:
                    raise MachineError(f'QEMU does not listen: {self._said()}') from None
                time.sleep(0.02)

    def _must_live(self) -> None:
        if self._process.poll() is not None:
            raise MachineError(f'QEMU ended: {self._said()}')
        if self.console.exists() and b'Kernel panic' in self.console.read_bytes():
            raise MachineError(f'the kernel gave up: {self._said()}')

    def _said(self) -> str:
        logs = [self.directory / 'qemu.log', self.console]
        return ' '.join(log.read_text(errors='replace')[-2000:] for log in logs if log.exists())

    def _receive(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        self._agent.settimeout(2)
        while b'\n' not in self._received:
            try:
                piece = self._agent.recv(1 << 16)
            except TimeoutError:
                self._must_live()
                if time.monotonic() > deadline:
                    raise MachineError(f'no answer within {seconds} s: {self._said()}') from None
                continue
            if not piece:
                raise MachineError(f'the machine is gone: {self._said()}')
            self._received += piece
        line, _, self._received = self._received.partition(b'\n')
        answer: dict[str, Any] = json.loads(line)
        if 'failed' in answer:
            raise MachineError(answer['failed'])
        return answer

    def _ask(self, patience: float, **request: object) -> dict[str, Any]:
        self._agent.sendall(json.dumps(request).encode() + b'\n')
        return self._receive(patience)

    def await_agent(self, seconds: float = BOOT_SECONDS) -> float:
        """Wait for the agent after a boot, and for systemd to be done; returns the machine's uptime then."""
        ready = self._receive(seconds)
        if ready['ready'] != self.image.releases[self.kernel]:
            raise MachineError(f'{ready["ready"]} was booted, not {self.image.releases[self.kernel]}')
        if self.init == 'systemd':
            self.run('systemctl is-system-running --wait', seconds=seconds)
        return float(ready['uptime'])

    def run(self, text: str, user: str = 'root', seconds: float = 300) -> Result:
        """Run bash in the machine. Raises MachineError when it does not answer."""
        answer = self._ask(seconds + 30, run=text, user=user, seconds=seconds)
        return Result(answer['code'], answer['output'], answer['errors'])

    def reboot(self) -> None:
        """Boot once more, the way an administrator does: with a sync, and through systemd where there is one."""
        command = 'systemctl reboot' if self.init == 'systemd' else 'echo b > /proc/sysrq-trigger'
        self._agent.sendall(
            json.dumps({'run': f'sync; sleep 1; {command}', 'user': 'root', 'seconds': 60}).encode() + b'\n'
        )
        deadline = time.monotonic() + BOOT_SECONDS
        # systemd may let the agent answer, and may not.
        while 'ready' not in (answer := self._receive(max(1.0, deadline - time.monotonic()))):
            pass
        self._received = json.dumps(answer).encode() + b'\n' + self._received
        self.await_agent()

    def write(self, path: str, data: bytes) -> None:
        """Store a file in the machine."""
        self._ask(60, write=path, data=base64.b64encode(data).decode())

    def install(self, plugins: Path = ROOT / 'plugins') -> None:
        """The suite, as a package would lay it out: what Debian's own Python, nagiosplugin and psutil find."""
        self.write('/tmp/suite.tar', _archive(plugins))
        done = self.run(INSTALL)
        if done.code:
            raise MachineError(f'the suite cannot be installed: {done.errors}')

    def save(self, directory: Path) -> None:
        """Keep memory and disk as they are at this moment, and end the machine."""
        with self._connect('monitor') as monitor, monitor.makefile('rw') as lines:
            lines.readline()
            _command(lines, 'qmp_capabilities')
            _command(lines, 'stop')
            _command(lines, 'migrate', uri=f'exec:cat > {directory / "memory"}')
            while (status := _command(lines, 'query-migrate')['status']) not in ('completed', 'failed'):
                time.sleep(0.1)
            _command(lines, 'quit')
        self._process.wait(60)
        if status != 'completed':
            raise MachineError('the machine could not be saved')
        os.rename(self.directory / 'disk.qcow2', directory / 'disk.qcow2')

    def _await_restored(self) -> None:
        with self._connect('monitor') as monitor, monitor.makefile('rw') as lines:
            lines.readline()
            _command(lines, 'qmp_capabilities')
            deadline = time.monotonic() + 120
            while (status := _command(lines, 'query-status')['status']) == 'inmigrate':
                self._must_live()
                if time.monotonic() > deadline:
                    raise MachineError('the snapshot is not read')
                time.sleep(0.05)
            if status != 'running':
                _command(lines, 'cont')


def _command(lines: Any, name: str, **arguments: object) -> Any:
    lines.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
    lines.flush()
    while True:
        answer = json.loads(lines.readline() or '{"error": "QEMU hung up"}')
        if 'error' in answer:
            raise MachineError(f'{name}: {answer["error"]}')
        if 'return' in answer:
            return answer['return']


def _archive(plugins: Path) -> bytes:
    """The plugins and the tools of the scenarios as a tar file, without what Python has compiled here."""

    def source(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if '__pycache__' in entry.name or '.egg-info' in entry.name else entry

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz', dereference=True) as archive:
        archive.add(plugins, 'tablefull', filter=source)
        archive.add(TOOLS, 'tools', filter=source)
    return stream.getvalue()


def snapshot(image: Image, kernel: str, init: str) -> Path:
    """Directory of a machine that has just booted and waits; made when it is not there yet."""
    directory = image.directory / f'booted-{kernel}-{init}'
    with locked(Path(f'{directory}.lock')):
        if not directory.is_dir():
            building = Path(tempfile.mkdtemp(prefix=directory.name, dir=image.directory))
            try:
                with Machine(image, kernel, init) as machine:
                    # What the first run of anything reads from the disk need not be read again in each scenario.
                    machine.run('modprobe -c > /dev/null; sync')
                    machine.save(building)
                os.rename(building, directory)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    return directory


def installed(image: Image, kernel: str, init: str, shared: Path) -> Machine:
    """A machine that has just booted and has the suite of this tree installed, once below the directory `shared`."""
    saved = shared / f'installed-{kernel}-{init}'
    with locked(Path(f'{saved}.lock')):
        if not saved.is_dir():
            building = Path(tempfile.mkdtemp(prefix='installing-', dir=shared))
            with Machine(image, kernel, init, snapshot(image, kernel, init)) as machine:
                machine.install()
                machine.save(building)
            building.rename(saved)
    return Machine(image, kernel, init, saved)

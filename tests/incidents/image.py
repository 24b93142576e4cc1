"""The machine's disk and kernels: built once from Debian packages, kept in a cache outside the tree.

The cache is keyed by everything the image is made of: this file, guest/, and QEMU. It can be removed at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
GUEST = HERE / 'guest'

USERLAND = 'bookworm'
PACKAGES = (
    'systemd-sysv udev dbus kmod iproute2 iptables nftables conntrack ipset ferm libnet-dns-perl iputils-ping procps '
    'python3-nagiosplugin python3-psutil busybox-static'
).split()
# The name a scenario asks for, and the suite of Debian whose kernel it is. sid has the newest of the archive.
SUITES = {'5.10': 'bullseye', '6.1': 'bookworm', 'newest': 'sid'}

# What a scenario or the root file system can need. Everything else of 400 MB only costs time.
MODULES = (
    'net/ lib/ crypto/ arch/x86/crypto/ fs/ext4/ fs/jbd2/ fs/autofs/ fs/mbcache. drivers/virtio/ drivers/block/ '
    'drivers/net/veth. drivers/net/dummy. drivers/net/tun. drivers/net/macvlan. drivers/char/virtio_console.'
).split()
# ext4 asks for its checksum by name: modules.dep does not know.
INITRD = ('virtio_pci', 'virtio_blk', 'virtio_console', 'crc32c_generic', 'ext4')


class Image(NamedTuple):
    """A built image.

    directory  where it lies, and where snapshots of it are kept
    disk       an ext4 file system, only ever used below a copy-on-write layer
    releases   name in SUITES -> release of its kernel, as `uname -r` says it
    """

    directory: Path
    disk: Path
    releases: dict[str, str]

    def kernel(self, name: str) -> Path:
        """The compressed kernel of a name in SUITES."""
        return self.directory / f'vmlinuz-{name}'

    def initrd(self, name: str) -> Path:
        """The initial ramdisk beside it."""
        return self.directory / f'initrd-{name}'


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock: the workers of pytest build one image, and one snapshot of each kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cache_directory() -> Path:
    """Where this image belongs, whether it has been built or not."""
    content = hashlib.sha256(qemu_version().encode())
    for path in sorted([Path(__file__), *(file for file in GUEST.rglob('*') if '__pycache__' not in file.parts)]):
        if path.is_file():
            content.update(path.name.encode() + b'\0' + path.read_bytes())
    parent = Path(os.environ.get('XDG_CACHE_HOME') or '/var/cache')
    return parent / 'tablefull-tests' / f'incidents-{content.hexdigest()[:16]}'


@cache
def qemu_version() -> str:
    """The first line of QEMU about itself: a snapshot belongs to the version that made it."""
    return run('qemu-system-x86_64', '--version').splitlines()[0]


def run(*argv: str | Path, **options: object) -> str:
    """Run a program that must succeed; its output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f'{argv}: exit {done.returncode}: {done.stderr or done.stdout}')
    return str(done.stdout)


def image() -> Image:
    """The image, built if it is not there yet: one to three minutes."""
    directory = cache_directory()
    with locked(Path(f'{directory}.lock')):
        if not directory.is_dir():
            building = Path(tempfile.mkdtemp(prefix=f'{directory.name}-', dir=directory.parent))
            try:
                _build(building)
                os.rename(building, directory)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    releases = dict(line.split() for line in (directory / 'releases').read_text().splitlines())
    return Image(directory, directory / 'root.ext4', releases)


def _build(directory: Path) -> None:
    root = directory / 'root'
    trees = {name: directory / f'tree-{name}' for name in SUITES}
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(_debootstrap, USERLAND, root, 'minbase', ','.join(PACKAGES))]
        jobs += [
            pool.submit(_debootstrap, SUITES[name], trees[name], 'extract', 'linux-image-amd64') for name in SUITES
        ]
        for job in jobs:
            job.result()
    releases = {name: _take_kernel(directory, name, trees[name], root) for name in SUITES}
    _furnish(root)
    for name, release in releases.items():
        _make_initrd(directory / f'initrd-{name}', root, release)
    (directory / 'releases').write_text(''.join(f'{name} {release}\n' for name, release in releases.items()))
    run('mke2fs', '-q', '-t', 'ext4', '-d', root, directory / 'root.ext4', '1500M')
    for path in (root, *trees.values()):
        shutil.rmtree(path)


def _debootstrap(suite: str, directory: Path, variant: str, packages: str) -> None:
    """A tree from the mirror that mmdebstrap chooses, with what this machine says about lists that have expired."""
    valid = run('apt-config', 'shell', 'VALID', 'Acquire::Check-Valid-Until/b').partition("'")[2].rstrip("'\n")
    options = [f'--aptopt=Acquire::Check-Valid-Until "{valid or "true"}"']
    options += [f'--dpkgopt=path-exclude=/usr/share/{part}/*' for part in ('doc', 'man', 'locale')]
    run('mmdebstrap', '--quiet', f'--variant={variant}', f'--include={packages}', *options, suite, directory)


def _take_kernel(directory: Path, name: str, tree: Path, root: Path) -> str:
    """Move a kernel and those of its modules that matter to where they belong; returns its release."""
    (modules,) = [path for path in (tree / 'lib/modules', tree / 'usr/lib/modules') if path.is_dir()]
    (release,) = os.listdir(modules)
    # Debian 14 keeps the kernel beside its modules.
    kernels = [path for path in (modules / release / 'vmlinuz', tree / f'boot/vmlinuz-{release}') if path.is_file()]
    shutil.copy(kernels[0], directory / f'vmlinuz-{name}')
    kept = root / 'lib/modules' / release
    kept.mkdir(parents=True)
    for path in (modules / release).glob('modules.*'):
        shutil.copy(path, kept)
    for path in (modules / release / 'kernel').rglob('*.ko*'):
        relative = path.relative_to(modules / release / 'kernel')
        if str(relative).startswith(tuple(MODULES)):
            target = kept / 'kernel' / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    run('depmod', '-b', root, release)
    return release


def _make_initrd(path: Path, root: Path, release: str) -> None:
    """A ramdisk that loads what the root file system needs, mounts it and goes there."""
    modules = root / 'lib/modules' / release
    needs = {}
    for line in (modules / 'modules.dep').read_text().splitlines():
        file, _, others = line.partition(':')
        needs[Path(file).name.split('.')[0]] = [file, *others.split()]
    # Of what a module needs the last one comes first.
    files = [file for name in INITRD if name in needs for file in reversed(needs[name])]
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for name in ('bin', 'dev', 'proc', 'sys', 'root', 'modules'):
            (tree / name).mkdir()
        shutil.copy(root / 'bin/busybox', tree / 'bin/busybox')
        shutil.copy(GUEST / 'initrd-init', tree / 'init')
        (tree / 'init').chmod(0o755)
        for number, file in enumerate(dict.fromkeys(files)):
            packed = modules / file
            target = tree / 'modules' / f'{number:02}-{packed.name}'
            shutil.copy(packed, target)
            if packed.suffix == '.xz':
                run('xz', '--decompress', target)
        run('sh', '-c', 'find . | cpio --quiet -o -H newc | gzip -1 > "$1"', 'sh', path, cwd=tree)


def _furnish(root: Path) -> None:
    """The agent, the tools of the scenarios, a user for the checks, and a systemd that boots without waiting."""
    shutil.copytree(GUEST, root / 'lab', ignore=shutil.ignore_patterns('__pycache__'))
    for path in (root / 'lab').iterdir():
        path.chmod(0o755)
    shutil.copy(GUEST / 'lab-agent.service', root / 'etc/systemd/system')
    (root / 'etc/hostname').write_text('lab\n')
    (root / 'etc/hosts').write_text('127.0.0.1 localhost lab\n::1 localhost lab\n')
    (root / 'etc/resolv.conf').unlink(missing_ok=True)
    (root / 'etc/resolv.conf').write_text('nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
    (root / 'etc/fstab').write_text('/dev/vda / ext4 defaults 0 1\n')
    run('chroot', root, 'useradd', '--system', '--shell', '/usr/sbin/nologin', 'nagios')
    for action, *units in (
        ('enable', 'lab-agent.service'),
        ('disable', 'ferm.service', 'nftables.service'),
        (
            'mask',
            'getty@tty1.service',
            'serial-getty@ttyS0.service',
            'apt-daily.timer',
            'apt-daily-upgrade.timer',
            'dpkg-db-backup.timer',
        ),
        ('mask', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'systemd-update-utmp.service'),
        ('mask', 'systemd-udev-trigger.service', 'systemd-udevd.service', 'systemd-random-seed.service'),
    ):
        run('systemctl', '--root', root, action, *units)

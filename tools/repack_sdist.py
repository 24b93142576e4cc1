"""Write a source archive again, so that one tree gives the same bytes each time: `repack_sdist.py IN OUT EPOCH`.

setuptools puts in the time of the build, the builder's name and umask, and the order of the directory.
"""

from __future__ import annotations

import gzip
import sys
import tarfile
from pathlib import Path


def repack(source: Path, target: Path, epoch: int) -> None:
    """Copy the .tar.gz `source` to `target`: sorted, owned by root, dated `epoch`."""
    with (
        tarfile.open(source) as old,
        target.open('wb') as file,
        gzip.GzipFile('', 'wb', 9, file, mtime=epoch) as compressed,
        tarfile.open(mode='w', fileobj=compressed, format=tarfile.GNU_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            executable = member.isdir() or member.mode & 0o100
            member.mode = 0o755 if executable else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = 'root'
            member.mtime = epoch
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)


if __name__ == '__main__':
    repack(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

"""Unpacks a capture from anywhere into a private directory, and nothing else: hostile ones are refused before that.

The compressed data is unpacked in memory up to a bound; every header is looked at before tarfile is given it, so that
no link, device or extension ever gets to a parser of theirs. Python 3.9 has no filters for extraction.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zlib

from tablefull.readers.files import ReadError
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

# Captures of hosts with thousands of modules and a full neighbour table have a tenth of it.
_LARGEST = 32 << 20
_UNPACKED = 64 << 20
_MOST_MEMBERS = 20_000
_BLOCK = 512
_KINDS = {
    b'1': 'a hard link',
    b'2': 'a symbolic link',
    b'3': 'a device',
    b'4': 'a device',
    b'6': 'a FIFO',
    b'L': 'a long name (pack it with tar --format=ustar)',
    b'K': 'a long link',
    b'x': 'extended headers (pack it with tar --format=ustar)',
    b'g': 'extended headers (pack it with tar --format=ustar)',
    b'S': 'a sparse file',
}


class Member(NamedTuple):
    """One file, or a directory where content is None."""

    name: str
    content: bytes | None


def read_capture(path: str) -> list[Member]:
    """What a capture holds. Raises ReadError for one that is broken, hostile or too large."""
    return members(path, _decompressed(path, _read(path)))


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ReadError(path, 'not a regular file')
            if status.st_size > _LARGEST:
                raise ReadError(path, f'larger than {_LARGEST >> 20} MiB')
            pieces: list[bytes] = []
            while len(pieces) <= _LARGEST >> 16:
                piece = os.read(descriptor, 1 << 16)
                if not piece:
                    break
                pieces.append(piece)
            return b''.join(pieces)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None


def _decompressed(path: str, data: bytes) -> bytes:
    machine = zlib.decompressobj(31)  # gzip
    try:
        content = machine.decompress(data, _UNPACKED)
    except zlib.error:
        raise ReadError(path, 'not a capture: not compressed by gzip, or damaged') from None
    if machine.unconsumed_tail:
        raise ReadError(path, f'unpacks to more than {_UNPACKED >> 20} MiB')
    if not machine.eof:
        raise ReadError(path, 'is cut off')
    if machine.unused_data:
        raise ReadError(path, 'holds something behind its end')
    return content


def members(path: str, data: bytes) -> list[Member]:
    """The files and directories in an uncompressed tar. Raises ReadError."""
    found: dict[str, Member] = {}
    if not _is_plain(path, data, 0):
        raise ReadError(path, 'holds nothing')
    try:
        # The constructor reads the first header already.
        with tarfile.TarFile(fileobj=io.BytesIO(data), mode='r') as archive:
            while True:
                entry = archive.next()
                if entry is None:
                    break
                member = _member(path, data, entry)
                if member.name in found or len(found) >= _MOST_MEMBERS:
                    raise ReadError(path, f'holds {member.name!r} twice' if member.name in found else 'holds too much')
                found[member.name] = member
                if not _is_plain(path, data, archive.offset):
                    break
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError, MemoryError) as error:
        raise ReadError(path, f'not a capture: {error}') from None
    return list(found.values())


def _member(path: str, data: bytes, entry: tarfile.TarInfo) -> Member:
    name = _checked(path, entry.name)
    if entry.isdir():
        return Member(name, None)
    content = data[entry.offset_data : entry.offset_data + entry.size]
    if len(content) != entry.size:
        raise ReadError(path, f'{name!r} is cut off')
    return Member(name, content)


def _is_plain(path: str, data: bytes, offset: int) -> bool:
    """Whether the header at `offset` is of a file or directory; False at the end. Raises ReadError for any other."""
    header = data[offset : offset + _BLOCK]
    if not header.strip(b'\0'):
        return False
    if len(header) < _BLOCK:
        raise ReadError(path, 'is cut off')
    kind = header[156:157]
    if kind not in (b'0', b'\0', b'5'):
        raise ReadError(path, f'holds {_KINDS.get(kind, "something that is no file")}')
    if header[124] & 0x80:
        raise ReadError(path, 'holds a size that no file here has')
    return True


def _checked(path: str, name: str) -> str:
    """A name below the root of the tree, or ReadError."""
    parts = name.rstrip('/').split('/')
    while parts[:1] == ['.'] and len(parts) > 1:
        parts = parts[1:]
    odd = name.startswith('/') or any(part in ('', '.', '..') or len(part.encode()) > 255 for part in parts)
    if odd and name.rstrip('/') != '.':
        raise ReadError(path, f'holds {name[:200]!r}, a path that leads out of the tree or nowhere')
    if '\0' in name or len(parts) > 32:
        raise ReadError(path, f'holds {name[:200]!r}, a path that no host has')
    return '/'.join(parts)


def unpack(found: list[Member], directory: str) -> None:
    """Write all of it below `directory`, which is empty and ours. Raises ReadError for names that contradict."""
    for name, content in found:
        place = os.path.join(directory, name)
        try:
            if content is None:
                os.makedirs(place, 0o700, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                while content:
                    content = content[os.write(descriptor, content) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReadError(f'{name}', os.strerror(error.errno or 0), error.errno) from None


def origin(found: list[Member]) -> tuple[str, ...]:
    """When and by whom it was captured and what it lacks, for people. Nothing in it is believed but its form."""
    from tablefull.frame.json_text import decode

    text = next((member.content for member in found if member.name == 'capture.json'), None)
    try:
        known: Any = decode((text or b'').decode('utf-8', 'backslashreplace'))
        moment, version, user = int(known['time']), str(known['version'])[:20], int(known['user'])
        lacking = [*_strings(known.get('unread')), *(f'{path}: cut off' for path in _strings(known.get('cut')))]
        lines = [f'captured {_utc(moment)} by tablefull {version}, user id {user}']
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, OSError):
        return ('captured by hand: when and how nobody knows',)
    return (*lines, *(f'not captured: {reason[:200]}' for reason in lacking[:10]))


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _utc(moment: int) -> str:
    import time

    return time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(moment))

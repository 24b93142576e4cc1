"""Hostile and broken captures are refused in one clear line, and leave nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull import command
from tablefull.capture.unpack import members, read_capture
from tablefull.readers.files import ReadError


def tar(*entries: tuple[str, bytes, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """An archive of (name, type, content or target of a link)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=form) as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                entry.linkname = content.decode()
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


GOOD = ('proc/uptime', tarfile.REGTYPE, b'1.00 1.00\n')


def refused(tmp_path: Path, data: bytes) -> str:
    """What triage says of a file with this content; nothing may be left or written elsewhere."""
    outside, inside = tmp_path / 'outside', tmp_path / 'tmp'
    outside.mkdir()
    inside.mkdir()
    file = outside / 'host.tar.gz'
    file.write_bytes(data)
    before = sorted(tmp_path.rglob('*'))
    environment = os.environ.get('TMPDIR')
    import tempfile

    os.environ['TMPDIR'], tempfile.tempdir = str(inside), None
    try:
        code, text = command.answer(['triage', '--capture', str(file)])
    finally:
        tempfile.tempdir = None
        os.environ.pop('TMPDIR')
        if environment is not None:
            os.environ['TMPDIR'] = environment
    assert sorted(tmp_path.rglob('*')) == before
    assert code == 3
    assert text.startswith(f'TRIAGE UNKNOWN - cannot read {file}: ') and text.isprintable()
    return text.rpartition(f'{file}: ')[2]


@pytest.mark.parametrize(
    'name',
    [
        '../evil',
        '/etc/evil',
        'proc/../../evil',
        'proc/./uptime',
        'proc//uptime',
        '..',
        '/',
        'a/' * 33 + 'b',
        './../x',
        'x/..',
    ],
)
def test_a_path_out_of_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    assert 'a path that' in refused(tmp_path, gzip.compress(tar(GOOD, (name, tarfile.REGTYPE, b'evil'))))


@pytest.mark.parametrize(
    ('kind', 'says'),
    [
        (tarfile.SYMTYPE, 'a symbolic link'),
        (tarfile.LNKTYPE, 'a hard link'),
        (tarfile.CHRTYPE, 'a device'),
        (tarfile.BLKTYPE, 'a device'),
        (tarfile.FIFOTYPE, 'a FIFO'),
        (tarfile.CONTTYPE, 'something that is no file'),
        (tarfile.GNUTYPE_SPARSE, 'a sparse file'),
        (b'Z', 'something that is no file'),
    ],
)
@pytest.mark.parametrize('first', [True, False])
def test_what_is_neither_file_nor_directory_is_refused(tmp_path: Path, kind: bytes, says: str, first: bool) -> None:
    entry = ('etc/sysctl.conf', kind, b'/etc/shadow' if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else b'')
    entries = (entry, GOOD) if first else (GOOD, entry)
    assert refused(tmp_path, gzip.compress(tar(*entries))) == f'holds {says}'


@pytest.mark.parametrize(
    ('form', 'says'), [(tarfile.PAX_FORMAT, 'extended headers'), (tarfile.GNU_FORMAT, 'a long name')]
)
def test_extensions_are_refused_with_what_to_do(tmp_path: Path, form: int, says: str) -> None:
    data = tar((f'etc/{"a" * 200}', tarfile.REGTYPE, b''), form=form)
    assert refused(tmp_path, gzip.compress(data)) == f'holds {says} (pack it with tar --format=ustar)'


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b''.join(machine.compress(bytes(1 << 20)) for _ in range(100)) + machine.flush()
    assert len(data) < 200_000
    began = time.process_time()
    assert refused(tmp_path, data) == 'unpacks to more than 64 MiB'
    assert time.process_time() - began < 10


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    block = tar(GOOD)[:512]
    blocks = b''.join(renamed(block, f'proc/{number}') for number in range(20_001))
    assert refused(tmp_path, gzip.compress(blocks + bytes(1024), 1)) == 'holds too much'


def renamed(block: bytes, name: str) -> bytes:
    """A header of an empty file under another name."""
    header = (
        name.encode().ljust(100, b'\0') + block[100:124] + b'00000000000\0' + block[136:148] + b' ' * 8 + block[156:]
    )
    return header[:148] + b'%06o\0 ' % sum(header) + header[156:]


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / 'huge'
    with file.open('wb') as huge:
        huge.truncate(33 << 20)
    assert command.answer(['triage', '--capture', str(file)]) == (
        3,
        f'TRIAGE UNKNOWN - cannot read {file}: larger than 32 MiB',
    )


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, gzip.compress(tar(GOOD, GOOD))) == "holds 'proc/uptime' twice"


def test_a_file_that_is_a_directory_as_well_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, gzip.compress(tar(('proc', tarfile.REGTYPE, b''), GOOD)))


@pytest.mark.parametrize(
    ('data', 'says'),
    [
        (b'', 'is cut off'),
        (b'no tar at all', 'not a capture: not compressed by gzip, or damaged'),
        (gzip.compress(b''), 'holds nothing'),
        (gzip.compress(bytes(10240)), 'holds nothing'),
        (gzip.compress(tar(GOOD))[:-20], 'is cut off'),
        (gzip.compress(tar(GOOD)) + b'more', 'holds something behind its end'),
        (gzip.compress(tar(GOOD)[:515]), "'proc/uptime' is cut off"),
        (gzip.compress(tar(GOOD)[:300]), 'is cut off'),
        (gzip.compress(b'\xff' * 1024), 'holds something that is no file'),
    ],
    # The data has the time in it.
    ids=map(str, range(9)),
)
def test_what_is_broken_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    assert refused(tmp_path, data).startswith(says)


def test_a_size_below_zero_is_refused() -> None:
    header = bytearray(tar(GOOD)[:512])
    header[124:136] = b'\xff' * 12
    with pytest.raises(ReadError, match='a size that no file here has'):
        members('x', bytes(header))


@pytest.mark.parametrize('path', ['.', '/dev/null', '/proc/self/mem/x', '/nowhere'])
def test_what_is_no_file_is_refused(path: str) -> None:
    code, text = command.answer(['triage', '--capture', path])
    assert code == 3 and text.startswith('TRIAGE UNKNOWN - cannot read ')


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'fifo')
    assert command.answer(['triage', '--capture', str(tmp_path / 'fifo')])[1].endswith('not a regular file')


def test_hostile_text_is_cleaned(tmp_path: Path) -> None:
    origin = b'{"time":0,"version":"\\u001b[31m","user":0,"unread":["a\\u001b]0;x\\u0007b","c|d"],"cut":[]}'
    log = b'4,1,900000,-;nf_conntrack: table full, dropping packet \x1b[2J\n4,2,900001,-;nf_conntrack: \x1b[2J\n'
    file = tmp_path / 'host'
    file.write_bytes(
        gzip.compress(tar(GOOD, ('capture.json', tarfile.REGTYPE, origin), ('kmsg', tarfile.REGTYPE, log)))
    )
    for form in ('text', 'json'):
        _, text = command.answer(['triage', '-v', '--output', form, '--capture', str(file)])
        assert all(character.isprintable() or character == '\n' for character in text)


@pytest.mark.parametrize(
    'origin', [b'', b'[]', b'{}', b'{"time":1e99,"version":1,"user":0}', b'[' * 100000, b'\xff', b'null']
)
def test_a_capture_without_a_sensible_origin_is_one_made_by_hand(tmp_path: Path, origin: bytes) -> None:
    (tmp_path / 'host').write_bytes(gzip.compress(tar(GOOD, ('capture.json', tarfile.REGTYPE, origin))))
    assert '\ncaptured by hand' in command.answer(['triage', '--capture', str(tmp_path / 'host')])[1]


def test_a_tree_packed_by_hand_is_taken(tmp_path: Path) -> None:
    data = tar(
        ('./', tarfile.DIRTYPE, b''),
        ('./proc/', tarfile.DIRTYPE, b''),
        ('./proc/uptime', tarfile.REGTYPE, b'1.00 1.00\n'),
    )
    (tmp_path / 'host').write_bytes(gzip.compress(data))
    assert [member.name for member in read_capture(str(tmp_path / 'host'))] == ['.', 'proc', 'proc/uptime']


@given(st.binary(max_size=2048))
def test_any_bytes_are_members_or_refused(data: bytes) -> None:
    try:
        for member in members('x', data):
            assert not member.name.startswith('/') and '..' not in member.name.split('/')
    except ReadError:
        pass


@given(st.data())
def test_any_change_of_a_header_is_taken_or_refused(data: st.DataObject) -> None:
    archive = bytearray(tar(GOOD, ('etc/sysctl.conf', tarfile.REGTYPE, b'a = b\n')))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, 1535))] = data.draw(st.integers(0, 255))
    try:
        members('x', bytes(archive))
    except ReadError:
        pass

"""The one list of what is captured, held against what the readers open."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tablefull.capture.collect import collect
from tablefull.capture.places import (
    BY_HAND,
    DROP_INS,
    FALLBACKS,
    FERM,
    FILES,
    NAMESPACES,
    PRESENT,
    RECORDINGS,
    SERVICES,
)
from tablefull.command import answer
from tests.golden.cases import FIXTURES, cases, triage

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / 'docs' / 'captured-trees.md').read_text()
READING = ('open', 'stat', 'lstat', 'access', 'listdir', 'readlink')


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """(call, path) of everything that asks the file system for something meanwhile."""
    asked: list[tuple[str, str]] = []

    def wrap(call: str) -> Any:
        real = getattr(os, call)

        def wrapped(path: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(path, str):
                asked.append((call, path))
            return real(path, *arguments, **named)

        return wrapped

    with monkeypatch.context() as patch:
        for call in READING:
            patch.setattr(os, call, wrap(call))
        yield asked


def pattern(text: str) -> str:
    return re.escape(text).replace('NET/', '/proc(?:/1)?/net/').replace('RELEASE', '[^/]+').replace(r'\*', '[^/]+')


def recordings() -> list[str]:
    return [name if name.startswith('NET/') else f'/{name}' for name in (*RECORDINGS, *BY_HAND)]


def known() -> re.Pattern[str]:
    """Every path that the list allows."""
    patterns = [pattern(path) for path in (*FILES, *NAMESPACES, *PRESENT, *FERM, SERVICES)]
    patterns += [pattern(path) for paths in FALLBACKS.values() for path in paths]
    patterns += [pattern(path) for path in recordings()]
    for directories in DROP_INS:
        patterns += [re.escape(directory) + r'(?:/[^/]+)?' for directory in directories]
    # Included by ferm.conf.
    patterns.append(r'/etc/ferm/.+')
    return re.compile('|'.join(patterns))


@pytest.mark.parametrize('case', cases())
def test_nothing_is_opened_that_the_list_does_not_name(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.path.isdir(os.path.join(FIXTURES, case, 'earlier')):
        # It is copied for the test, and read in the same way.
        return
    root = os.path.join(FIXTURES, case)
    with recorded(monkeypatch) as asked:
        triage(case)
    below = {path[len(root) :] for call, path in asked if path.startswith(f'{root}/') and call == 'open'}
    assert len(below) > 10
    assert sorted(path for path in below if not known().fullmatch(path)) == []


def test_everything_on_the_list_is_asked_for_in_some_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # proc/version is read where nothing else tells the release.
    without_release = tmp_path / 'host'
    shutil.copytree(os.path.join(FIXTURES, '6.1-debian12-healthy'), without_release)
    (without_release / 'proc/sys/kernel/osrelease').unlink()
    asked_for: set[str] = set()
    for root in (*(os.path.join(FIXTURES, case) for case in cases()), str(without_release)):
        with recorded(monkeypatch) as asked:
            answer(['triage', '--root', root])
        below = [(call, path[len(root) :]) for call, path in asked if path.startswith(f'{root}/')]
        # Of a directory that is listed, each name counts.
        asked_for |= {path for _, path in below} | {f'{path}/x' for call, path in below if call == 'listdir'}
    listed = [*FILES, *PRESENT, *FERM, SERVICES, *(path for paths in FALLBACKS.values() for path in paths)]
    listed += recordings()
    listed += [directory for directories in DROP_INS for directory in directories]
    missed = [path for path in listed if not any(re.fullmatch(pattern(path), asked) for asked in asked_for)]
    assert missed == []


@pytest.mark.parametrize('case', cases())
def test_what_is_packed_is_on_the_list_and_in_the_tree(case: str) -> None:
    root = os.path.join(FIXTURES, case)
    found = collect(root)
    for name, content in found.files.items():
        assert known().fullmatch(f'/{name}'), name
        if name != 'kmsg' and not name.endswith('/net/nf_conntrack'):
            assert Path(root, name).read_bytes() == content
    assert all(known().fullmatch(f'/{name}') or f'/{name}' in PRESENT for name in found.present)
    assert not found.unread and not found.cut


def test_the_kernel_log_is_packed_without_the_text_of_others() -> None:
    root = os.path.join(FIXTURES, 'A4-legacy-table-full')
    lines = collect(root).files['kmsg'].decode().splitlines()
    assert any(line.endswith('nf_conntrack: nf_conntrack: table full, dropping packet') for line in lines)
    assert not any('Linux version' in line or 'systemd' in line for line in lines)
    assert len(lines) == len(re.findall(r'^\d+,\d+,\d+', Path(root, 'kmsg').read_text(), re.MULTILINE))


def test_the_page_lists_what_is_packed() -> None:
    packed = PAGE.partition('\n### What is packed\n')[2].partition('\n## ')[0]
    described = dict(re.findall(r'^\| `([^`]+)` \| ([^|]+) \|$', packed, re.MULTILINE))
    assert described == {**FILES, **NAMESPACES, **PRESENT, **RECORDINGS}
    for name in (*FERM, *FALLBACKS, *BY_HAND, SERVICES):
        assert f'`{name}`' in packed or f'`{name.lstrip("/")}`' in PAGE, name
    for path in {path for paths in FALLBACKS.values() for path in paths}:
        assert f'`{path}`' in packed

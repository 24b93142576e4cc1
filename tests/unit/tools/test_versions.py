"""One version, whoever names it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.versions import PLACES, complaints, versions

from tablefull import __version__

ROOT = Path(__file__).parents[3]


def copied(target: Path) -> Path:
    for name in PLACES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    return target


def test_every_place_names_this_version() -> None:
    assert set(versions().values()) == {__version__}


def test_a_place_that_was_forgotten_stops_a_release(tmp_path: Path) -> None:
    root = copied(tmp_path)
    changelog = root / 'CHANGELOG.md'
    changelog.write_text(
        changelog.read_text().replace(f'## {__version__} (unreleased)', f'## {__version__} (2026-12-01)')
    )
    assert complaints(root, f'v{__version__}') == []
    assert len(complaints(root, 'v99.0')) == len(versions()) + 1
    for name in PLACES:
        path = root / name
        text = path.read_text()
        path.write_text(text.replace(__version__, '99.0'))
        assert any(line.startswith(name) for line in complaints(root, f'v{__version__}')), name
        path.write_text(text)


def test_what_the_changelog_calls_unreleased_is_not_released(tmp_path: Path) -> None:
    root = copied(tmp_path)
    changelog = root / 'CHANGELOG.md'
    text = changelog.read_text()
    changelog.write_text(text.replace(text.partition('## ')[2].partition('\n')[0], f'{__version__} (unreleased)', 1))
    assert complaints(root, f'v{__version__}') == [
        f'CHANGELOG.md has no line "## {__version__} (YYYY-MM-DD)": it is not released yet'
    ]

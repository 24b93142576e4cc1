"""docs/triage.md and the README say what triage does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tablefull.command import answer
from tablefull.findings.catalogue import CATALOGUE
from tablefull.triage.catalogue import CAUSES
from tests.golden.cases import cases, golden, triage

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / 'docs' / 'triage.md').read_text()
OUTAGES = (ROOT / 'docs' / 'outages.md').read_text()


def test_the_table_of_causes_by_evidence_is_that_of_the_code() -> None:
    rows = re.findall(r'^\| `([a-z-]+)` \| (.+) \| (.+) \| (?:\[(O\d)\]\(.+\))? ?\|$', PAGE, re.MULTILINE)
    assert rows == [(code, kind.named, kind.not_by, kind.outage[:2]) for code, kind in CAUSES.items()]


def test_every_outage_has_its_cause() -> None:
    headings = re.findall(r'^## (O\d: .+)$', OUTAGES, re.MULTILINE)
    assert len(headings) == 5
    assert {kind.outage for kind in CAUSES.values()} - {''} == set(headings)


def test_a_cause_is_no_finding_and_has_a_title_like_one() -> None:
    for code, kind in CAUSES.items():
        assert code not in CATALOGUE
        assert re.fullmatch(r'[a-z]+(-[a-z]+)+', code)
        assert not kind.title.endswith('.')


@pytest.mark.parametrize('code', CAUSES)
def test_explain_prints_what_is_known_of_a_cause(code: str) -> None:
    status, text = answer(['explain', code])
    assert status == 0
    kind = CAUSES[code]
    assert text.startswith(f'# {code}: {kind.title}\n')
    for piece in (kind.named, kind.not_by, kind.outage):
        assert piece in text


def screens(page: str) -> list[tuple[str, str]]:
    return re.findall(r'^<!-- triage of (\S+) -->\n```\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)


def test_the_page_shows_screens_as_they_are() -> None:
    shown = screens(PAGE)
    assert len(shown) == 4
    for case, text in shown:
        assert text == Path(golden(case, 'triage', 'txt')).read_text()


def test_the_readme_shows_the_beginning_of_one() -> None:
    ((case, text),) = screens((ROOT / 'README.md').read_text())
    beginning, dots = text.rstrip('\n').rsplit('\n', 1)
    assert dots == '...'
    assert Path(golden(case, 'triage', 'txt')).read_text().startswith(beginning + '\n')


def paths(value: Any, path: str = '') -> set[str]:
    """Paths of everything in it; of parts that are described elsewhere, what they are below."""
    if path in ('kernel', 'findings[]', 'unseen[]') and isinstance(value, dict):
        return {f'{path}.*'} | ({'findings[].explained_by[]'} if path == 'findings[]' else set())
    if isinstance(value, dict):
        return {found for name, part in value.items() for found in paths(part, f'{path}.{name}'.removeprefix('.'))}
    if isinstance(value, list):
        return {found for part in value for found in paths(part, f'{path}[]')}
    return {path}


def test_every_field_is_described_and_emitted() -> None:
    described = set(re.findall(r'^\| `([a-z_.*\[\]]+)` \| (?:text|number)', PAGE, re.MULTILINE))
    emitted = {path for case in cases() for path in paths(json.loads(triage(case, '--output', 'json')[1]))}
    # Only what is read from a capture has an origin.
    assert described == emitted | {'origin[]'}


def test_nothing_is_null_or_a_truth_value() -> None:
    def walk(value: Any) -> None:
        assert value is not None and not isinstance(value, bool)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for part in parts:
            walk(part)

    for case in cases():
        walk(json.loads(triage(case, '--output', 'json')[1]))

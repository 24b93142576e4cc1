"""`tablefull top` on trees of files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tablefull.command import answer as command
from tablefull.readers import survey as surveys
from tablefull.readers.flows import SEEN_REPLY
from tablefull.readers.survey import Survey
from tablefull.readers.tally import BY, Group, Kind
from tablefull.top import main
from tablefull.top.main import answer
from tablefull.top.options import OPTIONS
from tests.unit.readers.trees import tree

FIXTURES = Path(__file__).parents[2] / 'fixtures'
E2 = str(FIXTURES / 'E2-abuser-below-max')
E6 = str(FIXTURES / 'E6-formats-offload')
E5 = str(FIXTURES / 'E5-formats-acct-zones-nat')


def told(*argv: str) -> dict[str, Any]:
    code, text = answer([*argv, '--output', 'json'])
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_range_of_the_abuser_comes_first() -> None:
    # In this tree 198.18.7.0/24 holds most of the table.
    code, text = answer(['--root', E2])
    assert code == 0
    lines = (Path(E2) / 'proc/net/nf_conntrack').read_text().splitlines()
    sources = [line.split('src=')[1].split()[0] for line in lines]
    first = told('--root', E2)['groups'][0]
    network = first['group'].rpartition('.')[0] + '.'
    assert first['flows'] == sum(source.startswith(network) for source in sources)
    assert first['share'] > 50
    assert first['group'] in text


@pytest.mark.parametrize('by', BY)
def test_every_way_to_group_counts_every_connection_once(by: str) -> None:
    found = told('--root', E5, '--by', by, '--limit', '1000')
    assert sum(group['flows'] for group in found['groups']) + found['others'] == found['counted'] == 34
    assert sum(state['flows'] for state in found['states']) == 34
    assert (found['complete'], found['low'], found['margin']) == (1, 0, 0.0)


@pytest.mark.parametrize('by', BY)
def test_a_screen_is_of_80_columns(by: str) -> None:
    code, text = answer(['--root', E5, '--by', by])
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()


def test_only_what_was_never_answered_and_only_one_family() -> None:
    lines = (Path(E5) / 'proc/net/nf_conntrack').read_text().splitlines()
    assert told('--root', E5, '--unanswered')['counted'] == sum('[UNREPLIED]' in line for line in lines)
    assert told('--root', E5, '--family', 'ipv6')['counted'] == sum(line.startswith('ipv6') for line in lines)


def test_zones_are_told_apart() -> None:
    found = {group['group']: group['flows'] for group in told('--root', E5, '--by', 'zone')['groups']}
    text = (Path(E5) / 'proc/net/nf_conntrack').read_text()
    assert found['5'] == text.count(' zone=5 ')
    assert found['7'] == text.count(' zone-orig=7 ')


def test_offloaded_connections_are_counted_by_source_and_called_so() -> None:
    # Recorded on 6.1 with a flowtable: no timeout, no state, and so nothing in its usual place of the line.
    lines = (Path(E6) / 'proc/net/nf_conntrack').read_text().splitlines()
    states = {state['state']: state['flows'] for state in told('--root', E6)['states']}
    tcp = [line for line in lines if 'OFFLOAD]' in line and ' tcp ' in line]
    assert states['tcp offloaded'] == len(tcp) > 0
    found = {
        group['group']: group['flows'] for group in told('--root', E6, '--by', 'source', '--limit', '99')['groups']
    }
    ipv4 = [line.partition('src=')[2].split()[0] for line in lines if line.startswith('ipv4')]
    assert {name: n for name, n in found.items() if '.' in name} == Counter(ipv4)


SAMPLED = Survey(
    'source', 200_000, 262_144, 20_000, False, 0.1, 'ctnetlink',
    [(bytes((10, 0, 0, n)), Group(2000, 500)) for n in range(10)], [], {Kind(6, SEEN_REPLY, 'ESTABLISHED'): 20_000},
)  # fmt: skip


def test_a_sample_says_how_sure_it_is_and_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, 'survey', lambda *words, **named: SAMPLED)
    code, text = answer(['--by', 'source'])
    assert code == 0
    assert 'a sample of 20000, shares right to +-0.7%' in ' '.join(text.split())
    assert '   ~20000   10.0 %     25.0 %  10.0.0.0' in text
    found = told('--by', 'source')
    assert (found['complete'], found['margin']) == (0, 0.66)
    assert found['groups'][0]['margin'] == 0.39


def test_too_many_keys_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, 'survey', lambda *words, **named: SAMPLED._replace(complete=True, low=15))
    assert 'too many to keep apart, so a count may be low by 15' in ' '.join(answer([])[1].split())


@pytest.mark.parametrize(
    ('argv', 'reason'),
    [
        (['--by', 'colour'], "--by: 'colour' is not one of source,"),
        (['--limit', '0'], '--limit: not between 1 and 1000'),
        (['--sample', '0'], '--sample'),
        (['--nonsense'], 'is no option; see tablefull top --help'),
        (['--root', '/nonexistent/x'], 'cannot read /nonexistent/x'),
        (['--root', E5, '--sockets'], 'only this host itself has sockets'),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_exit_code_3(argv: list[str], reason: str) -> None:
    code, text = answer(argv)
    assert code == 3
    assert text.startswith('TABLEFULL UNKNOWN - ')
    assert reason in text


def test_a_tree_without_tracking_says_so(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/sys/kernel/osrelease': '6.1.0'})
    assert answer(['--root', root]) == (
        3,
        'TABLEFULL UNKNOWN - connection tracking: not loaded, so no connection is tracked',
    )


def test_where_asking_would_load_a_module_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    why = 'nf_conntrack_netlink is not loaded, and asking would load it'
    monkeypatch.setattr(surveys.ctnetlink, 'why_not', lambda root: why)
    monkeypatch.setattr(surveys.flow_listing, 'why_not', lambda root, entries: 'no listing')

    def never(*words: object) -> None:
        raise AssertionError('asked')

    monkeypatch.setattr(surveys.ctnetlink, 'dump', never)
    code, text = answer([])
    assert code == 3
    assert why in text
    assert '  do: modprobe nf_conntrack_netlink' in text
    code, text = answer(['--output', 'json'])
    assert (code, json.loads(text)['remedy'][:8]) == (3, 'modprobe')


def test_the_page_knows_every_option_with_its_default() -> None:
    page = (FIXTURES.parents[1] / 'docs' / 'top.md').read_text()
    for option in OPTIONS:
        metavar = f' {option.metavar}' if option.metavar else ''
        default = f'`{option.default}`' if option.default else ''
        assert f'| `--{option.name}{metavar}` | {default}'.rstrip() in page


def test_the_command_has_help_and_hands_over() -> None:
    code, text = command(['top', '--help'])
    assert code == 0
    assert '--by WHAT' in text
    assert (
        command(['top', '--root', E5, '--limit', '2'])[1].splitlines()[0] == answer(['--root', E5])[1].splitlines()[0]
    )

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.frame import option_table, options
from tablefull.frame.options import COMMON, HelpAsked, Option, UsageError, missing_option, parse, parse_range

TABLE = (
    Option('warning', 'range', '80', 'usage', 'w', 'RANGE'),
    Option('entries-warning', 'range', '', 'entries', metavar='RANGE'),
    Option('since', 'duration', '15m', 'how far back', metavar='TIME'),
    missing_option('it is not loaded', 'ok'),
    *COMMON,
)


def parsed(*argv: str) -> argparse.Namespace:
    return parse('check_x', 'Judge x.', TABLE, list(argv))


def test_an_empty_value_counts_as_not_given() -> None:
    given_nothing, given_empty = parsed(), parsed('--warning', '', '--since', '', '--root', '', '--missing', '')
    assert vars(given_nothing) == vars(given_empty)
    assert str(given_empty.warning) == '80'
    assert given_empty.entries_warning is None


def test_a_threshold_of_zero_is_a_threshold() -> None:
    # nagiosplugin.Range(0) with an int matches everything; "0" must not.
    assert not parsed('-w', '0').warning.match(1)
    assert parsed('-w', '0').warning.match(0)


@pytest.mark.parametrize('text', ['80%', '1e3', 'nan', 'inf', 'abc', '10:5', '@', ':', '1:2:3', '0x10', '٣', '5 0'])
def test_what_is_no_range_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match='--warning'):
        parsed(f'--warning={text}')


@pytest.mark.parametrize('text', ['80', '80.5', '10:20', '@10:20', '~:0', '5:', '-5:5', '@~:3'])
def test_every_form_of_range_of_the_guidelines_is_understood(text: str) -> None:
    assert parse_range(text) is not None


@pytest.mark.parametrize(('text', 'shown'), [('90.500000', '90.5'), ('0.250000:90.5', '0.25:90.5')])
def test_a_fraction_as_icinga_writes_it_is_understood(text: str, shown: str) -> None:
    assert str(parse_range(text)) == shown


def test_a_list_given_twice_is_one_list() -> None:
    # Icinga repeats the option for each element of an array.
    given = parsed('--ignore', 'conntrack-drops,ferm-age', '--ignore', '', '--ignore', 'xtables-rejection')
    assert given.ignore == ('conntrack-drops', 'ferm-age', 'xtables-rejection')
    assert parsed('--ignore', '').ignore is None


def test_a_percent_sign_is_a_star_that_zabbix_lets_pass() -> None:
    assert option_table.parse_names('nf_%,xt_MASQ*') == ('nf_*', 'xt_MASQ*')


@given(st.text(max_size=12))
def test_any_text_is_a_range_or_a_value_error(text: str) -> None:
    try:
        limits = parse_range(text)
    except ValueError:
        return
    assert 'e' not in str(limits)
    assert isinstance(limits.match(5), bool)


@pytest.mark.parametrize(
    ('argv', 'reason'),
    [
        (['--nonsense'], 'unrecognized arguments'),
        (['stray'], 'unrecognized arguments'),
        (['--warn', '5'], 'unrecognized arguments'),  # no abbreviations: they would become an API
        (['--since', '0'], 'not a length of time'),
        (['--since', 'yesterday'], 'not a length of time'),
        (['--timeout', '0'], 'not a length of time'),
        (['--timeout', '100000'], '86400'),
        (['--missing', 'maybe'], 'not one of ok, warning, critical, unknown'),
        (['--output', 'xml'], 'not one of nagios, json'),
        (['--ignore', 'conntrack-tabel-full'], 'no finding code'),
        (['--warning'], 'expected one argument'),
    ],
)
def test_bad_arguments_say_what_is_wrong(argv: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parsed(*argv)


def test_help_and_version_are_asked_for_not_errors() -> None:
    with pytest.raises(HelpAsked, match='usage: check_x'):
        parsed('--help')
    with pytest.raises(HelpAsked, match=r'check_x \(tablefull\) \d'):
        parsed('-V')


def test_help_names_every_option_with_its_default() -> None:
    with pytest.raises(HelpAsked) as asked:
        parsed('-h')
    text = ' '.join(str(asked.value).split())
    for option in TABLE:
        assert f'--{option.name}' in text
        if option.default:
            assert f'(default: {option.default})' in text


def test_a_relative_path_counts_from_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parsed('--root', 'tree/').root == str(tmp_path / 'tree')


def test_times_have_units() -> None:
    assert [option_table.parse_duration(text) for text in ('90', '90s', '15m', '2h', '1d')] == [
        90,
        90,
        900,
        7200,
        86400,
    ]


def test_codes_to_ignore_are_a_list() -> None:
    assert parsed('--ignore', 'conntrack-drops,conntrack-early-drops').ignore == (
        'conntrack-drops',
        'conntrack-early-drops',
    )


def test_verbosity_adds_up() -> None:
    assert parsed('-vv', '-v').verbose == 3


@pytest.mark.parametrize('option', COMMON + TABLE[:4], ids=lambda option: option.name)
def test_values_need_no_character_that_nrpe_or_zabbix_refuses(option: Option) -> None:
    assert not set(option.default) & set('\\\'"`*?[]{}~$!&;()<>|#\n')
    assert option.kind in (*options.KINDS, 'flag', 'count')


@pytest.mark.parametrize('option', ['timeout', 'warning', 'root'])
def test_two_dashes_are_no_value(option: str) -> None:
    # argparse turns them into an empty list.
    with pytest.raises(UsageError, match=f'--{option}'):
        parsed(f'--{option}=--')

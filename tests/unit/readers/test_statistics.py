from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablefull.readers.files import ReadError
from tablefull.readers.statistics import Statistics, parse_statistics

PATH = '/proc/net/stat/nf_conntrack'

# Header lines as each generation prints them, irregular blanks included (kernel facts, section 2).
HEADERS = {
    '2.6.32': 'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop '
    'icmp_error  expect_new expect_create expect_delete',
    '2.6.35': 'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop '
    'icmp_error  expect_new expect_create expect_delete search_restart',
    '5.10': 'entries  clashres found new invalid ignore delete delete_list insert insert_failed drop early_drop '
    'icmp_error  expect_new expect_create expect_delete search_restart',
    '5.15': 'entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop '
    'icmp_error  expect_new expect_create expect_delete search_restart',
}
COLUMNS = ('insert_failed', 'drop', 'early_drop', 'invalid')


def statistics(header: str, *rows: dict[str, int]) -> str:
    names = header.split()
    lines = [' '.join(f'{row.get(name, 0):08x}' for name in names) + ' ' for row in rows]
    return '\n'.join([header, *lines]) + '\n'


def parsed(text: str) -> Statistics:
    return parse_statistics(text, PATH, 'drop')


@pytest.mark.parametrize('generation', HEADERS)
def test_columns_are_found_by_name_in_every_generation(generation: str) -> None:
    rows = ({'entries': 512, 'drop': 0xFF, 'invalid': 1}, {'entries': 512, 'drop': 1, 'early_drop': 0x2C9})
    found = parsed(statistics(HEADERS[generation], *rows))
    assert [found.total(name) for name in COLUMNS] == [0, 256, 713, 1]
    assert found.per_cpu('drop') == (255, 1)


def test_entries_are_repeated_per_cpu_and_never_summed() -> None:
    assert parsed(statistics(HEADERS['5.15'], {'entries': 512}, {'entries': 512})).total('entries') == 512


def test_a_column_this_kernel_has_not_is_none_not_zero() -> None:
    assert parsed(statistics(HEADERS['2.6.32'], {})).total('search_restart') is None
    assert parsed(statistics(HEADERS['5.10'], {})).total('chainlength') is None


def test_possible_cpus_that_are_not_online_have_rows_too() -> None:
    assert len(parsed(statistics(HEADERS['5.15'], *[{}] * 128)).rows) == 128


@pytest.mark.parametrize(
    'text',
    [
        '',
        '\n\n',
        'garbage',
        HEADERS['5.15'],
        HEADERS['5.15'] + '\n00000001 00000002\n',
        HEADERS['5.15'] + '\n' + ' '.join(['zzzzzzzz'] * 17),
        HEADERS['5.15'] + '\n' + ' '.join(['0x000000'] * 17),
        HEADERS['5.15'] + '\n' + ' '.join(['-0000001'] * 17),
        'entries drop drop\n0 0 0\n',
        'entries drop\n' + '0 0\n' * 9000,
        HEADERS['5.15'].replace('drop', 'drop\0') + '\n' + ' '.join(['00000000'] * 17),
    ],
)
def test_what_is_no_statistics_is_a_read_error(text: str) -> None:
    with pytest.raises(ReadError, match='/proc/net/stat/nf_conntrack: '):
        parsed(text)


def test_ten_thousand_mutations_never_surprise() -> None:
    good = statistics(HEADERS['5.15'], {'entries': 512, 'drop': 255}, {'entries': 512})
    chance = random.Random(1)
    for _ in range(10_000):
        text = list(good)
        for _ in range(chance.randint(1, 6)):
            where = chance.randrange(len(text))
            text[where : where + chance.randint(0, 9)] = chance.choice(
                ['', '\0', '|', '\n', ' ', 'f', '-', '٣', 'x' * 99]
            )
        try:
            found = parsed(''.join(text))
        except ReadError:
            continue
        assert all(len(row) == len(found.columns) for row in found.rows)
        assert (found.total('drop') or 0) >= 0


@settings(max_examples=300)
@given(st.text(max_size=300))
def test_any_text_is_statistics_or_a_read_error(text: str) -> None:
    try:
        parsed(text)
    except ReadError:
        pass

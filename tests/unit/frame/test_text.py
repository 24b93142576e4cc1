from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tablefull.findings.wording import duration, number, quantity
from tablefull.frame.text import clean, shorten


def test_control_characters_are_shown_not_sent() -> None:
    assert clean('\x1b[31mred\n\r\t\x00') == r'\x1b[31mred\x0a\x0d\x09\x00'


def test_the_perfdata_separator_cannot_be_forged() -> None:
    assert clean('full | usage=1') == r'full \x7c usage=1'


def test_text_cannot_be_turned_around() -> None:
    assert clean('a\u202eb\u200b') == r'a\u202eb\u200b'


def test_plain_text_of_any_language_stays() -> None:
    assert clean('Überlauf der Nachbartabelle') == 'Überlauf der Nachbartabelle'


@given(st.text())
def test_whatever_comes_in_one_printable_line_comes_out(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert '|' not in cleaned
    assert clean(cleaned) == cleaned


@given(st.text(), st.integers(4, 200))
def test_shortening_keeps_the_width(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width


@given(st.floats(-1e12, 1e12) | st.integers(-(10**15), 10**15))
def test_numbers_are_plain_decimals(value: float) -> None:
    text = number(value)
    assert set(text) <= set('-0123456789.')
    assert abs(float(text) - value) <= 0.0051


def test_numbers_are_rounded() -> None:
    assert [number(value) for value in (0.1 + 0.2, 1e-07, 80.0, -0.001, 262144)] == ['0.3', '0', '80', '0', '262144']


def test_lengths_of_time_and_quantities_read_well() -> None:
    assert [duration(value) for value in (45, 720, 10800, 432000)] == ['45 s', '12 min', '3 h', '5 d']
    assert [quantity(1, 'entry', 'entries'), quantity(2, 'entry', 'entries'), quantity(3, 'packet')] == [
        '1 entry',
        '2 entries',
        '3 packets',
    ]

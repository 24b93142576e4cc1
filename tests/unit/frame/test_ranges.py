"""Ranges by hand alert when nagiosplugin's do."""

from __future__ import annotations

import nagiosplugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.frame.options import parse_range
from tablefull.frame.ranges import outside

NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda value: round(value, 2))


@st.composite
def ranges(draw: st.DrawFn) -> str:
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    start = draw(st.sampled_from(['', '~:', ':', f'{low}:']))
    return draw(st.sampled_from(['', '@'])) + start + (str(max(high, 0) if start in ('', ':') else high))


@given(ranges(), NUMBERS)
def test_a_range_alerts_when_that_of_nagiosplugin_does(text: str, value: float) -> None:
    assert outside(text, value) == (not nagiosplugin.Range(text).match(value))


@pytest.mark.parametrize('text', ['80', '0', '10:', '~:0', '@5:9', '10:20', ':5', '@10:', '-5:-1'])
def test_edges_belong_to_the_range(text: str) -> None:
    for value in (-5, -1, 0, 5, 9, 10, 20, 80):
        for step in (-0.01, 0, 0.01):
            assert outside(text, value + step) == (not parse_range(text).match(value + step)), (text, value + step)

"""JSON by hand says what the json module says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.frame.json_text import decode, encode

# A surrogate in a path or a log line must not end a snapshot.
TEXT = st.text(st.characters(), max_size=20) | st.text('"\\/\b\f\n\r\t\0\x7f\u2028\ud800\U0001f600', max_size=9)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x == 0 or abs(x) >= 1e-4)
VALUES = st.recursive(
    TEXT | NUMBERS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_what_is_written_is_what_was_given(value: Any) -> None:
    text = encode(value)
    assert text.isascii() and text.isprintable()
    assert json.loads(text) == value
    assert type(json.loads(text)) is type(value)
    assert json.loads(encode(value, 2)) == value


@given(VALUES)
def test_it_is_written_as_the_json_module_writes_it(value: Any) -> None:
    if 'e' not in repr(json.loads(json.dumps(value), parse_float=float)):
        assert encode(value) == json.dumps(value, separators=(',', ':')).replace('\x7f', '\\u007f')
        assert encode(value, 2) == json.dumps(value, indent=2).replace('\x7f', '\\u007f')


@given(VALUES)
def test_what_the_json_module_wrote_is_read(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        assert decode(text) == json.loads(text) == value


@given(st.text('[]{}",:\\ \n0123456789.eE+-truefalsnNaIity', max_size=30))
def test_whatever_else_is_read_as_the_json_module_reads_it(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            decode(text)
    else:
        assert repr(decode(text)) == repr(expected)


@pytest.mark.parametrize('value', [None, True, {1: 2}, {'a': None}, [False], {'a': {'b': object()}}, b'x', {'a': {1}}])
def test_what_a_template_could_stumble_over_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError):
        encode([value])


@pytest.mark.parametrize(('value', 'text'), [(1e-07, '0.000000'), (5e-05, '0.000050'), (1e22, f'{10**22}.000000')])
def test_no_number_has_an_exponent(value: float, text: str) -> None:
    assert encode(value) == text


def test_endless_nesting_is_an_error_and_no_crash() -> None:
    with pytest.raises((ValueError, RecursionError)):
        decode('[' * 1_000_000)


def test_damage_is_found_without_the_json_module_in_memory() -> None:
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from tablefull.frame.json_text import decode\n'
        'print(decode("[1]"), "json" in sys.modules)\n'
        'try: decode("{")\n'
        'except ValueError as error: print("refused")\n'
    )
    plugins = str(Path(__file__).parents[3] / 'plugins')
    done = subprocess.run([sys.executable, '-IS', '-c', script, plugins], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ('[1] False\nrefused\n', '')

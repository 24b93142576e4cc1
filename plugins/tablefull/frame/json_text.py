"""JSON without `import json`, which costs half of what an empty Python process costs: most of it for `re`."""

from __future__ import annotations

from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_SHORT = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f'}
_SCALARS = (int, str, float)
_CONSTANTS = {'NaN': float('nan'), 'Infinity': float('inf'), '-Infinity': float('-inf')}


def encode(value: Any, indent: int | None = None) -> str:
    """`value` as JSON in ASCII, on one line; over many lines, as json.dumps writes them, with `indent` blanks a level.

    Takes dicts with text for keys, lists, tuples, text, whole numbers and floats; those too small to be written
    without an exponent are rounded. Raises TypeError for anything else (None, True), ValueError for numbers that are
    none (NaN, infinity): nothing that some reader of JSON could stumble over is ever written.
    """
    pieces: list[str] = []
    _append(pieces, value, '' if indent is None else '\n', '' if indent is None else ' ' * indent)
    return ''.join(pieces)


def _append(pieces: list[str], value: Any, start: str, step: str) -> None:
    kind = type(value)
    if kind is dict and all(type(key) is str for key in value):
        colon = ': ' if step else ':'
        _append_all(pieces, [(_text(key) + colon, part) for key, part in value.items()], '{}', start, step)
    elif kind is list or kind is tuple:
        _append_all(pieces, [('', part) for part in value], '[]', start, step)
    else:
        pieces.append(_scalar(value))


def _append_all(pieces: list[str], parts: list[tuple[str, Any]], brackets: str, start: str, step: str) -> None:
    inner = start + step
    separator = brackets[0] + inner
    for key, part in parts:
        # Most parts are numbers and text: no call of the general function for those.
        if type(part) in _SCALARS:
            pieces.append(separator + key + _scalar(part))
        else:
            pieces.append(separator + key)
            _append(pieces, part, inner, step)
        separator = ',' + inner
    pieces.append((start if parts else brackets[0]) + brackets[1])


def _scalar(value: Any) -> str:
    # Exact types: a bool is an int to Python, and no number to a template.
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return _text(value)
    if kind is float:
        return _decimal(value)
    raise TypeError(f'{kind.__name__} has no place in it')


def _text(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and '\\' not in text:
        return f'"{text}"'
    return '"' + ''.join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if 0x20 <= number < 0x7F:
        return character
    if number < 0x10000:
        return f'\\u{number:04x}'
    number -= 0x10000
    return f'\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}'


def _decimal(value: float) -> str:
    # NaN is the only number that is not itself.
    if value != value or value in (_CONSTANTS['Infinity'], _CONSTANTS['-Infinity']):
        raise ValueError('not a number')
    text = repr(value)
    return f'{value:.6f}' if 'e' in text else text


class _Context:
    """What the scanner of the json module wants to know."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__


def decode(text: str) -> Any:
    """What json.loads makes of `text`. Raises ValueError, and RecursionError for what is nested without end."""
    text = text.strip(' \t\n\r')
    try:
        # The C half of the json module, as it has been since Python 3.2.
        from _json import make_scanner

        value, end = make_scanner(_Context)(text, 0)  # type: ignore[arg-type]  # any object will do
        if end == len(text):
            return value
    except (ImportError, AttributeError, TypeError, StopIteration, SystemError, ValueError):
        # Another Python, or not JSON: without the module around it the scanner cannot say what is wrong.
        pass
    import json

    return json.loads(text)

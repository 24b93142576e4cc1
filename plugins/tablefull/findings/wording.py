"""Numbers and lengths of time in sentences and in performance data."""

from __future__ import annotations


def number(value: float) -> str:
    """A plain decimal: at most two places, no exponent, no trailing zeros. 0.3 for 0.30000000000000004."""
    if isinstance(value, int):
        return str(value)
    text = f'{value:.2f}'.rstrip('0').rstrip('.')
    return '0' if text == '-0' else text


def quantity(count: int, noun: str, plural: str = '') -> str:
    """'1 entry', '2 entries': the count with its noun; the plural is the noun with an s unless given."""
    return f'{count} {noun if count == 1 else plural or noun + "s"}'


def duration(seconds: float) -> str:
    """A rough length of time for people: '45 s', '12 min', '3 h', '5 d'."""
    for limit, unit, name in ((120, 1, 's'), (7200, 60, 'min'), (172800, 3600, 'h')):
        if seconds < limit:
            return f'{int(seconds / unit)} {name}'
    return f'{int(seconds / 86400)} d'


def shown(value: object) -> str:
    """A fact for people: 'yes', 'a, b', 'unknown', where Python would say True, ('a', 'b'), None."""
    if value is None:
        return 'unknown'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, dict):
        return ', '.join(f'{name} {shown(part)}' for name, part in value.items()) or 'none'
    if hasattr(value, '_asdict'):
        return shown(value._asdict())
    if isinstance(value, (frozenset, set)):
        value = sorted(value)
    if isinstance(value, (list, tuple)):
        return ', '.join(shown(part) for part in value) or 'none'
    return number(value) if isinstance(value, float) else str(value)


def quoted(path: str) -> str:
    """As one word of a shell. shlex imports re."""
    plain = all(letter.isalnum() or letter in '/._-+@' for letter in path)
    return path if plain else "'" + path.replace("'", "'\\''") + "'"

"""Cleaning and cutting of text for output. Kernel log lines and file names are hostile."""

from __future__ import annotations

FIRST_LINE = 118  # characters before the perfdata
WHOLE = 1000  # bytes of the whole default output: NRPE's old packets carry 1023


def clean(text: str) -> str:
    r"""One printable line: control and format characters and the perfdata separator become \xHH or \uHHHH."""
    if text.isprintable() and '|' not in text:
        return text
    return ''.join(
        character
        if character.isprintable() and character != '|'
        else (f'\\x{ord(character):02x}' if ord(character) < 256 else f'\\u{ord(character):04x}')
        for character in text
    )


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut with an ellipsis of three dots."""
    return text if len(text) <= width else text[: width - 3].rstrip() + '...'

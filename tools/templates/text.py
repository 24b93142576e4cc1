"""Words that the definitions of every system share."""

from __future__ import annotations

import textwrap

from tablefull.frame.options import Option

# What begins a line of comment.
COMMENT = {'c': '// ', 'shell': '# '}


def generated(about: str, comment: str) -> list[str]:
    """The head of a generated file: what it is, and why nobody should edit it in the project."""
    text = f'{about}\n\nWritten by `make templates` from the option tables of the checks.'
    return [*(f'{comment}{line}'.rstrip() for line in text.splitlines()), '']


def wrapped(text: str, comment: str, width: int = 110) -> list[str]:
    """A sentence as lines of comment."""
    return [comment + line for line in textwrap.wrap(text, width)]


def described(option: Option) -> str:
    """What --help says of an option, as a sentence: its help, the words it takes, its default."""
    text = option.help[0].upper() + option.help[1:]
    if option.choices:
        text += f' ({", ".join(option.choices)})'
    if option.default:
        text += f' (default: {option.default})'
    return text + '.'

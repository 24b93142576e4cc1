"""The options of `tablefull snapshot`, read without argparse."""

from __future__ import annotations

from tablefull.frame.option_table import READERS, Option, Values, defaults
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

OPTIONS = (
    Option('expect', 'choice', 'none', 'what is meant to be loaded', metavar='WHAT', choices=('none', 'loaded')),
    Option('allow', 'names', '', 'modules that may be loaded; * or % stands for any characters', metavar='NAMES'),
    Option('forbid', 'names', '', 'modules that are CRITICAL whatever is expected or allowed', metavar='NAMES'),
    Option('require', 'names', '', 'modules that must be loaded or compiled in', metavar='NAMES'),
    Option(
        'since', 'duration', '15m', 'how far to look back in the kernel log; an overflow counts so long', metavar='TIME'
    ),
    Option('ignore', 'codes', '', 'findings that do not count, by code', metavar='CODE,CODE'),
    Option('timeout', 'seconds', '2.5', 'give up on what has not been read after so long', metavar='SECONDS'),
    Option('root', 'path', '/', 'read proc, sys, dev, etc, run and var below this directory', metavar='DIR'),
    Option('state-dir', 'path', '', 'where to remember counters between two runs', metavar='DIR'),
    Option('pretty', 'flag', '', 'over many lines'),
)


def parse(argv: list[str]) -> Values:
    """The options in `argv`: `--name value` or `--name=value`, a list also in several. Raises ValueError."""
    known = {f'--{option.name}': option for option in OPTIONS}
    values: dict[str, Any] = defaults(OPTIONS)
    words = iter(argv)
    for word in words:
        name, equals, text = word.partition('=')
        option = known.get(name)
        if option is None:
            raise ValueError(f'{word!r} is no option; see tablefull snapshot --help')
        if option.kind == 'flag':
            if equals:
                raise ValueError(f'{name} takes no value')
            values[option.variable] = True
            continue
        if not equals:
            try:
                text = next(words)
            except StopIteration:
                raise ValueError(f'{name} needs a value') from None
        # Icinga passes an empty value for a variable that is set to nothing: as if the option were not there.
        if text:
            values[option.variable] = _value(option, text, values[option.variable])
    return Values(**values)


def _value(option: Option, text: str, before: Any) -> Any:
    if option.choices and text not in option.choices:
        raise ValueError(f'--{option.name}: {text!r} is not one of {", ".join(option.choices)}')
    try:
        value = READERS[option.kind](text)
    except ValueError as error:
        raise ValueError(f'--{option.name} {text!r}: {error}') from None
    return (before or ()) + value if option.kind in ('names', 'codes') else value

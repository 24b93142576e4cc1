"""The options of a command, read without argparse."""

from __future__ import annotations

from tablefull.frame.option_table import READERS, Option, Values, defaults
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def parse_words(command: str, options: tuple[Option, ...], argv: list[str]) -> Values:
    """The options in `argv`: `--name value` or `--name=value`, a list also in several. Raises ValueError.

    `command` is named in errors, e.g. 'tablefull snapshot'.
    """
    known = {f'--{option.name}': option for option in options}
    values: dict[str, Any] = defaults(options)
    words = iter(argv)
    for word in words:
        name, equals, text = word.partition('=')
        option = known.get(name)
        if option is None:
            raise ValueError(f'{word!r} is no option; see {command} --help')
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

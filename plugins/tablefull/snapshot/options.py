"""The options of `tablefull snapshot`, read without argparse."""

from __future__ import annotations

from tablefull.frame.option_table import Option, Values
from tablefull.frame.words import parse_words

OPTIONS = (
    Option('expect', 'choice', 'none', 'what is meant to be loaded', metavar='WHAT', choices=('none', 'loaded')),
    Option('allow', 'names', '', 'modules that may be loaded; * or % stands for any characters', metavar='NAMES'),
    Option('forbid', 'names', '', 'modules that are CRITICAL whatever is expected or allowed', metavar='NAMES'),
    Option('require', 'names', '', 'modules that must be loaded or compiled in', metavar='NAMES'),
    Option(
        'since', 'duration', '15m', 'how far to look back in the kernel log; an overflow counts so long', metavar='TIME'
    ),
    Option('namespaces', 'flag', '', 'the tracking tables of all network namespaces as well'),
    Option('ignore', 'codes', '', 'findings that do not count, by code', metavar='CODE,CODE'),
    Option('timeout', 'seconds', '2.5', 'give up on what has not been read after so long', metavar='SECONDS'),
    Option('root', 'path', '/', 'read proc, sys, dev, etc, run and var below this directory', metavar='DIR'),
    Option('state-dir', 'path', '', 'where to remember counters between two runs', metavar='DIR'),
    Option('pretty', 'flag', '', 'over many lines'),
)


def parse(argv: list[str]) -> Values:
    """The options in `argv`. Raises ValueError."""
    return parse_words('tablefull snapshot', OPTIONS, argv)

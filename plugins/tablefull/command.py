"""The `tablefull` command: triage names causes, capture packs a host, explain prints a page, snapshot all.

launch.py, the entry point, takes snapshots and looks at the top without coming here.
"""

from __future__ import annotations

import os
import sys

try:
    from tablefull import __version__
    from tablefull.findings.catalogue import CATALOGUE
    from tablefull.frame.options import Option, UsageError, build_parser
    from tablefull.frame.plugin import leave
    from tablefull.frame.text import clean
    from tablefull.readers.files import ReadError, read_text
except ImportError as error:
    print(f'TABLEFULL UNKNOWN - {error}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

DESCRIPTION = (
    'Name the causes of what the checks of tablefull find, explain it, and print all of it as one JSON object.'
)
TRIAGE = 'name the cause of what the checks find, and what to do by hand'
CAPTURE = 'pack exactly what the readers read into a new file, for a triage elsewhere'
SNAPSHOT = 'print everything that is known of this host as one JSON object'
TOP = 'show who holds the connection tracking table, by range of addresses, source, port and so on'
TEMPLATES = 'list the definitions for monitoring systems, or write them with the paths of this installation'
OPTIONS = (
    Option('version', 'flag', '', 'print the version', 'V'),
    Option('help', 'flag', '', 'print this help', 'h'),
)

# docs/findings: a symbolic link in a checkout, the files themselves in an installed package.
PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pages')


def main() -> None:
    """Entry point."""
    try:
        code, text = answer(sys.argv[1:])
    except KeyboardInterrupt:
        code, text = 130, ''
    except Exception as error:  # noqa: BLE001  # the promise: one clear line, nothing on standard error
        code, text = refuse(f'internal error: {type(error).__name__}: {error}')
    leave(code, text)


def answer(argv: list[str]) -> tuple[int, str]:
    """(exit code, output): 0 with what was asked for, 3 with the reason why not. Does not raise and does not exit."""
    # These have parsers of their own, and import what they need only then.
    others = {
        'triage': (TRIAGE, triage),
        'capture': (CAPTURE, capture),
        'snapshot': (SNAPSHOT, snapshot),
        'top': (TOP, top),
        'templates': (TEMPLATES, templates),
    }
    if argv and argv[0] in others:
        return others[argv[0]][1](argv[1:])
    parser = build_parser('tablefull', DESCRIPTION, OPTIONS)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', title='commands')
    about = 'print the page of a finding; without CODE list all codes'
    explaining = commands.add_parser(
        'explain', help=about, description=about, add_help=False, formatter_class=parser.formatter_class
    )
    explaining.add_argument('code', nargs='?', metavar='CODE', help='as a check prints it, e.g. conntrack-table-full')
    # A name of its own: the one above would be set back to False by the options of the command.
    explaining.add_argument('-h', '--help', action='store_true', dest='help_explain', help='print this help')
    for name, (help_text, _) in others.items():
        commands.add_parser(name, help=help_text, add_help=False)
    try:
        options = parser.parse_args(argv)
    except UsageError as error:
        return refuse(f'{error}; see tablefull --help')
    if options.help:
        return 0, parser.format_help().rstrip()
    if options.version:
        return 0, f'tablefull {__version__}'
    if options.command is None:
        return refuse('no command given; see tablefull --help')
    if options.help_explain:
        return 0, explaining.format_help().rstrip()
    return list_codes() if options.code is None else explain(options.code)


def refuse(reason: str) -> tuple[int, str]:
    """Exit code and one line, as a check says that it cannot tell."""
    return 3, clean(f'TABLEFULL UNKNOWN - {reason}')


def snapshot(argv: list[str]) -> tuple[int, str]:
    """Everything that is known of this host, or the help on that."""
    from tablefull.snapshot import main, options

    if {'-h', '--help'}.isdisjoint(argv):
        return main.answer(argv)
    about = f'{SNAPSHOT[0].upper()}{SNAPSHOT[1:]}; docs/snapshot.md describes it.'
    text = build_parser('tablefull snapshot', about, (*options.OPTIONS, OPTIONS[1])).format_help()
    return 0, text.rstrip()


def top(argv: list[str]) -> tuple[int, str]:
    """Who holds the table, or the help on that."""
    from tablefull.top import main, options

    if {'-h', '--help'}.isdisjoint(argv):
        return main.answer(argv)
    about = f'{TOP[0].upper()}{TOP[1:]}. Reads only, and loads nothing.'
    return 0, build_parser('tablefull top', about, (*options.OPTIONS, OPTIONS[1])).format_help().rstrip()


def triage(argv: list[str]) -> tuple[int, str]:
    """Causes, or the help on that. Imported only now, for it is most of this program."""
    from tablefull.triage import fields, main

    parser = build_parser(
        'tablefull triage', f'{TRIAGE[0].upper()}{TRIAGE[1:]}; docs/triage.md describes it.', main.OPTIONS
    )
    try:
        options = parser.parse_args(argv)
    except UsageError as error:
        reason = f'{error}; see tablefull triage --help'
        return (3, fields.failure(reason)) if 'json' in argv or '--output=json' in argv else refuse(reason)
    if options.help:
        return 0, parser.format_help().rstrip()
    return main.answer(options)


def capture(argv: list[str]) -> tuple[int, str]:
    """Pack this host, or the help on that."""
    from tablefull.capture import pack

    about = f'{CAPTURE[0].upper()}{CAPTURE[1:]}; docs/captured-trees.md lists it.'
    parser = build_parser('tablefull capture', about, pack.OPTIONS)
    parser.add_argument('file', nargs='?', metavar='FILE', help='where to; must not be there yet')
    try:
        options = parser.parse_args(argv)
    except UsageError as error:
        return refuse(f'{error}; see tablefull capture --help')
    if options.help:
        return 0, parser.format_help().rstrip()
    if not options.file:
        return refuse('no FILE given; see tablefull capture --help')
    return pack.answer(options)


def templates(argv: list[str]) -> tuple[int, str]:
    """The names of the definitions, or what was written of them."""
    from tablefull import definitions

    about = f'{TEMPLATES[0].upper()}{TEMPLATES[1:]}.'
    parser = build_parser('tablefull templates', about, (*definitions.OPTIONS, OPTIONS[1]))
    try:
        options = parser.parse_args(argv)
    except UsageError as error:
        return refuse(f'{error}; see tablefull templates --help')
    if options.help:
        return 0, parser.format_help().rstrip()
    try:
        if options.write is None:
            return 0, '\n'.join(definitions.names())
        where = definitions.places(sys.argv[0], options.plugins)
        return 0, '\n'.join(clean(line) for line in definitions.write(options.write, where))
    except (OSError, ReadError) as error:
        return refuse(f'cannot write the definitions: {error}')


def list_codes() -> tuple[int, str]:
    """All codes with their titles, in the order of the catalogue."""
    width = max(len(code) for code in CATALOGUE)
    return 0, '\n'.join(f'{code:{width}}  {title}' for code, title in CATALOGUE.items())


def explain(code: str) -> tuple[int, str]:
    """The page of a finding, Markdown as it is, or what is known of a cause."""
    from tablefull.triage.catalogue import CAUSES, page

    if code in CAUSES:
        return 0, page(code)
    if code not in CATALOGUE:
        return refuse(f'no finding has the code {code!r}{_perhaps(code)}; tablefull explain lists all codes')
    try:
        return 0, read_text('/', os.path.join(PAGES, f'{code}.md')).rstrip()
    except FileNotFoundError:
        return refuse(f'this installation has no page of {code} ({CATALOGUE[code]})')
    except ReadError as error:
        return refuse(f'cannot read {error}')


def _perhaps(code: str) -> str:
    import difflib  # for typing errors only

    close = difflib.get_close_matches(code.lower(), CATALOGUE)
    return f'; did you mean {" or ".join(close)}?' if close else ''


if __name__ == '__main__':
    main()

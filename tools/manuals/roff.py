"""Manual pages in the man(7) language."""

from __future__ import annotations

from pathlib import Path

from tablefull import __version__
from tablefull.findings.finding import DOCUMENTS
from tools.manuals.programs import Program, Shown

ROOT = Path(__file__).resolve().parents[2]
CODES = (
    ('0', 'OK'),
    ('1', 'WARNING'),
    ('2', 'CRITICAL'),
    (
        '3',
        'UNKNOWN: it could not be seen, or the command line not be understood; also after --help and --version',
    ),
)
REMEMBERED = (
    'What is remembered between two runs. The package makes a directory below it, named by the user id, for each user '
    'of a monitoring daemon.'
)
STATE = (
    ('/var/lib/tablefull', REMEMBERED),
    ('/var/tmp/tablefull-UID', 'The same for users without one there.'),  # noqa: S108  # a name in a text
)


def escaped(text: str) -> str:
    """Text as it shall be read: no character of it is a command to roff."""
    text = (
        text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq').replace('`', '\\(ga').replace('~', '\\(ti')
    )
    text = text.replace('^', '\\(ha')
    return '\\&' + text if text.startswith(('.', '\\(aq')) else text


def section_of(name: str) -> int:
    """Checks are run by daemons, the command by people."""
    return 8 if name.startswith('check_') else 1


def _heading(name: str, about: str) -> list[str]:
    section = section_of(name)
    title = name.replace(' ', '-')
    # Without a date: the page would be another one each time it is built.
    return [
        f'.TH {escaped(title.upper())} {section} "" "tablefull {__version__}" "tablefull"',
        '.SH NAME',
        f'{escaped(title)} \\- {escaped(about)}',
    ]


def _usage(option: Shown) -> str:
    name = option.names[-1] if option.names else ''
    words = [f'\\fB{escaped(name)}\\fR'] if name else []
    words += [f'\\fI{escaped(option.metavar)}\\fR'] if option.metavar else []
    return '[' + '\\ '.join(words) + ']'


def _table(pairs: tuple[tuple[str, str], ...]) -> list[str]:
    return [line for name, text in pairs for line in ('.TP', f'.B {escaped(name)}', escaped(text))]


def _option(option: Shown) -> list[str]:
    value = f'\\ \\fI{escaped(option.metavar)}\\fR' if option.metavar else ''
    if not option.names:
        return ['.TP', f'.I {escaped(option.metavar)}', escaped(option.text)]
    # The value once, at the last spelling, as in --help of newer Pythons.
    names = ', '.join(f'\\fB{escaped(name)}\\fR' for name in option.names)
    return ['.TP', names + value, escaped(option.text[:1].upper() + option.text[1:])]


def page(program: Program, others: list[str]) -> str:
    """The manual page of `program`; `others` are the names of all pages."""
    sentence = program.about.partition('. ')[0].rstrip('.')
    lines = _heading(program.name, sentence[:1].lower() + sentence[1:])
    lines += ['.SH SYNOPSIS', f'.B {escaped(program.name)}']
    lines += [_usage(option) for option in program.options + program.arguments]
    if program.commands:
        lines.append('\\fICOMMAND\\fR ...')
    lines += ['.SH DESCRIPTION', escaped(program.about)]
    if program.name.startswith('check_'):
        lines += [
            '.PP',
            'A monitoring plugin for Icinga, Nagios, NRPE and Zabbix. It reads; it never changes anything.',
        ]
        lines += ['.PP', 'Each finding has a code and a page, which', '.B tablefull explain', '.I CODE', 'prints.']
    if program.commands:
        lines += ['.SH COMMANDS', *_table(program.commands)]
    if program.arguments:
        lines += ['.SH ARGUMENTS', *(line for argument in program.arguments for line in _option(argument))]
    lines += ['.SH OPTIONS', *(line for option in program.options for line in _option(option))]
    if program.name.startswith('check_'):
        lines += ['.SH EXIT STATUS', *_table(CODES), '.SH FILES', *_table(STATE)]
        lines += ['.SH ENVIRONMENT', '.TP', '.B NAGIOS_PLUGIN_STATE_DIRECTORY']
        lines.append('Where to remember instead, in the directory tablefull below it; set by the daemon.')
        where = f'{DOCUMENTS}checks/{program.name}.md'
        lines += [
            '.SH SEE ALSO',
            *_see(program.name, others),
            '.PP',
            'The page of this check, with examples:',
            '.br',
            escaped(where),
        ]
    else:
        lines += ['.SH EXIT STATUS', '0 with what was asked for, 3 with the reason why not.']
        lines += ['.SH SEE ALSO', *_see(program.name, others), '.PP', escaped(DOCUMENTS)]
    return '\n'.join(lines) + '\n'


def _see(name: str, others: list[str]) -> list[str]:
    pages = [other.replace(' ', '-') for other in others if other != name]
    lines = [f'.BR {escaped(other)} ({section_of(other)}),' for other in pages]
    return [*lines[:-1], lines[-1].rstrip(',')]


def wrapper(others: list[str]) -> str:
    """The page of check_by_sudo, which is a shell script, from the comment at its head."""
    head = (ROOT / 'plugins' / 'check_by_sudo').read_text().partition('\nset ')[0].splitlines()[1:]
    text = [line.removeprefix('#').strip() for line in head]
    usage, _, about = text[0].partition(': ')
    paragraphs = '\n'.join(text[1:]).strip().split('\n\n')
    lines = [*_heading('check_by_sudo', about.rstrip('.')), '.SH SYNOPSIS', f'.B {escaped(usage)}', '.SH DESCRIPTION']
    lines.append(escaped(f'{about[:1].upper()}{about[1:]}'))
    for paragraph in paragraphs:
        lines += ['.PP', escaped(' '.join(paragraph.split()))]
    lines += [
        '.SH EXIT STATUS',
        *_table(CODES[:3]),
        *_table((('3', 'UNKNOWN, of the check or because it did not run'),)),
    ]
    return '\n'.join([*lines, '.SH SEE ALSO', *_see('check_by_sudo', others)]) + '\n'

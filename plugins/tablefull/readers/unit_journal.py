"""What a unit and systemd wrote to the journal about it since boot: journalctl, or the recording in a captured tree."""

from __future__ import annotations

import errno
import re

from tablefull.readers.files import ReadError, is_live, read_text, recording
from tablefull.readers.programs import run_program
from tablefull.record import NamedTuple

# systemd's catalogue ids of the messages that begin a run: Starting, Reloading, Stopping.
_BEGIN = (
    '7d4958e842da4a758f6c1cdc7b36dcc5',
    'd34d037fff1847e6ae669a370e694725',
    'de5b426a63be47a7b6ac3eaac82e2f6f',
)
_LINES = 200
# Characters of a message that are looked at: patterns are searched for in it, and nothing worth reading is longer.
_LONGEST = 4096

# 'Nov 21 10:20:52.016244 lab ferm[271]: text', as `journalctl -o short-precise` prints it.
_SHORT = re.compile(r'\w{3} +\d+ [\d:.]+ \S+ ([^\s:\[]{1,64})(?:\[(\d+)\])?: ?(.*)')


class Line(NamedTuple):
    """One message.

    source   syslog identifier: 'ferm' or 'systemd'
    process  its number, '' where unknown
    text     as written
    begins   True where systemd says that it begins to start, reload or stop the unit
    """

    source: str
    process: str
    text: str
    begins: bool = False


def read_unit_journal(root: str, name: str) -> tuple[Line, ...]:
    """The newest lines of unit `name` since boot, oldest first. Raises ReadError when they cannot be had."""
    if not is_live(root):
        path = recording(root, 'journal.json', f'journal-{name.partition(".")[0]}.txt')
        if path is None:
            raise ReadError('journal.json', 'the tree holds no journal')
        text = read_text(root, path)
        return parse_journal_json(text, name) if path.endswith('.json') else parse_journal_short(text)
    return parse_journal_json(ask_journal(name), name)


def ask_journal(name: str) -> str:
    """What journalctl prints of the newest lines of unit `name` since boot. Raises ReadError."""
    try:
        answer = run_program(
            'journalctl', ('--no-pager', '--boot', '--unit', name, '--lines', str(_LINES), '--output', 'json'), 4 << 20
        )
    except FileNotFoundError:
        raise ReadError('journalctl', 'not installed') from None
    text = answer.output.decode('utf-8', 'backslashreplace')
    # Without the groups journalctl answers nothing, or only our own messages, and hints at it.
    if not parse_journal_json(text, name) and (
        answer.code or b'permission' in answer.errors or b'not seeing messages' in answer.errors
    ):
        raise ReadError('journalctl', 'this user may not read the journal', errno.EACCES)
    return text


def parse_journal_json(text: str, name: str) -> tuple[Line, ...]:
    """`journalctl -o json`, one object a line; lines that are none, or of other units, are passed over."""
    import json  # needed only once something is wrong

    lines = []
    # Not splitlines(): a message may hold any character that Unicode takes for the end of a line.
    for row in text.split('\n'):
        try:
            entry = json.loads(row)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict) or name not in (entry.get('UNIT'), entry.get('_SYSTEMD_UNIT')):
            continue
        words = [_text(entry.get(field)) for field in ('SYSLOG_IDENTIFIER', '_PID', 'MESSAGE')]
        lines.append(Line(words[0], words[1], words[2][:_LONGEST], entry.get('MESSAGE_ID') in _BEGIN))
    return tuple(lines)


def parse_journal_short(text: str) -> tuple[Line, ...]:
    """The lines of `journalctl -o short` or `short-precise`; others are passed over."""
    matches = [_SHORT.match(row) for row in text.split('\n')]
    return tuple(
        Line(match[1], match[2] or '', match[3][:_LONGEST], _begins(match[1], match[3]))
        for match in matches
        if match is not None
    )


def last_run(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines since systemd last began to start, reload or stop the unit; all when it is not among them."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].begins:
            return lines[index + 1 :]
    return lines


def _begins(source: str, text: str) -> bool:
    return source == 'systemd' and text.startswith(('Starting ', 'Reloading ', 'Stopping '))


def _text(value: object) -> str:
    """A journal field: a string, or a list of bytes where it is not valid UTF-8, or null where it is too long."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value).decode('utf-8', 'backslashreplace')
    return ''

"""One record of the kernel log in the forms it has elsewhere: the journal's JSON, and syslog's two line formats."""

from __future__ import annotations

import datetime
import json
import re

from tablefull.readers.kernel_messages import WORDS
from tablefull.readers.kernel_records import Record
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def interesting_line(line: bytes) -> bool:
    """Whether a line may tell of a message we know, or is of the journal and has a list of bytes for a text."""
    return b'"MESSAGE":[' in line or any(word in line for word in WORDS)


def parse_journal_line(line: bytes) -> Record | None:
    """A line of `journalctl -o json`; None when it is not a message of the kernel, or garbage."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get('_TRANSPORT') != 'kernel':
        return None
    # The transport is the journal's word; a facility is in it when user space wrote the record to /dev/kmsg.
    if entry.get('SYSLOG_FACILITY', '0') != '0':
        return None
    text = _journal_text(entry.get('MESSAGE'))
    if text is None:
        return None
    # The kernel's own timestamp; that of the journal is when it took the record over.
    monotonic = _decimal(entry.get('_SOURCE_MONOTONIC_TIMESTAMP')) or _decimal(entry.get('__MONOTONIC_TIMESTAMP'))
    wall = _decimal(entry.get('__REALTIME_TIMESTAMP'))
    boot = entry.get('_BOOT_ID')
    return Record(
        text,
        None if monotonic is None else monotonic / 1e6,
        None if wall is None else wall / 1e6,
        boot=boot if isinstance(boot, str) else '',
    )


def _journal_text(message: Any) -> str | None:
    if isinstance(message, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in message):
        return bytes(message).decode('utf-8', 'backslashreplace')
    # A lone surrogate could not be printed.
    return message.encode('utf-8', 'backslashreplace').decode() if isinstance(message, str) else None


def _decimal(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and re.fullmatch('[0-9]{1,18}', value) else None


_SYSLOG = re.compile(
    r'(?:<\d{1,3}>)?(?:(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)'
    r'|(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<time>\d\d:\d\d:\d\d))'
    r' \S{1,255} (?P<tag>[^ ]{1,128}) (?P<text>.*)',
    re.DOTALL,
)
_KERNEL_STAMP = re.compile(r'(?:\[ *(\d{1,12}\.\d{1,9})\] ?)?(?:\[ *[TC]\d{1,10}\] ?)?')
_REPEATED = re.compile(r'message repeated (\d{1,9}) times: \[ ?(.*)\]', re.DOTALL)
_MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
_DAY = 86400.0


def parse_syslog_line(line: str, now: float) -> Record | None:
    """A line of kern.log or messages, RFC 3339 or traditional; None for one of another program, or for garbage.

    The traditional form has neither year nor zone: it is local time, in the year that puts it closest before `now`
    (unix time), or at most a day after it. Source: rsyslog's RSYSLOG_FileFormat and RSYSLOG_TraditionalFileFormat.
    """
    match = _SYSLOG.match(line)
    if match is None or match['tag'] != 'kernel:':
        return None
    wall = _wall(match, now)
    if wall is None:
        return None
    seconds, text = _stamped(match['text'])
    repeated = _REPEATED.fullmatch(text)
    if repeated is None:
        return Record(text, seconds, wall)
    return Record(_stamped(repeated[2])[1], seconds, wall, times=int(repeated[1]))


def _stamped(text: str) -> tuple[float | None, str]:
    """(kernel timestamp or None, message) of the text after 'kernel:'."""
    stamp = _KERNEL_STAMP.match(text)
    assert stamp is not None  # every part of it is optional
    return float(stamp[1]) if stamp[1] else None, text[stamp.end() :]


def syslog_time(line: str, now: float) -> float | None:
    """Unix time of a syslog line of any program; None when it has none."""
    match = _SYSLOG.match(line)
    return None if match is None else _wall(match, now)


def _wall(match: re.Match[str], now: float) -> float | None:
    try:
        if match['iso']:
            day_and_time, fraction, zone = re.fullmatch(r'(.{19})([.,]\d+)?(.*)', match['iso']).groups()  # type: ignore[union-attr]
            zone = '+00:00' if zone == 'Z' else zone if ':' in zone or not zone else f'{zone[:3]}:{zone[3:]}'
            moment = datetime.datetime.fromisoformat(day_and_time + zone)
            return moment.timestamp() + float(f'0{(fraction or ".0").replace(",", ".")}')
        month, day = _MONTHS.index(match['month']) + 1, int(match['day'])
        hour, minute, second = (int(part) for part in match['time'].split(':'))
        this_year = datetime.datetime.fromtimestamp(now + _DAY).year
    except (ValueError, OverflowError, OSError):
        return None
    # Back to a leap year, for the 29th of February.
    for year in range(this_year, this_year - 9, -1):
        try:
            wall = datetime.datetime(year, month, day, hour, minute, second).timestamp()
        except (ValueError, OverflowError, OSError):
            continue
        if wall <= now + _DAY:
            return wall
    return None

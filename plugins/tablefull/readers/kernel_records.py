"""One record of the kernel log, and its form in /dev/kmsg."""

from __future__ import annotations

from tablefull.readers.kernel_messages import BEGINNINGS
from tablefull.record import NamedTuple


class Record(NamedTuple):
    """One message of the kernel.

    text      the message as read, without timestamp and header
    seconds   on the kernel's clock (close to CLOCK_MONOTONIC, stands still in suspend); None when not told
    wall      unix time; None when not told
    sequence  number of the record in the ring buffer; None outside of /dev/kmsg
    boot      boot id of a journal record, '' elsewhere
    times     how often it was logged: more than 1 where syslog writes 'message repeated N times'
    """

    text: str
    seconds: float | None = None
    wall: float | None = None
    sequence: int | None = None
    boot: str = ''
    times: int = 1


def interesting(record: bytes) -> bool:
    """Whether a record of /dev/kmsg is of the kernel and begins as one of the messages we know. Nothing is decoded."""
    # find() and an offset, not partition(): this is the inner loop.
    return record.startswith(BEGINNINGS, record.find(b';') + 1) and record[1:2] == b',' and record < b'8'


def parse_kmsg(record: bytes) -> Record | None:
    """A record of /dev/kmsg, with or without the KEY=value lines after it; None for garbage or one of user space."""
    fields = _header(record)
    # One digit up to 7 is facility 0, the kernel: what user space writes always has another one, and is not believed.
    # '+' marks the continuation of a line (3.6 to 4.9), which is no message of its own.
    if fields is None or len(fields[0]) > 1 or fields[0] > b'7' or (len(fields) > 3 and fields[3][:1] == b'+'):
        return None
    text = record.partition(b';')[2].partition(b'\n')[0]
    return Record(_unescape(text), int(fields[2]) / 1e6, None, int(fields[1]))


def kmsg_position(record: bytes) -> tuple[int, float] | None:
    """(sequence, seconds) of a record of /dev/kmsg, whoever wrote it; None for garbage."""
    fields = _header(record)
    return None if fields is None else (int(fields[1]), int(fields[2]) / 1e6)


def _header(record: bytes) -> list[bytes] | None:
    """PRIO,SEQ,USEC[,FLAGS[,...]] before the semicolon; three fields only in 3.5, ever more since. None for garbage.

    Source: Documentation/ABI/testing/dev-kmsg. By hand, for this is the inner loop on a noisy host.
    """
    header, semicolon, _ = record.partition(b';')
    fields = header.split(b',')
    if not semicolon or len(fields) < 3 or b'\n' in header:
        return None
    for field in fields[:3]:
        if not field.isdigit() or len(field) > 20:
            return None
    return fields


def _unescape(text: bytes) -> str:
    r"""The kernel writes bytes below 0x20, from 0x7f on, and the backslash as \xHH."""
    if b'\\x' in text:
        import re  # in few records only

        text = re.sub(rb'\\x([0-9a-fA-F]{2})', lambda match: bytes([int(match[1], 16)]), text)
    return text.decode('utf-8', 'backslashreplace')

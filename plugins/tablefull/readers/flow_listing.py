"""Tracked connections from /proc/net/nf_conntrack, line by line, where reading it is safe.

Before Linux 6.16 each read(2) of it starts at the head of the table again: the time grows with the square of the
entries, from seconds at ten thousand to an hour at a million (5e4d107abd79 "netfilter: nf_conntrack: speed up reads
from nf_conntrack proc file"). Source of the lines: ct_seq_show() in net/netfilter/nf_conntrack_standalone.c.
"""

from __future__ import annotations

import os
import stat

from tablefull.readers.files import ReadError, below, kernel_release, net_directory
from tablefull.readers.flows import ASSURED, HW_OFFLOAD, OFFLOAD, SEEN_REPLY, STATES, Flow
from tablefull.readers.rtnetlink import parse_address
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTING = '/proc/net/nf_conntrack'
_LINEAR = (6, 16)
# On older kernels: a fraction of a second.
FEW = 4000
_PIECE = 1 << 16
_LONGEST_LINE = 4096
_LONGEST_STATE = 32


def listing(root: str = '/') -> str:
    """The path of the listing below `root`: on a mounted host that of its first process."""
    return _LISTING.replace('/proc/net', net_directory(root))


def why_not(root: str, entries: int | None) -> str:
    """Why the listing must not or cannot be read, '' when it can. `entries` is how many there are, None for unknown."""
    path = listing(root)
    try:
        found = os.stat(below(root, path))
    except OSError as error:
        return f'{path}: {os.strerror(error.errno or 0)}'
    if not stat.S_ISREG(found.st_mode):
        return f'{path}: not a regular file'
    if found.st_size > 0:
        return ''  # a copy: a file of proc has no size
    if kernel_release(root) < _LINEAR and (entries is None or entries > FEW):
        return f'{path} takes minutes with so many entries on a kernel before 6.16'
    return '' if os.access(below(root, path), os.R_OK) else f'{path}: Permission denied'


def read_flows(root: str = '/') -> Iterator[Flow]:
    """Each connection of the listing. Raises ReadError when it cannot be read or understood; ask why_not() first."""
    path = listing(root)
    try:
        descriptor = os.open(below(root, path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            for number, line in enumerate(_lines(descriptor, path), 1):
                flow = parse_flow(line.decode('ascii', 'backslashreplace'))
                if flow is None:
                    raise ReadError(path, f'line {number} is not a connection')
                yield flow
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None


def _lines(descriptor: int, path: str) -> Iterator[bytes]:
    rest = b''
    while True:
        piece = os.read(descriptor, _PIECE)
        if not piece:
            break
        *lines, rest = (rest + piece).split(b'\n')
        if len(rest) > _LONGEST_LINE:
            raise ReadError(path, 'a line without end')
        yield from lines
    if rest:
        yield rest


def parse_flow(line: str) -> Flow | None:
    """One line; None when it is none. Both directions stand in it, each from its first `src=` to the next."""
    words = line.split()
    protocol = _number(words[3], 256) if len(words) >= 6 and words[0] in ('ipv4', 'ipv6') else None
    if protocol is None:
        return None
    starts = [place for place, word in enumerate(words) if word.startswith('src=')]
    if len(starts) != 2:
        return None
    original = _named(words[starts[0] : starts[1]])
    answer = _named(words[starts[1] :])
    # GRE has two numbers of its own between the timeout and the addresses, in the place of a state.
    before = words[starts[0] - 1]
    state = before if protocol in STATES and _is_state(before) else ''
    zones = [original.get('zone-orig'), answer.get('zone'), answer.get('zone-reply')]
    source, destination = _address(original, 'src'), _address(original, 'dst')
    reply_source, reply_destination = _address(answer, 'src'), _address(answer, 'dst')
    if source is None or destination is None or reply_source is None or reply_destination is None:
        return None
    return Flow(
        source,
        destination,
        protocol,
        _number(original.get('sport')),
        _number(original.get('dport')),
        state,
        next((zone for zone in map(_number, zones) if zone), 0),
        _status(words),
        (reply_source, reply_destination, _number(answer.get('sport')), _number(answer.get('dport'))),
    )


def _is_state(word: str) -> bool:
    return word[:1].isupper() and word.isidentifier() and len(word) <= _LONGEST_STATE


def _named(words: list[str]) -> dict[str, str]:
    pairs = (word.partition('=') for word in reversed(words))  # reversed: the first of a name stays
    return {name: value for name, equals, value in pairs if equals}


def _address(named: dict[str, str], name: str) -> bytes | None:
    return parse_address(named.get(name, ''))


def _number(text: str | None, end: int = 65536) -> int | None:
    """A decimal number below `end`; None for anything else. The kernel writes none with more than five digits here."""
    if text is None or len(text) > 5 or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if int(text) < end else None


def _status(words: list[str]) -> int:
    status = 0 if '[UNREPLIED]' in words else SEEN_REPLY
    for word, bit in (('[ASSURED]', ASSURED), ('[OFFLOAD]', OFFLOAD), ('[HW_OFFLOAD]', HW_OFFLOAD)):
        if word in words:
            status |= bit
    return status

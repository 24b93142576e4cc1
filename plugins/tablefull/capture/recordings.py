"""What is no file on this host: the kernel log, rtnetlink, systemd and its journal, the clock. As a tree keeps them."""

from __future__ import annotations

from tablefull.findings.ferm import failed
from tablefull.looks import ferm_absent
from tablefull.looks.ferm import UNIT
from tablefull.readers.conntrack import read_conntrack
from tablefull.readers.files import ReadError, monotonic_now
from tablefull.readers.kernel_log import read_records
from tablefull.readers.kernel_messages import BEGINNINGS
from tablefull.readers.kernel_records import kmsg_position
from tablefull.readers.links import read_addresses, read_links
from tablefull.readers.neighbours import read_neighbours
from tablefull.readers.routes import read_routes
from tablefull.readers.systemd import parse_unit, show_unit
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tablefull.readers.links import Link

# How far back the journal is captured where the kernel log is closed.
_DAY = 86400.0
# Of a message of the journal, what its readers look at.
_OF_KERNEL = (
    'MESSAGE',
    '_TRANSPORT',
    'SYSLOG_FACILITY',
    '_SOURCE_MONOTONIC_TIMESTAMP',
    '__MONOTONIC_TIMESTAMP',
    '__REALTIME_TIMESTAMP',
    '_BOOT_ID',
)
_OF_UNIT = ('MESSAGE', 'MESSAGE_ID', 'SYSLOG_IDENTIFIER', '_PID', 'UNIT', '_SYSTEMD_UNIT')


class Recorded(NamedTuple):
    """Name of a recording -> content, and what could not be recorded and why."""

    files: dict[str, bytes]
    unread: list[str]


def record_host() -> Recorded:
    """Ask this host for everything that RECORDINGS names. Does not raise."""
    found = Recorded({}, [])
    for record in (_kernel_log, _clock, _namespace, _network, _unit):
        try:
            for name, text in record():
                found.files[name] = text if isinstance(text, bytes) else text.encode('utf-8', 'surrogateescape')
        except ReadError as error:
            found.unread.append(str(error))
        except FileNotFoundError as error:
            found.unread.append(f'{error.args[-1]}: not there')
    return found


def _kernel_log() -> Iterator[tuple[str, bytes | str]]:
    try:
        yield 'kmsg', blanked(read_records('/'))
    except (FileNotFoundError, ReadError):
        # Only where the ring buffer is refused or missing, as for the readers.
        from tablefull.readers.journal_files import require_open_journal
        from tablefull.readers.log_files import journal_lines

        try:
            require_open_journal()
            yield 'journal-kernel.json', _only(journal_lines(_DAY), _OF_KERNEL)
            return
        except (FileNotFoundError, ReadError):
            pass
        # Why the ring buffer cannot be read tells more than why the journal cannot.
        raise


def blanked(records: Iterable[bytes]) -> bytes:
    """Records, one a line, without text unless it begins as those of networks do: nobody reads the rest of the log.

    Their positions stay, which tell how far back the log reaches and whether anything is missing.
    """
    kept = []
    for record in records:
        header, semicolon, text = record.partition(b'\n')[0].partition(b';')
        if kmsg_position(record) is not None:
            kept.append(header + semicolon + (text if text.startswith(BEGINNINGS) else b'-') + b'\n')
    return b''.join(kept)


def _only(lines: list[bytes], fields: tuple[str, ...]) -> str:
    """JSON objects, one a line, with these fields alone."""
    import json

    kept = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            kept.append(json.dumps({field: entry[field] for field in fields if field in entry}) + '\n')
    return ''.join(kept)


def _clock() -> Iterator[tuple[str, str]]:
    now = monotonic_now('/')
    # The clock of the kernel log and of the unit's times; that of /proc/uptime runs on in suspend.
    yield 'proc/uptime', f'{now:.2f} 0.00\n'


def _namespace() -> Iterator[tuple[str, str]]:
    table = read_conntrack('/')
    if table.namespace:
        yield 'network-namespace.txt', f'{table.namespace}\n'


def _network() -> Iterator[tuple[str, str]]:
    from tablefull.capture import iproute_form

    links = read_links('/')
    if any(not link.number for link in links.values()):
        # Without netlink the files are all there is, and FALLBACKS names them.
        return
    yield from _addresses(links, iproute_form.links_text)
    routes = read_routes('/', links)
    neighbours = read_neighbours('/', links)
    for family, size, route_file, neighbour_file in (
        (4, 4, 'ip-route.txt', 'ip-s-neigh.txt'),
        (6, 16, 'ip6-route.txt', 'ip-s-neigh6.txt'),
    ):
        if family in routes.families:
            yield (
                route_file,
                iproute_form.routes_text(route for route in routes.entries if len(route.destination) == size),
            )
        if family in neighbours.families:
            yield (
                neighbour_file,
                iproute_form.neighbours_text(entry for entry in neighbours.entries if len(entry.address) == size),
            )


def _addresses(links: dict[str, Link], form: Callable[..., str]) -> Iterator[tuple[str, str]]:
    try:
        addresses = read_addresses('/')
    except ReadError:
        addresses = None
    if links:
        yield ('ip-s-link.txt' if addresses is None else 'ip-addr.txt'), form(links.values(), addresses or ())


def _unit() -> Iterator[tuple[str, str]]:
    if ferm_absent.absent('/'):
        return
    text = show_unit(UNIT)
    yield 'systemctl-show-ferm.txt', text
    if failed(parse_unit(text, UNIT)):
        from tablefull.readers.unit_journal import ask_journal

        yield 'journal.json', _only([line.encode() for line in ask_journal(UNIT).split('\n')], _OF_UNIT)

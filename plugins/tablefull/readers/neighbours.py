"""Neighbour tables (ARP and NDP) and the neighbours in them.

Sources: RTM_GETNEIGHTBL, which answers without privilege and in every network namespace for the one table all
namespaces share; RTM_GETNEIGH, which lists this namespace's neighbours. Where netlink cannot be asked:
/proc/net/stat/{arp,ndisc}_cache and the gc_thresh sysctls, which only the first namespace has, and /proc/net/arp.
"""

from __future__ import annotations

import struct

from tablefull.readers.files import (
    ReadError,
    exists,
    is_live,
    read_number,
    read_optional,
    read_text,
    recording,
    same_boot,
)
from tablefull.readers.links import Link
from tablefull.readers.rtnetlink import (
    GET_NEIGHBOUR,
    GET_NEIGHBOUR_TABLE,
    INET,
    INET6,
    dump,
    parse_address,
    parse_attributes,
    parse_name,
    parse_u32,
)
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Neighbour states and flags, include/uapi/linux/neighbour.h; extended flags (NDA_FLAGS_EXT) follow from bit 8 on.
INCOMPLETE, REACHABLE, FAILED, NOARP, PERMANENT = 0x01, 0x02, 0x20, 0x40, 0x80
UNRESOLVED = INCOMPLETE | FAILED
EXT_LEARNED, EXT_VALIDATED = 0x10, 0x4 << 8

_NDTMSG = struct.Struct('=BBH')
_NDA_DST, _NDA_FLAGS_EXT = 1, 15
_NDMSG = struct.Struct('=BBHiHBB')
_NDTA_NAME, _NDTA_THRESH1, _NDTA_THRESH2, _NDTA_THRESH3, _NDTA_CONFIG, _NDTA_STATS = 1, 2, 3, 4, 5, 7
_STATISTICS = (
    'allocs',
    'destroys',
    'hash_grows',
    'res_failed',
    'lookups',
    'hits',
    'rcv_probes_mcast',
    'rcv_probes_ucast',
    'periodic_gc_runs',
    'forced_gc_runs',
    'table_fulls',
)
_NAMES = {4: 'arp_cache', 6: 'ndisc_cache'}


class Table(NamedTuple):
    """One neighbour table: a single one for all network namespaces.

    family      4 or 6
    entries     neighbours of all namespaces, permanent ones included
    limit       gc_thresh3; 0 lets nothing in; None when it cannot be seen
    statistics  counters by the kernel's names, summed over CPUs; `table_fulls` only since 4.3
    gc_thresh1  below it nothing is thrown out; None when it cannot be seen, and never judged
    gc_thresh2  above it old neighbours are thrown out; the same
    """

    family: int
    entries: int
    limit: int | None
    statistics: dict[str, int]
    gc_thresh1: int | None = None
    gc_thresh2: int | None = None


class Neighbour(NamedTuple):
    """One neighbour of this namespace: 4 or 16 bytes of address, its interface, NUD_* state and NTF_* flags."""

    address: bytes
    device: str
    state: int
    flags: int


class Neighbours(NamedTuple):
    """The neighbours of this namespace.

    families  those of 4 and 6 that could be listed
    complete  False when the list was cut off at its bound
    """

    entries: list[Neighbour]
    families: tuple[int, ...] = (4, 6)
    complete: bool = True


def parse_table(payload: bytes) -> Table | None:
    """One RTM_NEWNEIGHTBL message; None for the parameters of one device, and for DECnet. Raises ReadError."""
    attributes = parse_attributes(payload, _NDTMSG.size, 'neighbour tables')
    family = {INET: 4, INET6: 6}.get(payload[0])
    config, counters = attributes.get(_NDTA_CONFIG), attributes.get(_NDTA_STATS)
    if family is None or config is None or parse_name(attributes.get(_NDTA_NAME)) != _NAMES[family]:
        return None
    limit = parse_u32(attributes.get(_NDTA_THRESH3), 'neighbour tables')
    if len(config) < 8 or counters is None or len(counters) % 8 or limit is None:
        raise ReadError('rtnetlink neighbour tables', 'a table without numbers')
    # Its length tells whether this kernel counts table_fulls; what later kernels append is of no interest.
    names = _STATISTICS[: len(counters) // 8]
    values = struct.unpack_from(f'={len(names)}Q', counters)
    entries: int = struct.unpack_from('=HHI', config)[2]
    others = [parse_u32(attributes.get(number), 'neighbour tables') for number in (_NDTA_THRESH1, _NDTA_THRESH2)]
    return Table(family, entries, _threshold(limit), dict(zip(names, values)), *map(_threshold, others))


def _threshold(value: int | None) -> int | None:
    """A gc_thresh is an int to the kernel: a negative one lets as little in as 0."""
    return value if value is None or 0 <= value < 1 << 31 else 0


def parse_neighbour(payload: bytes, names: Mapping[int, str]) -> Neighbour | None:
    """One RTM_NEWNEIGH message; None for anything but IPv4 and IPv6 neighbours. Raises ReadError.

    `names` maps numbers of interfaces to names.
    """
    attributes = parse_attributes(payload, _NDMSG.size, 'neighbours')
    family, _, _, index, state, flags, _ = _NDMSG.unpack_from(payload)
    address = attributes.get(_NDA_DST, b'')
    if (family, len(address)) not in ((INET, 4), (INET6, 16)):
        return None
    extended = parse_u32(attributes.get(_NDA_FLAGS_EXT), 'neighbours') or 0
    return Neighbour(address, names.get(index) or f'interface {index}', state, flags | extended << 8)


def read_tables(root: str = '/') -> list[Table]:
    """The tables, IPv4 first; [] when there is none to be seen. Raises ReadError."""
    if is_live(root):
        try:
            return _ask_for_tables()
        except ReadError:
            pass  # no netlink here: the files of the first namespace may do
    tables = [table for family in (4, 6) for table in _table_from_files(root, family)]
    if tables and tables[0].family != 4:
        # No kernel has IPv6 alone: something hides the table of IPv4, and that is no healthy one.
        raise ReadError('/proc/net/stat/arp_cache', 'is not there, but ndisc_cache is')
    if not is_live(root) and not (tables and all(table.limit is not None for table in tables)) and same_boot(root):
        # A host mounted into a container: its files here are the container's, but the tables are the kernel's.
        return _ask_for_tables()
    return tables


def in_first_namespace(root: str) -> bool:
    """Whether the limits can be set from here: only the first network namespace has them as files."""
    return exists(root, '/proc/sys/net/ipv4/neigh/default/gc_thresh3')


def _ask_for_tables() -> list[Table]:
    answer = dump(GET_NEIGHBOUR_TABLE, _NDTMSG.pack(0, 0, 0), 'neighbour tables')
    tables = (parse_table(payload) for payload in answer.payloads)
    return sorted((table for table in tables if table is not None), key=lambda table: table.family)


def _table_from_files(root: str, family: int) -> list[Table]:
    from tablefull.readers.proc_net import net_directory
    from tablefull.readers.statistics import parse_statistics

    path = f'{net_directory(root)}/stat/{_NAMES[family]}'
    text = read_optional(root, path)
    if text is None:
        return []
    found = parse_statistics(text, path, 'forced_gc_runs')
    statistics = {column: found.total(column) or 0 for column in found.columns}
    sysctl = f'/proc/sys/net/ipv{family}/neigh/default/gc_thresh'
    first, second, limit = (_threshold(read_number(root, f'{sysctl}{number}')) for number in (1, 2, 3))
    return [Table(family, statistics.pop('entries'), limit, statistics, first, second)]


def read_neighbours(root: str, links: Mapping[str, Link]) -> Neighbours:
    """The neighbours of this namespace, as far as they can be listed. Raises ReadError."""
    if is_live(root):
        try:
            answer = dump(GET_NEIGHBOUR, _NDMSG.pack(0, 0, 0, 0, 0, 0, 0), 'neighbours')
        except ReadError:
            return _from_arp(root)
        names = {link.number: name for name, link in links.items()}
        found = (parse_neighbour(payload, names) for payload in answer.payloads)
        return Neighbours([entry for entry in found if entry is not None], complete=answer.complete)
    inet, inet6 = recording(root, 'ip-s-neigh.txt'), recording(root, 'ip-s-neigh6.txt')
    if inet is None and inet6 is None:
        return _from_arp(root)
    from tablefull.readers.iproute_text import parse_neighbours

    entries = [entry for path in (inet, inet6) if path is not None for entry in parse_neighbours(read_text(root, path))]
    families = (4,) * (inet is not None) + (6,) * (inet6 is not None)
    return Neighbours([Neighbour(*entry) for entry in entries], families)


def _from_arp(root: str) -> Neighbours:
    from tablefull.readers.proc_net import net_directory, parse_arp

    path = f'{net_directory(root)}/arp'
    text = read_optional(root, path)
    if text is None:
        return Neighbours([], ())
    states = {0x0: UNRESOLVED, 0x2: REACHABLE, 0x6: PERMANENT}
    entries = []
    for word, flags, device in parse_arp(text, path):
        address = parse_address(word)
        if address is None:
            raise ReadError(path, 'a line of another form')
        if flags in states:
            entries.append(Neighbour(address, device, states[flags], 0))
    return Neighbours(entries, (4,))

"""Reader of the connection tracking table: its size, its limit, its statistics.

Sources: /proc/sys/net/netfilter/nf_conntrack_*, /proc/net/stat/nf_conntrack, and their ip_conntrack names up to 4.8
(net/netfilter/nf_conntrack_standalone.c). All are readable without privilege and none loads anything.
"""

from __future__ import annotations

import os

from tablefull.readers.files import (
    ReadError,
    below,
    exists,
    is_live,
    net_directory,
    read_number,
    read_optional,
    recording,
)
from tablefull.readers.statistics import Statistics, parse_statistics
from tablefull.record import NamedTuple

_NEW = '/proc/sys/net/netfilter/nf_conntrack_'
_OLD = '/proc/sys/net/ipv4/netfilter/ip_conntrack_'
# One variable under all its names; the second exists only in the first network namespace.
_MAXIMUM = (_NEW + 'max', '/proc/sys/net/nf_conntrack_max', _OLD + 'max', '/proc/sys/net/ipv4/ip_conntrack_max')


class Conntrack(NamedTuple):
    """Connection tracking as this network namespace sees it.

    loaded          the code is there (module or built in)
    entries         tracked connections of this namespace, expired ones included until they are collected
    maximum         the limit, one for all namespaces, compared with each namespace's entries; 0 or less is "no limit"
    buckets         size of the hash table, one for all namespaces (>= 4.7)
    expect_maximum  limit of the expectation table
    statistics      /proc/net/stat/nf_conntrack, 32-bit counters; None on a kernel without CONFIG_NF_CONNTRACK_PROCFS
    first_namespace True in the initial network namespace
    legacy          only the ip_conntrack_ names of kernels before 2.6.2x are there
    namespace       inode of the network namespace, '' when unknown; the kernel log names a namespace by it (>= 6.17)
    """

    loaded: bool
    entries: int | None = None
    maximum: int | None = None
    buckets: int | None = None
    expect_maximum: int | None = None
    statistics: Statistics | None = None
    first_namespace: bool = False
    namespace: str = ''
    legacy: bool = False

    @property
    def limit(self) -> int | None:
        """The limit, None when there is none or it is not visible."""
        return self.maximum if self.maximum is not None and self.maximum > 0 else None

    @property
    def usage(self) -> float | None:
        """Entries in percent of the limit; None without a limit."""
        if self.entries is None or self.limit is None:
            return None
        return 100.0 * self.entries / self.limit

    @property
    def hash_load(self) -> float | None:
        """Entries per bucket when the table is full."""
        if self.limit is None or not self.buckets:
            return None
        return self.limit / self.buckets


def read_conntrack(root: str = '/') -> Conntrack:
    """Read the table's numbers below `root`. Raises ReadError for files that are there and cannot be understood."""
    net = net_directory(root)
    statistics = _read_statistics(root, net)
    maximum = _first_number(root, *_MAXIMUM)
    entries = _first_number(root, _NEW + 'count', _OLD + 'count')
    if statistics is not None and (entries is None or net != '/proc/net'):
        # Kernels 3.8 to 5.6 hide the sysctls in a user namespace; and below a mounted host the sysctls answer for
        # the namespace of the reader, while proc/1/net is the host's.
        entries = statistics.total('entries')
    loaded = entries is not None or maximum is not None or exists(root, '/sys/module/nf_conntrack/initstate')
    if not loaded and not exists(root, '/proc/sys'):
        raise ReadError('/proc/sys', 'not there, so nothing can be said about connection tracking')
    return Conntrack(
        loaded=loaded,
        entries=entries,
        maximum=maximum,
        buckets=_first_number(root, _NEW + 'buckets', _OLD + 'buckets'),
        expect_maximum=_first_number(root, _NEW + 'expect_max'),
        statistics=statistics,
        first_namespace=exists(root, '/proc/sys/net/nf_conntrack_max'),
        namespace=_namespace(root),
        legacy=not exists(root, _NEW + 'count') and exists(root, _OLD + 'count'),
    )


def _first_number(root: str, *paths: str) -> int | None:
    for path in paths:
        number = read_number(root, path)
        if number is not None:
            return number
    return None


def _read_statistics(root: str, net: str) -> Statistics | None:
    for name in ('nf_conntrack', 'ip_conntrack'):
        path = f'{net}/stat/{name}'
        text = read_optional(root, path)
        if text is not None:
            return parse_statistics(text, path, 'drop')
    return None


def _namespace(root: str) -> str:
    path = recording(root, 'network-namespace.txt')
    if path is not None:
        return (read_optional(root, path, 64) or '').strip()
    link = '/proc/self/ns/net' if is_live(root) else '/proc/1/ns/net'
    try:
        # 'net:[4026531840]'
        return os.readlink(below(root, link)).partition('[')[2].rstrip(']')
    except OSError:
        return ''

"""Rules of the connection tracking table. Loss is judged before level: a refused packet is critical at 10 % usage."""

from __future__ import annotations

from tablefull.findings.conntrack_loss import expectations, log_unreadable, refused
from tablefull.findings.conntrack_remedy import list_entries, persist, persist_hash, raise_limit, resize_hash
from tablefull.findings.conntrack_seen import Seen
from tablefull.findings.finding import Finding
from tablefull.findings.wording import duration, number
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # What turns a breached range into a finding: (seen, severity, value, range as text).
    Breach = Callable[[Seen, str, float, str], Finding]


def judge(seen: Seen, since: float) -> Iterator[Finding]:
    """Everything that needs no threshold of the user. A loss counts for `since` seconds while the table stays full."""
    yield from refused(seen, since)
    yield from expectations(seen)
    if seen.table.maximum is not None and seen.table.maximum <= 0:
        yield Finding(
            'conntrack-no-limit',
            'info',
            'connection tracking has no limit: only memory bounds the table',
            (f'nf_conntrack_max = {seen.table.maximum}',),
            ('sysctl -w net.netfilter.nf_conntrack_max=262144',),
        )
    if seen.table.loaded and (seen.table.entries is None or seen.table.maximum is None):
        yield Finding(
            'conntrack-hidden',
            'unknown',
            'connection tracking is loaded, but its size or its limit is hidden from this namespace',
            ('/proc/sys/net/netfilter/nf_conntrack_max is not there (a user namespace of kernels 3.8 to 5.6)',),
            ('run the check in the initial user namespace of the host',),
        )
    elif seen.table.loaded and seen.table.statistics is None:
        yield Finding(
            'conntrack-statistics-missing',
            'info',
            'this kernel has no conntrack statistics: refused packets show only in the kernel log',
            ('/proc/net/stat/nf_conntrack is not there (CONFIG_NF_CONNTRACK_PROCFS=n, as on Ubuntu 24.04)',),
        )
        if seen.log_gap:
            yield log_unreadable(seen)


def not_loaded(severity: str) -> Finding:
    """Connection tracking is absent; `severity` is what that means to the user."""
    return Finding(
        'conntrack-not-loaded',
        'info' if severity == 'ok' else severity,
        'connection tracking is not loaded',
        ('/proc/sys/net/netfilter/nf_conntrack_count is not there',),
    )


def usage_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Usage in percent of the limit is outside the range of the user."""
    table = seen.table
    pace = f', full in {duration(seen.full_in)}' if seen.full_in is not None else ''
    return Finding(
        'conntrack-usage-high',
        severity,
        f'{number(value)} % of the connection tracking table in use ({table.entries} of {table.maximum}){pace}',
        (f'usage {number(value)} % is outside {limits or "0:"}',),
        (*raise_limit(table, seen.release), *persist(table, 2 * (table.limit or 0), seen.limit_file)),
    )


def entries_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """The number of entries is outside the range of the user."""
    return Finding(
        'conntrack-entries-high',
        severity,
        f'{number(value)} tracked connections, outside {limits or "0:"}',
        (f'nf_conntrack_count {number(value)}',),
        (list_entries(),),
    )


def early_drop_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Connections that are not assured are thrown out: the table is at its limit, but nothing is refused yet."""
    return Finding(
        'conntrack-early-drops',
        severity,
        f'{seen.growth("early_drop")} unanswered or short connections evicted to make room for new ones',
        (f'early_drop {number(value)}/s is outside {limits or "0:"}',),
        (list_entries(' -u UNREPLIED'),),
    )


def insert_failed_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """New connections clash with existing ones; since 5.15 also when a hash chain is too long."""
    chains = seen.growth('chainlength')
    reason = f', {chains} for too long hash chains' if chains else ''
    return Finding(
        'conntrack-insert-failed',
        severity,
        f'{number(value)} new connections per second lost on insertion{reason}',
        (f'insert_failed +{seen.growth("insert_failed")}, outside {limits or "0:"}',),
        ('conntrack -S  # loads nf_conntrack_netlink, tracking is on already',),
    )


def hash_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Too few buckets for the limit: lookups get slow, and 5.15 to 5.19 even refuse connections long before max."""
    limit = seen.table.limit or 0
    return Finding(
        'conntrack-hash-small',
        severity,
        f'hash table too small: {number(value)} entries per bucket when full',
        (f'nf_conntrack_max {limit}, nf_conntrack_buckets {seen.table.buckets}',),
        (resize_hash(seen.table, limit), *persist_hash(seen.table, limit, seen.release)),
    )


def full_soon(seen: Seen, warning: float | None, critical: float | None) -> Iterator[Finding]:
    """The table will be full within so many minutes (None: not judged)."""
    if seen.full_in is None:
        return
    for severity, minutes in (('critical', critical), ('warning', warning)):
        if minutes is not None and seen.full_in <= 60 * minutes:
            yield Finding(
                'conntrack-full-soon',
                severity,
                f'connection tracking table full in {duration(seen.full_in)} at its present growth',
                (f'{seen.table.entries} of {seen.table.maximum} entries, and growing',),
                raise_limit(seen.table, seen.release),
            )
            return

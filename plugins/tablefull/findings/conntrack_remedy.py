"""Remedies of the connection tracking table: what to type, on which host, for how long."""

from __future__ import annotations

from tablefull.findings.wording import quoted
from tablefull.readers.conntrack import Conntrack

OWN_FILE = '/etc/sysctl.d/90-conntrack.conf'
# Behind whatever has a number.
_LAST_FILE = '/etc/sysctl.d/zz-conntrack.conf'

# systemd-sysctl runs before anybody has loaded the module, finds no such key, and says nothing.
PRELOAD = 'echo nf_conntrack > /etc/modules-load.d/conntrack.conf  # or the setting comes before the module, in vain'


def key_of_maximum(table: Conntrack) -> str:
    """The sysctl of the limit on this kernel."""
    return 'net.ipv4.netfilter.ip_conntrack_max' if table.legacy else 'net.netfilter.nf_conntrack_max'


def raise_limit(table: Conntrack, release: tuple[int, int]) -> tuple[str, ...]:
    """Commands that double the limit at once; buckets with it where the table would outgrow its hash."""
    wanted = 2 * (table.limit or 131072)
    # In another namespace the sysctl is read-only (>= 5.13), or changes the host's value all the same (before).
    where = '' if table.first_namespace or table.legacy else '  # on the host: one limit for all its containers'
    lines = [f'sysctl -w {key_of_maximum(table)}={wanted}{where or "  # at once, until the next boot"}']
    if table.buckets and wanted > 4 * table.buckets:
        lines.append(resize_hash(table, wanted // (1 if release >= (5, 15) else 4)))
    return tuple(lines)


def resize_hash(table: Conntrack, buckets: int) -> str:
    """The command that resizes the hash table while it is in use; the module parameter takes it on every kernel."""
    return f'echo {buckets} > /sys/module/{"ip" if table.legacy else "nf"}_conntrack/parameters/hashsize'


def file_of_limit(configured: str) -> str:
    """Where a line sets the limit when `configured` ('' for none) is the file that does so now.

    Files apply in the order of their names whatever their directory, /etc/sysctl.conf last, and the last line counts.
    """
    if configured.startswith('/etc/'):
        return configured
    return OWN_FILE if configured.rpartition('/')[2] < OWN_FILE.rpartition('/')[2] else _LAST_FILE


def persist(table: Conntrack, maximum: int, file: str = OWN_FILE) -> tuple[str, ...]:
    """Commands that write a limit down so that the next boot has it; see file_of_limit()."""
    return (f'echo "{key_of_maximum(table)} = {maximum}" >> {quoted(file)}', PRELOAD)


def persist_hash(table: Conntrack, buckets: int, release: tuple[int, int]) -> tuple[str, ...]:
    """The command that writes a hash size down so that the next boot has it; none in a container."""
    if not table.first_namespace:
        return ()
    if release >= (4, 8):
        line = f'echo "net.netfilter.nf_conntrack_buckets = {buckets}" >> /etc/sysctl.d/90-conntrack.conf'
    else:
        module = 'ip_conntrack' if table.legacy else 'nf_conntrack'
        line = f'echo "options {module} hashsize={buckets}" >> /etc/modprobe.d/conntrack.conf'
    return (f'{line}  # and at the next boot',)


def list_entries(selection: str = '') -> str:
    """How to see who holds the table. Tracking is on where this is advised, so that it is not loaded by looking."""
    return f'conntrack -L{selection}  # who holds it; loads nf_conntrack_netlink, tracking is on already'

"""The one list of what the readers read; capture packs this and nothing else, and a test holds the readers to it.

In a path, NET is /proc/net (below a mounted host /proc/1/net), RELEASE that of the kernel, and * any one name.
"""

from __future__ import annotations

from tablefull.readers import modprobe_d, sysctl_d
from tablefull.readers.module_names import OWNERS

_NEW = '/proc/sys/net/netfilter/nf_conntrack_'
_OLD = '/proc/sys/net/ipv4/netfilter/ip_conntrack_'

# Files, with what they tell.
FILES: dict[str, str] = {
    '/proc/version': 'release of old kernels',
    '/proc/sys/kernel/osrelease': 'release of the kernel',
    '/proc/sys/kernel/random/boot_id': 'which boot it is',
    **{f'{_NEW}{name}': 'connection tracking' for name in ('count', 'max', 'buckets', 'expect_max')},
    '/proc/sys/net/nf_conntrack_max': 'the same; there in the first namespace alone',
    **{f'{_OLD}{name}': 'the same of old kernels' for name in ('count', 'max', 'buckets')},
    '/proc/sys/net/ipv4/ip_conntrack_max': 'the same of old kernels',
    'NET/stat/nf_conntrack': 'its counters',
    'NET/stat/ip_conntrack': 'the same of old kernels',
    '/etc/sysctl.conf': 'configured limits',
    '/proc/modules': 'loaded modules',
    '/sys/module/*/initstate': 'whether a module is loaded or compiled in',
    '/lib/modules/RELEASE/modules.builtin': 'what is compiled in',
    '/proc/cmdline': 'module options and blocks at boot',
    '/proc/sys/kernel/modprobe': 'who loads modules',
    '/proc/sys/kernel/modules_disabled': 'whether any can be loaded',
    'NET/ip_tables_names': 'tables of the old iptables; root alone reads it',
    'NET/ip6_tables_names': 'the same for IPv6',
    'NET/stat/arp_cache': 'the neighbour table of IPv4',
    'NET/stat/ndisc_cache': 'that of IPv6',
    **{
        f'/proc/sys/net/ipv{family}/neigh/default/gc_thresh{number}': 'limits of neighbour tables'
        for family in (4, 6)
        for number in (1, 2, 3)
    },
}

# Files that are read only where the recording of the same thing is not there.
FALLBACKS: dict[str, tuple[str, ...]] = {
    'ip-addr.txt': ('NET/fib_trie', 'NET/if_inet6', '/sys/class/net/*/flags'),
    'ip-route.txt': ('NET/route',),
    'ip6-route.txt': ('NET/ipv6_route',),
    'ip-s-neigh.txt': ('NET/arp',),
}

# Directories of which the files are read that count: NAME.conf and the like, none hidden by one of the same name.
DROP_INS: dict[tuple[str, ...], tuple[str, ...]] = {
    sysctl_d.DIRECTORIES: ('.conf',),
    modprobe_d.DIRECTORIES: ('.conf', '.alias'),
}

# Read only where ferm is installed; beside them what ferm.conf includes.
FERM = ('/etc/default/ferm', '/etc/ferm/ferm.conf')

# Of a process in each of the other network namespaces, of 64 at most: those with the most entries.
NAMESPACES: dict[str, str] = {
    '/proc/*/net/stat/nf_conntrack': 'the table of another network namespace',
    '/proc/*/comm': 'the name of a process in it',
    '/proc/*/cgroup': 'its container',
}

# Only that they are there counts: packed as empty directories, whatever they are.
PRESENT: dict[str, str] = {
    '/sys/module/*': 'code that is compiled in',
    '/usr/sbin/ferm': 'ferm',
    '/sbin/ferm': 'ferm',
    '/usr/local/sbin/ferm': 'ferm',
    '/etc/ferm': 'ferm',
    '/etc/systemd/system/sysinit.target.wants/nftables.service': 'nftables beside ferm',
    **{path: owner for owner, (_, paths) in OWNERS.items() for path in paths},
}

# What is no file on the host, with what is packed in its place.
RECORDINGS: dict[str, str] = {
    'proc/uptime': 'the clock of the kernel log in its first word',
    'network-namespace.txt': 'the inode of the network namespace',
    'kmsg': 'the kernel log; the text of records that are not about networks is left out',
    'journal-kernel.json': 'the same of the last day from the journal, where the kernel log is closed or not there',
    'ip-addr.txt': 'interfaces and own addresses',
    'ip-route.txt': 'routes of IPv4, of every table in use',
    'ip6-route.txt': 'routes of IPv6',
    'ip-s-neigh.txt': 'neighbours of IPv4, without their hardware addresses',
    'ip-s-neigh6.txt': 'neighbours of IPv6',
    'systemctl-show-ferm.txt': 'the properties of ferm.service that are judged',
    'journal.json': 'messages of ferm.service since boot, where a run of it failed',
    'NET/nf_conntrack': 'up to 20001 connections without their destinations, when something is wrong with their table',
    'capture.json': 'when and by whom it was captured, and what could not be read',
}

# Recordings that only a tree made by hand has; they are packed along when one is captured again.
BY_HAND = (
    'syslog-kern.log',
    'journal-ferm.txt',
    'ip-s-link.txt',
    'ferm-lines.txt',
    *(f'{family}tables-{backend}-save.txt' for family in ('ip', 'ip6') for backend in ('legacy', 'nft')),
)
# Read beside ferm-lines.txt.
SERVICES = '/etc/services'

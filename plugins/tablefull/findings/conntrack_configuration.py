"""Rules on whether the running limits are the configured ones, and whether they survive a reboot."""

from __future__ import annotations

from collections.abc import Iterator

from tablefull.findings.finding import Finding
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.sysctl_d import Sysctls, parse_value

_MAXIMUM = ('net.netfilter.nf_conntrack_max', 'net.nf_conntrack_max', 'net.ipv4.netfilter.ip_conntrack_max')

# What the kernel itself derives max from when nobody sets it: one entry a bucket (>= 5.15), four (before), eight with
# an explicit hashsize= (all versions). nf_conntrack_init_start().
_OWN_RATIOS = (1, 4, 8)


def configuration(table: Conntrack, sysctls: Sysctls, hashsize: str | None) -> Iterator[Finding]:
    """Compare the running limit with sysctl.d, and with the hashsize option of modprobe.d if there is one.

    Only in the first namespace, whose /etc describes the host, and only when there is any configuration to read.
    """
    if not table.first_namespace or not sysctls.present or table.maximum is None or not table.buckets:
        return
    configured = sysctls.last(*_MAXIMUM)
    if configured is not None:
        wanted = parse_value(configured.value)
        if wanted is not None and wanted != table.maximum:
            yield _differs(table, wanted, configured.path)
    elif table.maximum not in [ratio * table.buckets for ratio in _OWN_RATIOS] and table.maximum > 0:
        yield Finding(
            'conntrack-configuration-lost-at-boot',
            'info',
            f'the running limit of {table.maximum} entries is configured nowhere: a reboot forgets it',
            (f'no {_MAXIMUM[0]} in sysctl.d; {table.buckets} buckets',),
            (f'echo "net.netfilter.nf_conntrack_max = {table.maximum}" > /etc/sysctl.d/90-conntrack.conf', _PRELOAD),
        )
    if hashsize is not None and hashsize.isdigit() and table.buckets < int(hashsize):
        yield Finding(
            'conntrack-configuration-differs',
            'warning',
            f'modprobe.d sets hashsize={hashsize}, but the hash table has {table.buckets} buckets',
            ('the module was loaded before the option was written, or from an initial ramdisk without it',),
            (f'echo {hashsize} > /sys/module/nf_conntrack/parameters/hashsize', 'update-initramfs -u'),
        )


# systemd-sysctl runs before anybody has loaded the module, finds no such key, and says nothing.
_PRELOAD = 'echo nf_conntrack > /etc/modules-load.d/conntrack.conf  # or the setting comes before the module, in vain'


def _differs(table: Conntrack, wanted: int, path: str) -> Finding:
    own = table.maximum in [ratio * (table.buckets or 0) for ratio in _OWN_RATIOS]
    reason = 'the module was loaded after the setting' if own else 'changed by hand since'
    return Finding(
        'conntrack-configuration-differs',
        'warning',
        f'nf_conntrack_max is {table.maximum}, not {wanted} as configured: {reason}',
        (f'running {table.maximum}, {table.buckets} buckets', f'{path}: {wanted}'),
        (f'sysctl -w net.netfilter.nf_conntrack_max={wanted}', _PRELOAD),
    )

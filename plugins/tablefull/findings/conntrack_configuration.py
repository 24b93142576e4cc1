"""Rules on whether the running limits are the configured ones, and whether they survive a reboot."""

from __future__ import annotations

from tablefull.findings.conntrack_remedy import PRELOAD, file_of_limit, key_of_maximum, persist, resize_hash
from tablefull.findings.finding import Finding
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.sysctl_d import Sysctls, parse_value
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAXIMUM = ('net.netfilter.nf_conntrack_max', 'net.nf_conntrack_max', 'net.ipv4.netfilter.ip_conntrack_max')

# What the kernel itself derives max from when nobody sets it: one entry a bucket (>= 5.15), four (before), eight with
# an explicit hashsize= (all versions). nf_conntrack_init_start(). Distributions took the one back into 5.14.
_ONE, _FOUR = (5, 14), (5, 15)


def configuration(
    table: Conntrack, sysctls: Sysctls, hashsize: str | None, release: tuple[int, int] = (0, 0)
) -> Iterator[Finding]:
    """Compare the running limit with sysctl.d, and with the hashsize option of modprobe.d if there is one.

    `release` tells which limits the kernel chooses by itself; (0, 0) is one that is not known.
    Only in the first namespace, whose /etc describes the host, and only when there is any configuration to read.
    """
    if not table.first_namespace or not sysctls.present or table.maximum is None or not table.buckets:
        return
    configured = sysctls.last(*MAXIMUM)
    wanted = parse_value(configured.value) if configured is not None else None
    if configured is not None and wanted is not None:
        if table.maximum != wanted:
            yield _differs(table, wanted, configured.path, release)
    elif table.maximum > 0 and not _is_own_choice(table, release):
        but = ' that can be read' if sysctls.unread else ''
        yield Finding(
            'conntrack-configuration-lost-at-boot',
            'info',
            f'the running limit of {table.maximum} entries is configured nowhere{but}: a reboot forgets it',
            (
                f'no {MAXIMUM[0]} in sysctl.d; {table.buckets} buckets',
                *(f'{path}: unreadable' for path in sysctls.unread),
            ),
            persist(table, table.maximum),
        )
    size = parse_value(hashsize or '')
    if size is not None and table.buckets < size:
        yield Finding(
            'conntrack-configuration-differs',
            'warning',
            f'modprobe.d sets hashsize={hashsize}, but the hash table has {table.buckets} buckets',
            ('the module was loaded before the option was written, or from an initial ramdisk without it',),
            (resize_hash(table, size), 'update-initramfs -u'),
        )


def _is_own_choice(table: Conntrack, release: tuple[int, int]) -> bool:
    known = release != (0, 0)
    ratios = [8]
    if not known or release >= _ONE:
        ratios.append(1)
    if not known or release < _FOUR:
        # Since 5.15 somebody made it so: hash size raised to a quarter of the limit, as guides advise.
        ratios.append(4)
    return table.maximum in [ratio * (table.buckets or 0) for ratio in ratios]


def _differs(table: Conntrack, wanted: int, path: str, release: tuple[int, int]) -> Finding:
    running = table.maximum or 0
    evidence = (f'running {running}, {table.buckets} buckets', f'{path}: {wanted}')
    if running > wanted > 0 or running <= 0:
        # kube-proxy and tuned set it themselves, at every start; nothing is lost by more room.
        return Finding(
            'conntrack-configuration-differs',
            'info',
            f'nf_conntrack_max is {running}, raised since from the {wanted} that is configured',
            evidence,
            persist(table, running, file_of_limit(path)) if running > 0 else (),
        )
    reason = 'the module was loaded after the setting' if _is_own_choice(table, release) else 'lowered since'
    return Finding(
        'conntrack-configuration-differs',
        'warning',
        f'nf_conntrack_max is {running}, not {wanted} as configured: {reason}',
        evidence,
        (f'sysctl -w {key_of_maximum(table)}={wanted}', PRELOAD),
    )

"""Every cause with its title and the evidence it is named by; docs/triage.md and `tablefull explain` follow this table.

In the order in which causes of the same weight are told: what happened first comes first.
"""

from __future__ import annotations

from tablefull.record import NamedTuple


class Kind(NamedTuple):
    """What is known of a cause wherever it is named.

    title   a sentence without full stop
    named   what must be seen
    not_by  what looks alike, and is not enough
    outage  heading of docs/outages.md, '' for none
    root    False for what only describes the damage: a cause that explains it goes before
    """

    title: str
    named: str
    not_by: str
    outage: str = ''
    root: bool = True


CAUSES: dict[str, Kind] = {
    'firewall-module-blocked': Kind(
        'ferm failed because modprobe.d keeps out a module that its rules need',
        'the last start or reload of ferm failed, and a line of modprobe.d stops nf_conntrack as a dependency',
        'a block alone, while ferm runs well without the module',
    ),
    'firewall-run-failed': Kind(
        'A start of ferm failed and left the host without its rules, or connection tracking without a purpose',
        'ExecMainStatus of ferm.service is not 0; the reason is the kernel log or the journal of that run; modules '
        'that only its rules load are there, and no rule holds them',
        'a failed reload, which leaves the old rules; modules that rules hold',
        'O1: service host, 2015',
    ),
    'firewall-reload-failed': Kind(
        'A reload of ferm failed behind a unit that looks active',
        'ReloadResult of ferm.service is not success',
        'a failed start',
    ),
    'tracking-by-listing': Kind(
        'Somebody listed the nat table, and that loaded connection tracking',
        'iptable_nat or ip6table_nat without reference and without any module that a NAT rule would have loaded; '
        'nf_conntrack came with it (/proc/modules lists the newest first)',
        'a NAT rule in use; a table that came when connection tracking was long there; the nft back end, which loads '
        'no tracking for a listing',
        'O2: load balancer, 2012',
    ),
    'tracking-left-behind': Kind(
        'Rules were removed, the modules they had loaded stayed',
        'modules of NAT or state rules (xt_MASQUERADE, xt_conntrack, ...) without any reference',
        'the same modules with references: rules use them',
        'O3: external tier, 2010',
    ),
    'tracking-by-conntrack-tool': Kind(
        'A look with conntrack(8) loaded connection tracking',
        'nf_conntrack_netlink on nf_conntrack, no reference, no entry, no module of any rule',
        'nf_conntrack_netlink beside rules that use connection tracking',
    ),
    'table-by-listing': Kind(
        'Somebody listed rules, and that loaded a table; nothing is tracked',
        'table modules without reference, and no module that tracks',
        'table modules with references: rules are in them',
    ),
    'default-route-wrong': Kind(
        'A wrong default route makes every destination a neighbour',
        'the gateway of a default route is an address of this host, or there is none on a link that resolves '
        'neighbours, or it lies outside every connected network',
        'a gateway that is right and does not answer; off-link neighbours without such a route',
        'O4: shared hosting, 2014',
    ),
    'gateway-silent': Kind(
        'The default gateway does not answer',
        'its neighbour entry is FAILED or INCOMPLETE',
        'other neighbours that do not answer',
    ),
    'prefix-too-wide': Kind(
        'A connected prefix holds more hosts than the neighbour table',
        'an on-link prefix wider than /16 (IPv6: /64), and a neighbour table in trouble or full of entries that do '
        'not answer',
        'a wide prefix beside a table with room',
    ),
    'neighbours-scanned': Kind(
        'Addresses that nobody has are asked for: a scan, or a route into nowhere',
        'a quarter of the neighbour table or more does not answer, with the default routes in order',
        'unresolved neighbours behind a wrong default route',
    ),
    'neighbours-off-link': Kind(
        'A route without gateway brings foreign addresses into the neighbour table',
        'a tenth of the neighbour table or more lies outside every connected network, with the default routes in order',
        'the same behind a wrong default route',
    ),
    'container-table-full': Kind(
        'The table that is full belongs to a container, not to this host',
        'the kernel reports a full table, and no packet was refused here, or it names another namespace',
        'a full table of this namespace',
    ),
    'unreplied-flood': Kind(
        'A flood of connections that nobody answers fills the table (UDP, or SYN)',
        'early_drop grows: the kernel evicts unanswered or short entries for others (since boot alone only possible); '
        'or the connections of a table in trouble, half of which or more are unanswered; of which protocol they tell',
        'a table full of answered connections, where there is nothing to evict and drop grows alone',
    ),
    'one-range-holds-table': Kind(
        'One range of addresses holds half of the table or more',
        'the connections of a table in trouble: half of them or more come from one range, a /16 or smaller (IPv6: /32)',
        'connections from many ranges; most of them unanswered, which is a flood; a limit below the entries',
        'O5: mirror list, 2019',
    ),
    'insertion-clashes': Kind(
        'New connections collide on insertion, the table has room',
        'insert_failed grows, and hash chains are not too long',
        'packets refused by a full table',
    ),
    'hash-too-small': Kind(
        'The hash table is too small for the limit',
        'more than four entries for each bucket when the table is full',
        'a raised limit with its hash raised along',
        'O5: mirror list, 2019',
    ),
    'refused-below-limit': Kind(
        'Connection tracking refuses packets though its table has room',
        'drop grows beyond clashes, the table is not near its limit and the kernel does not report it full',
        'a full table; clashes on insertion',
    ),
    'helper-table-full': Kind(
        'The table of expected connections is full: FTP, SIP or another helper fails',
        "the kernel's own line about it",
        'the line about the table of connections, which reads nearly alike',
    ),
    'limit-below-entries': Kind(
        'The limit was lowered below the connections that are tracked',
        'more entries than the limit, which no load can bring about',
        'a table at its limit',
    ),
    'limit-too-low': Kind(
        'More connections than the table holds',
        'packets refused by a full table, or a table above the thresholds or soon to be full',
        'a full table of a container; refusals with room in the table',
        'O5: mirror list, 2019',
        root=False,
    ),
    'limit-never-applied': Kind(
        'The configured limit is not the running one',
        'sysctl.d or modprobe.d ask for more than runs; a running value that the kernel chose itself shows that the '
        'module came after the setting',
        'a running limit above the configured one',
        'O5: mirror list, 2019',
        root=False,
    ),
    'limit-not-kept': Kind(
        'The running limit was set by hand, and a reboot loses it',
        'a limit that is neither the configured one nor one that the kernel would choose',
        'a limit that the kernel chose itself; one below the configured one',
        'O5: mirror list, 2019',
        root=False,
    ),
    'neighbour-limit-too-low': Kind(
        'More neighbours than gc_thresh3 allows',
        'an overflow or a table above the thresholds, without any fault in routes or neighbours',
        'an overflow with a wrong default route, a scan, or off-link neighbours',
        root=False,
    ),
    'firewall-missing': Kind(
        'The rules of ferm are not in force, though no run of it failed',
        'ferm was stopped, switched off, never started, or its rules are gone behind an active unit',
        'a failed start or reload',
        root=False,
    ),
    'tracking-needed': Kind(
        'Connection tracking is needed here: rules use it, or a program that brings such rules',
        'state, NAT or helper modules with references; Docker, Kubernetes, firewalld, libvirt, Open vSwitch or IPVS '
        'at work; since Linux 4.10 also any active tracking, for only a rule switches it on',
        'modules without reference',
        root=False,
    ),
    'tracking-unclaimed': Kind(
        'Connections are tracked, and nothing shows who asked for it',
        'active tracking, and none of the causes above',
        'tracking that rules hold',
        root=False,
    ),
    'view-restricted': Kind(
        'This is not the host: a network or user namespace shows only its own part',
        'no nf_conntrack_max of the first namespace, hidden sysctls, or no neighbour tables',
        'a closed kernel log',
        root=False,
    ),
    'messages-suppressed': Kind(
        'The kernel suppressed messages, so that its log tells less than happened',
        '"callbacks suppressed" in the kernel log; never alone a verdict',
        'suppressed messages beside the line they repeat',
        root=False,
    ),
}


def page(code: str) -> str:
    """What `tablefull explain` prints of a cause."""
    kind = CAUSES[code]
    lines = [
        f'# {code}: {kind.title}',
        '',
        'A cause that `tablefull triage` names, with the evidence of the host, what to do and what that breaks.',
        '',
        f'Named by: {kind.named}.',
        '',
        f'Not by: {kind.not_by}.',
    ]
    return '\n'.join([*lines, '', f'Outage: {kind.outage} (docs/outages.md).'] if kind.outage else lines)

"""Causes in how the table of connections is set up: its hash, and limits that are not applied or not kept."""

from __future__ import annotations

from tablefull.findings.conntrack_remedy import persist, persist_hash, resize_hash
from tablefull.findings.conntrack_seen import Seen
from tablefull.findings.wording import quantity
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step, steps_of
from tablefull.triage.table import MEMORY, level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.finding import Finding
    from tablefull.triage.facts import Facts


def judge(facts: Facts) -> Iterator[Cause]:
    """What is wrong with hash and limits, whether or not the table is full."""
    if facts.conntrack is not None:
        yield from _insertion(facts, facts.conntrack)
        yield from _configuration(facts, facts.conntrack)


def _insertion(facts: Facts, seen: Seen) -> Iterator[Cause]:
    small, failed = facts.codes('conntrack-hash-small'), facts.codes('conntrack-insert-failed')
    chains = seen.growth('chainlength')
    if small:
        buckets, limit = seen.table.buckets, seen.table.limit or 0
        yield Cause(
            'hash-too-small',
            f'the hash table has {buckets} buckets for a limit of {limit}',
            'certain',
            'both numbers are the running ones',
            (
                'the limit was raised, the hash table was not',
                'entries queue up in long chains, every packet costs more',
                *(('chains beyond what Linux 5.15 and later allow lose new connections',) if failed else ()),
            ),
            facts.evidence('conntrack-hash-small', 'conntrack-insert-failed'),
            (*small, *failed),
            'conntrack-hash-small',
            (Step(resize_hash(seen.table, limit), 'lookups wait while entries move, milliseconds'),),
            (
                *(line.partition('  #')[0] for line in persist_hash(seen.table, limit, seen.release)),
                'raise both together: the kernel leaves the hash alone when the limit is raised',
            ),
            () if chains or not failed else ('no insertion failed for a chain that was too long',),
        )
    elif failed:
        yield Cause(
            'insertion-clashes',
            'new connections collide with others on insertion and are dropped',
            'probable',
            'insert_failed grows with the table far from full',
            (
                'two packets of one new flow are handled at the same moment (DNS: A and AAAA from one socket)',
                'both make an entry, the second finds the first',
                'its packet is dropped, the client waits for seconds and retries',
            ),
            (*facts.evidence('conntrack-insert-failed'), level(seen)),
            failed,
            'conntrack-insert-failed',
            steps_of(tuple(facts.remedies('conntrack-insert-failed')), 'nothing: tracking is on already'),
            ('do not track DNS; or a resolver on the host; or options single-request-reopen in resolv.conf',),
        )


def _configuration(facts: Facts, seen: Seen) -> Iterator[Cause]:
    differs = facts.found('conntrack-configuration-differs', check='conntrack')
    behind = [finding for finding in differs if finding.severity != 'info']
    if behind:
        told = ' '.join([*(finding.summary for finding in behind), *(behind[0].evidence)])
        early = 'after the setting' in told or 'before the option' in told
        yield Cause(
            'limit-never-applied',
            behind[0].summary,
            'certain' if early else 'probable',
            'the running value is one that the kernel chooses by itself'
            if early
            else 'somebody has set another value since',
            ('systemd-sysctl runs at boot and finds no such key', 'nf_conntrack is loaded later, with its own default')
            if early
            else ('the configured value was applied', 'a lower one was set since'),
            tuple(piece for finding in behind for piece in finding.evidence),
            ('conntrack-configuration-differs',),
            'conntrack-configuration-differs',
            steps_of(tuple(line for finding in behind for line in finding.remedy), MEMORY),
            ('echo nf_conntrack > /etc/modules-load.d/conntrack.conf: then the module is there before the setting',),
        )
    lost = facts.found('conntrack-configuration-lost-at-boot') + tuple(
        finding for finding in differs if finding.severity == 'info'
    )
    if lost:
        yield _not_kept(facts, seen, lost, tuple(finding.code for finding in lost if finding not in behind))


def _not_kept(facts: Facts, seen: Seen, lost: tuple[Finding, ...], codes: tuple[str, ...]) -> Cause:
    table = seen.table
    limit = table.maximum or 0
    # The kernel chooses one entry a bucket or more.
    raised = limit >= (table.buckets or 0)
    # What is too small now is not worth keeping.
    wanted = 2 * limit if facts.found('conntrack-table-full', 'conntrack-usage-high', check='conntrack') else limit
    return Cause(
        'limit-not-kept',
        f'the limit of {quantity(limit, "entry", "entries")} was set by hand: a reboot loses it',
        'probable',
        'a program that sets it at every start (kube-proxy, tuned) leaves the same trace',
        (
            f'somebody {"raised" if raised else "lowered"} the limit',
            'nobody wrote it down',
            'the next boot brings the small one back' if raised else "the next boot brings the kernel's own back",
        ),
        tuple(piece for finding in lost for piece in finding.evidence),
        tuple(dict.fromkeys(codes)),
        'conntrack-configuration-lost-at-boot',
        steps_of(
            (*persist(table, wanted, seen.limit_file), *persist_hash(table, table.buckets or 0, seen.release)),
            'nothing: for the next boot',
        ),
        ('write a limit down at once when raising it, and the size of its hash',),
    )

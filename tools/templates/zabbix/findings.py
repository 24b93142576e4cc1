"""Which findings have a trigger of their own, and how everything the suite finds becomes a problem."""

from __future__ import annotations

from typing import NamedTuple

from tablefull.findings.catalogue import CATALOGUE
from tablefull.findings.finding import DOCUMENTS, PAGES
from tools.templates.zabbix.model import Item, Trigger
from tools.templates.zabbix.steps import HOURLY, path

# check -> (part of the snapshot, component in the names of items and triggers, tag)
CHECKS = {
    'conntrack': ('conntrack', 'Conntrack', 'conntrack'),
    'conntrack_modules': ('modules', 'Modules', 'modules'),
    'neighbour': ('neighbour', 'Neighbours', 'neighbour'),
    'ferm': ('ferm', 'ferm', 'ferm'),
    'kernel_log': ('kernel_log', 'Kernel log', 'kernel-log'),
    'snapshot': ('', 'Tablefull', 'tablefull'),
}


class Own(NamedTuple):
    """A finding with a trigger of its own.

    code      of the catalogue
    check     whose verdict counts
    severity  of the trigger
    fact      name of the trigger, behind the component
    event     what the name of the event adds: values
    after     names of triggers that explain it
    unless    an expression that explains it
    """

    code: str
    check: str
    severity: str
    fact: str
    event: str = ''
    after: tuple[str, ...] = ()
    unless: str = ''

    @property
    def trigger(self) -> str:
        """Name of the trigger: the component, then the fact."""
        return f'{CHECKS[self.check][1]}: {self.fact}'


def last(key: str) -> str:
    """The last value of another item of the host, in the name of an event."""
    return f'{{?last(//{key})}}'


FULL = 'Conntrack: the table is full, packets are refused'
OWN_ADDRESS = 'Neighbours: the default gateway is an address of the host itself'
NO_GATEWAY = 'Neighbours: a default route without gateway makes every destination a neighbour'
REFUSED = 'Neighbours: a table is full, new neighbours are refused'
FAILED = ('ferm: the last start failed', 'ferm: the last reload failed')

OWN = (
    Own(
        'conntrack-table-full',
        'conntrack',
        'HIGH',
        FULL.partition(': ')[2],
        f'{last("tablefull.conntrack.entries")} of {last("tablefull.conntrack.max")} entries',
    ),
    Own(
        'conntrack-drops',
        'conntrack',
        'WARNING',
        'packets are refused although the table is not full',
        f'{last("tablefull.conntrack.drop.rate")} per second',
        (FULL,),
    ),
    Own(
        'conntrack-early-drops',
        'conntrack',
        'WARNING',
        'unanswered or short connections are evicted to make room',
        f'{last("tablefull.conntrack.early_drop.rate")} per second',
        (FULL,),
    ),
    Own(
        'conntrack-table-full-elsewhere',
        'conntrack',
        'WARNING',
        'the kernel log tells of a full table in another network namespace',
        # Each table that the snapshot saw refusing is a problem of its own: see namespaces.py.
        unless='max(@tablefull.namespaces.refused,1h)>0',
    ),
    Own('neighbour-gateway-own-address', 'neighbour', 'HIGH', OWN_ADDRESS.partition(': ')[2]),
    Own('neighbour-gateway-missing', 'neighbour', 'HIGH', NO_GATEWAY.partition(': ')[2]),
    Own(
        'neighbour-gateway-off-link',
        'neighbour',
        'WARNING',
        'the default gateway is outside every connected network',
        after=(OWN_ADDRESS,),
    ),
    Own(
        'neighbour-gateway-unresolved',
        'neighbour',
        'WARNING',
        'the default gateway does not answer',
        after=(OWN_ADDRESS,),
    ),
    Own(
        'neighbour-table-full',
        'neighbour',
        'HIGH',
        REFUSED.partition(': ')[2],
        f'the fullest table is at {last("tablefull.neighbour.usage")} %',
        (OWN_ADDRESS, NO_GATEWAY),
    ),
    Own('ferm-start-failed', 'ferm', 'HIGH', 'the last start failed'),
    Own('ferm-reload-failed', 'ferm', 'HIGH', 'the last reload failed', after=FAILED[:1]),
    Own('ferm-rules-gone', 'ferm', 'HIGH', 'the rules are not in the kernel', after=FAILED),
    Own('xtables-rejection', 'kernel_log', 'WARNING', 'the kernel rejected a firewall rule', after=FAILED),
)

# The same facts as numbers: the triggers on usage and its forecast speak for these, with thresholds in macros; those of
# each namespace for the two about namespaces; and the trigger on a part that cannot be read for the last one.
SPOKEN_FOR = {
    'conntrack-usage-high': 'conntrack',
    'conntrack-full-soon': 'conntrack',
    'conntrack-namespace-table-full': 'conntrack',
    'conntrack-namespace-usage-high': 'conntrack',
    'neighbour-usage-high': 'neighbour',
    'kernel-log-unreadable': 'kernel_log',
}


def own_codes() -> dict[str, str]:
    """Every finding that some trigger speaks for -> the check whose verdict counts."""
    return {own.code: own.check for own in OWN} | SPOKEN_FOR


def items() -> list[Item]:
    """The items behind the triggers."""
    found = [
        Item(
            f'tablefull.finding[{own.code}]',
            f'{CHECKS[own.check][1]}: finding {own.code}',
            f'{CATALOGUE[own.code]}. 0 while this is not so.',
            CHECKS[own.check][2],
            (path(f"$.found['{own.code}']"), HOURLY),
            value_map='Tablefull finding',
        )
        for own in OWN
    ]
    for check, (_, title, component) in CHECKS.items():
        found += [
            Item(
                f'tablefull.other[{check}]',
                f'{title}: other findings',
                'The worst severity of all findings that have no trigger of their own.',
                component,
                (path(f'$.other.{check}.severity'), HOURLY),
                value_map='Tablefull finding',
            ),
            Item(
                f'tablefull.other.summary[{check}]',
                f'{title}: other findings, the worst',
                'The sentence of the worst of them, with its code.',
                component,
                (path(f'$.other.{check}.summary'), HOURLY),
                value_type='TEXT',
            ),
        ]
    return found


def triggers(unread: dict[str, str]) -> list[Trigger]:
    """A trigger for each finding that has its own, and two for whatever else each check finds.

    `unread` has the name of the trigger that says that a part cannot be read, by check.
    """
    found = [
        Trigger(
            own.trigger,
            own.severity,
            f'last(@tablefull.finding[{own.code}])>0' + (f' and not ({own.unless})' if own.unless else ''),
            f'{CATALOGUE[own.code]}. The page says what it means, how to confirm it and what to do; on the host: '
            f'tablefull explain {own.code}',
            f'{PAGES}{own.code}.md',
            f'{own.trigger} ({own.event})' if own.event else '',
            after=own.after,
            scope='availability' if own.severity == 'HIGH' else 'notice',
        )
        for own in OWN
    ]
    for check, (_, title, _) in CHECKS.items():
        page = f'{DOCUMENTS}checks/check_{check}.md#findings' if check != 'snapshot' else f'{DOCUMENTS}snapshot.md'
        other, summary = f'tablefull.other[{check}]', last(f'tablefull.other.summary[{check}]')
        critical = f'{title}: a critical finding'
        before = (unread[check],) if check in unread else ()
        about = (
            'Every finding without a trigger of its own ends here. The name of the event has its sentence and its '
            'code; "tablefull explain CODE" prints its page.'
        )
        found += [
            Trigger(critical, 'HIGH', f'last(@{other})=2', about, page, f'{title}: {summary}', scope='notice'),
            Trigger(
                f'{title}: a finding',
                'WARNING',
                f'last(@{other})=1 or last(@{other})=3',
                about,
                page,
                f'{title}: {summary}',
                after=(critical, *before),
                scope='notice',
            ),
        ]
    return found

"""Modules, ferm, the kernel log, and the suite itself: does it answer, and what could it not read?"""

from __future__ import annotations

from tablefull.findings.finding import DOCUMENTS, PAGES
from tools.templates.zabbix.findings import CHECKS, last
from tools.templates.zabbix.model import Item, Macro, Trigger
from tools.templates.zabbix.steps import HOURLY, path

# In the order of kernel_log.messages of the snapshot.
MESSAGES = {
    'conntrack_table_full': 'table full',
    'conntrack_expectation_table_full': 'expectation table full',
    'neighbour_table_full': 'neighbour table overflow',
    'route_cache_full': 'route cache full',
    'xtables_rejection': 'firewall rule rejected',
    'conntrack_helper_unassigned': 'helper not assigned',
    'conntrack_loaded': 'connection tracking loaded',
}

# What the items of ferm show where there is none.
NOT_INSTALLED = '9'


def items() -> list[Item]:
    """All of it, out of the snapshot."""
    found = [
        Item(
            'tablefull.modules.judged',
            'Modules: loaded',
            'Modules loaded that bring connection tracking, NAT or a table.',
            'modules',
            (path('$.modules.judged'), HOURLY),
        ),
        Item(
            'tablefull.modules.unexpected',
            'Modules: unexpected',
            'Those of them nobody expects on this host.',
            'modules',
            (path('$.modules.unexpected'), HOURLY),
        ),
        Item(
            'tablefull.modules.names',
            'Modules: names',
            'Their names, the newest first.',
            'modules',
            (path('$.modules.names'), HOURLY),
            value_type='TEXT',
        ),
        Item(
            'tablefull.ferm.active',
            'ferm: unit',
            'State of ferm.service.',
            'ferm',
            (path('$.ferm.active_code'), HOURLY),
            value_map='Tablefull unit',
        ),
        Item(
            'tablefull.ferm.rules',
            'ferm: rules',
            'What can be seen of its rules without root.',
            'ferm',
            (path('$.ferm.rules_code'), HOURLY),
            value_map='Tablefull rules',
        ),
        Item(
            'tablefull.log.suppressed',
            'Kernel log: messages suppressed',
            'Messages the kernel says it did not print, within the time looked at.',
            'kernel-log',
            (path('$.kernel_log.suppressed'), HOURLY),
        ),
        Item(
            'tablefull.log.lost',
            'Kernel log: records lost',
            'Records overwritten before they were read, since the previous run.',
            'kernel-log',
            (path('$.kernel_log.lost'), HOURLY),
        ),
    ]
    found += [
        Item(
            f'tablefull.log[{label}]',
            f'Kernel log: {name}',
            'Lines of this kind within the time looked at (15 minutes). The kernel prints ten in five seconds at most.',
            'kernel-log',
            (path(f'$.kernel_log.messages.{label}.count'), HOURLY),
        )
        for label, name in MESSAGES.items()
    ]
    return found


STATUSES = {
    '0': 'answers',
    '1': 'failed',
    '2': 'no JSON',
    '3': 'not installed',
    '4': 'not permitted',
    '5': 'not run by the agent',
}


def own_items() -> list[Item]:
    """What the suite says of itself, and the verdicts of its checks."""
    found = [
        Item(
            'tablefull.status',
            'Tablefull: status',
            'Whether the host answers, and why not. It has a value in every interval, so that silence shows.',
            'tablefull',
            (path('$.status'),),
            value_map='Tablefull status',
        ),
        Item(
            'tablefull.error',
            'Tablefull: error',
            'Why there is no snapshot; empty when there is one.',
            'tablefull',
            (path('$.error'), HOURLY),
            value_type='TEXT',
        ),
        Item(
            'tablefull.state',
            'Tablefull: state',
            'The worst state of all checks.',
            'tablefull',
            (path('$.state_code'), HOURLY),
            value_map='Tablefull state',
        ),
        Item(
            'tablefull.summary',
            'Tablefull: summary',
            'The sentence of the worst finding.',
            'tablefull',
            (path('$.summary'), HOURLY),
            value_type='TEXT',
        ),
        Item(
            'tablefull.findings',
            'Tablefull: findings',
            'All findings with severity and code, the worst first. "tablefull explain CODE" prints the page of one.',
            'tablefull',
            (path('$.table'), HOURLY),
            value_type='TEXT',
        ),
        Item(
            'tablefull.unseen',
            'Tablefull: what could not be read',
            'With the reason, and what grants it.',
            'tablefull',
            (path('$.unseen'), HOURLY),
            value_type='TEXT',
        ),
        Item(
            'tablefull.version',
            'Tablefull: version',
            'Of the suite on the host.',
            'tablefull',
            (path('$.version'), HOURLY),
            value_type='CHAR',
        ),
        Item(
            'tablefull.duration',
            'Tablefull: duration',
            'Seconds that the snapshot took.',
            'tablefull',
            (path('$.duration'),),
            value_type='FLOAT',
            units='s',
        ),
    ]
    for severity in ('critical', 'warning', 'unknown'):
        found.append(
            Item(
                f'tablefull.findings.count[{severity}]',
                f'Tablefull: findings, {severity}',
                f'Findings of the severity {severity}.',
                'tablefull',
                (path(f'$.counts.{severity}'), HOURLY),
            )
        )
    for check, (part, title, component) in CHECKS.items():
        if not part:
            continue
        found += [
            Item(
                f'tablefull.verdict[{check}]',
                f'{title}: verdict',
                f'The state of check_{check}.',
                component,
                (path(f'$.checks.{check}.state_code'), HOURLY),
                value_map='Tablefull state',
            ),
            Item(
                f'tablefull.verdict.summary[{check}]',
                f'{title}: verdict in words',
                f'The first line of check_{check}.',
                component,
                (path(f'$.checks.{check}.summary'), HOURLY),
                value_type='TEXT',
                history='1d',
            ),
            Item(
                f'tablefull.read[{part}]',
                f'{title}: can be read',
                'Whether the host lets the agent see this at all.',
                component,
                (path(f'$.{part}.read'), HOURLY),
                value_map='Tablefull read',
            ),
        ]
    return found


SILENT = 'Tablefull: no answer from the agent'

# status -> (name of the trigger, what to do)
BROKEN = {
    '1': ('Tablefull: the snapshot failed', 'It says itself why.'),
    '2': (
        'Tablefull: the answer is not JSON',
        'Something else answers, or Python fails: run the line of tablefull.conf as user zabbix.',
    ),
    '3': (
        'Tablefull: the program is not there',
        'tablefull.conf names a program that the host does not have: install the suite, or correct the path.',
    ),
    '4': (
        'Tablefull: the agent may not run the program',
        'User zabbix must be able to enter every directory above it, and to execute it.',
    ),
    '5': (
        'Tablefull: the agent does not run the snapshot',
        'It does not know the key (tablefull.conf is missing, or AllowKey/DenyKey forbid it), or it took too long.',
    ),
}


def unread() -> dict[str, str]:
    """check -> name of the trigger that says that its part cannot be read."""
    return {check: f'{title}: cannot be read' for check, (part, title, _) in CHECKS.items() if part}


def triggers() -> list[Trigger]:
    """Silence and everything that is no verdict."""
    page = f'{DOCUMENTS}systems/zabbix.md#when-no-verdict-comes'
    found = [
        Trigger(
            SILENT,
            'AVERAGE',
            'nodata(@tablefull.status,{$TABLEFULL.NODATA})=1',
            'Nothing came for {$TABLEFULL.NODATA}: the agent is down, not reachable, or (active) sends nothing. All '
            'other problems of this host are as old as that. A full connection tracking table refuses the packets '
            'of the agent too, unless they are not tracked: see the page.',
            page,
            'Tablefull: no answer from the agent for {$TABLEFULL.NODATA}',
            scope='availability',
        )
    ]
    for status, (name, about) in BROKEN.items():
        found.append(
            Trigger(
                name,
                'AVERAGE',
                f'last(@tablefull.status)={status}',
                f'{about} All other problems of this host stay as they were.',
                page,
                f'{name}: {last("tablefull.error")}',
                scope='availability',
            )
        )
    for check, name in unread().items():
        part, title, _ = CHECKS[check]
        found.append(
            Trigger(
                name,
                'WARNING' if check == 'kernel_log' else 'AVERAGE',
                f'last(@tablefull.read[{part}])=0',
                f'{title}: nothing is known about it, and nothing is taken for healthy. The item "what could not be '
                'read" says why, and what grants it.',
                f'{PAGES}kernel-log-unreadable.md' if check == 'kernel_log' else page,
                f'{name}: {last("tablefull.unseen")}',
                # What keeps the one from being read keeps the other.
                after=(unread()['conntrack'],) if check == 'conntrack_modules' else (),
                scope='availability',
            )
        )
    found.append(
        Trigger(
            'Tablefull: the snapshot takes long',
            'WARNING',
            'min(@tablefull.duration,15m)>{$TABLEFULL.DURATION.MAX}',
            'Soon it will take longer than the agent waits. A full kernel log, or a host short of CPU?',
            page,
            'Tablefull: the snapshot takes {ITEM.LASTVALUE1}',
            scope='performance',
        )
    )
    return found


MACROS = (
    Macro(
        'TABLEFULL.TIMEOUT',
        '5s',
        'How long the server and an agent of 7.0 wait for the snapshot, which gives up by itself after 2.5 seconds. '
        'Older agents wait for their own Timeout, 3 seconds unless it is set.',
        '7.0',
    ),
    Macro('TABLEFULL.INTERVAL', '1m', 'How often the host is asked, or an active agent sends.'),
    Macro('TABLEFULL.NODATA', '5m', 'Silence of this length is a problem. At least three intervals.'),
    Macro('TABLEFULL.DURATION.MAX', '2', 'A snapshot that takes more seconds than this is a warning.'),
    Macro(
        'TABLEFULL.OPTIONS',
        '',
        'Options of "tablefull snapshot" for this host, such as "--expect loaded" on a router.',
    ),
)

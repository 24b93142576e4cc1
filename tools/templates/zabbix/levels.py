"""The two levels of a table's usage: the same triggers for connections, namespaces and neighbours."""

from __future__ import annotations

from tablefull.findings.finding import PAGES
from tools.templates.zabbix.model import Trigger

# Two looks in a row. The values of one look reach the server together, but it may judge some before the others: the
# first look is the time in which what explains the level, a loss, becomes a problem.
TWICE = '#2'


def usage_triggers(
    object_: str,
    usage: str,
    macros: tuple[str, str],
    limit: str,
    about: str,
    page: str,
    after: tuple[str, ...],
    more: str = '',
) -> tuple[Trigger, Trigger]:
    """Very high, and high.

    object_  whose table it is, the beginning of the names
    usage    key of the item, in percent of `limit`, without values left out
    macros   the thresholds of both
    about    what happens at 100 %; `more` is what comes after the word on when it ends
    page     code of the finding
    after    names of the triggers that explain a level
    """
    high, warning = f'{object_}: usage is very high', f'{object_}: usage is high'

    def level(name: str, severity: str, macro: str, before: tuple[str, ...]) -> Trigger:
        return Trigger(
            name,
            severity,
            f'min(@{usage},{TWICE})>={macro}',
            f'Told after two looks in a row. {about} Ends {{$TABLEFULL.HYSTERESIS}} points below {macro} %.{more}',
            f'{PAGES}{page}.md',
            f'{name} ({{ITEM.LASTVALUE1}} of {limit}, threshold {macro} %)',
            f'last(@{usage})<{macro}-{{$TABLEFULL.HYSTERESIS}}',
            before,
        )

    return (
        level(high, 'AVERAGE', macros[0], after),
        level(warning, 'WARNING', macros[1], (high, *after)),
    )

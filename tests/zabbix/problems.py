"""What the server calls a problem: now, and since when."""

from __future__ import annotations

from typing import NamedTuple

from tests.zabbix.api import Api
from tests.zabbix.hosts import Monitored
from tests.zabbix.waiting import wait_for

SEVERITIES = ('not classified', 'INFO', 'WARNING', 'AVERAGE', 'HIGH', 'DISASTER')

# What explains a problem that did not come.
TOLD = ('tablefull.status', 'tablefull.error', 'tablefull.findings', 'tablefull.unseen')


class Problem(NamedTuple):
    """A problem: the name of its trigger, its severity, and the name of the event, which has the values."""

    trigger: str
    severity: str
    name: str


def problems(api: Api, host: Monitored) -> dict[str, Problem]:
    """The open problems of a host by the name of their trigger."""
    open_ones = api('problem.get', hostids=host.id, output=['objectid', 'name', 'severity'])
    return {problem.trigger: problem for problem in _with_triggers(api, open_ones)}


def began(api: Api, host: Monitored, since: float) -> list[Problem]:
    """The problems of a host that began since a moment, over or not, in their order."""
    events = api(
        'event.get',
        hostids=host.id,
        value=1,
        time_from=int(since),
        sortfield=['eventid'],
        output=['objectid', 'name', 'severity'],
    )
    return _with_triggers(api, events)


def _with_triggers(api: Api, events: list[dict[str, str]]) -> list[Problem]:
    ids = [event['objectid'] for event in events]
    found = api('trigger.get', triggerids=ids, output=['description'], expandDescription=True)
    names = {trigger['triggerid']: trigger['description'] for trigger in found}
    return [Problem(names[one['objectid']], SEVERITIES[int(one['severity'])], one['name']) for one in events]


def wait_for_problems(api: Api, host: Monitored, *triggers: str) -> dict[str, Problem]:
    """Until these are the open problems of a host, all of them and no other. Returns them."""
    expected = set(triggers)
    last: dict[str, Problem] = {}

    def same() -> bool:
        last.clear()
        last.update(problems(api, host))
        return set(last) == expected

    try:
        wait_for(f'{expected or "no problem"} of {host.name}', same)
    except AssertionError as error:
        told = api('item.get', hostids=host.id, search={'key_': 'tablefull.'}, output=['key_', 'lastvalue'])
        words = {item['key_']: item['lastvalue'] for item in told if item['key_'] in TOLD}
        raise AssertionError(f'{error}; open are {last}; the host says {words}') from None
    return last

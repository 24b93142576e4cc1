"""The dashboard of a host and the one of all hosts, as a browser shows them while a table is full."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.zabbix.api import Api
from tests.zabbix.browser import screenshot
from tests.zabbix.conftest import TEMPLATES
from tests.zabbix.hosts import OPTIONS, Monitored, monitored
from tests.zabbix.problems import problems, wait_for_problems
from tests.zabbix.releases import Release
from tests.zabbix.test_problems import FULL, Table
from tests.zabbix.waiting import wait_for

NAMES = ('gateway1', 'gateway2', 'mirror1', 'web1')
NO_GATEWAY = 'Neighbours: a default route without gateway makes every destination a neighbour'
# So long a story is told, in seconds; the graphs begin a little earlier.
STORY = 75


@pytest.fixture(scope='module')
def fleet(api: Api, templates: Path, installed: None) -> Iterator[dict[str, Monitored]]:
    """Four hosts: the table of one has filled up, and another has a wrong route."""
    # The colour of a young problem blinks, and a picture might have none.
    api('settings.update', blink_period='0')
    with contextlib.ExitStack() as stack:
        hosts = {}
        for name in NAMES:
            # One kernel log tells of all machines here; each but the full one is to be quiet about it.
            options = '--expect loaded --since 1m' if name == 'gateway1' else f'{OPTIONS},conntrack-table-full'
            (host,) = stack.enter_context(monitored(api, 'agentd', name, ('passive',), OPTIONS=options))
            api('host.update', hostid=host.id, name=name)
            hosts[name] = host
        tables = {name: Table(host.machine) for name, host in hosts.items()}
        for name, percent in (('gateway2', 47), ('mirror1', 21), ('web1', 3)):
            tables[name].fill(percent)
        hosts['web1'].machine.run('ip', 'route', 'replace', 'default', 'dev', 'eth0')
        full = tables['gateway1']
        start = time.monotonic()
        while (share := (time.monotonic() - start) / STORY) < 1:
            # Slow at first, then faster; refused packets in the last fifth.
            full.fill(min(100, 30 + 90 * share**2))
            if full.entries == full.limit:
                full.send(int(20 + 200 * share))
            time.sleep(4)
        full.fill(100)
        full.send(200)
        wait_for('the full table', lambda: FULL in problems(api, hosts['gateway1']))
        wait_for_problems(api, hosts['web1'], NO_GATEWAY)
        yield hosts


def dashboard(page: str, name: str, size: str, images: Path | None, release: Release) -> str:
    """What a page says, without its tags. Keeps a picture of it where one is wanted."""
    path = Path('/run', f'zabbix-{name}-{release.version}.png')
    html = screenshot(page, path, size)
    assert path.stat().st_size > 30_000
    if images:
        images.mkdir(parents=True, exist_ok=True)
        (images / path.name).write_bytes(path.read_bytes())
    html = re.sub(r'<script.*?</script>', '', html, flags=re.DOTALL)
    # How the frontend shows that a widget is broken, or has nothing to show.
    for bad in ('msg-bad', 'No data found', 'No permissions', 'nothing-to-show'):
        assert bad not in html, html[html.index(bad) - 300 : html.index(bad) + 300]
    return re.sub(r'\s+', ' ', re.sub(r'<[^>]+>', ' ', html))


def test_the_dashboard_of_a_host_tells_the_story(
    api: Api, fleet: dict[str, Monitored], release: Release, pytestconfig: Any
) -> None:
    host = fleet['gateway1']
    template = api('template.get', filter={'host': host.template}, output=['templateid'])[0]['templateid']
    (own,) = api('templatedashboard.get', templateids=[template], output=['dashboardid', 'name'])
    page = f'zabbix.php?action=host.dashboard.view&hostid={host.id}&dashboardid={own["dashboardid"]}'
    page += '&from=now-2m&to=now&kiosk=1'
    text = dashboard(page, 'host', '1280,1010', pytestconfig.option.images, release)
    for words in ('CRITICAL', 'Findings', '[conntrack-table-full]', 'Conntrack: connections and their limit'):
        assert words in text
    assert re.search(r'connection tracking table full, \d+ packets refused', text)


def test_the_dashboard_of_all_hosts_has_the_fullest_first(
    api: Api, fleet: dict[str, Monitored], release: Release, pytestconfig: Any
) -> None:
    request = json.loads((TEMPLATES / f'fleet-dashboard-{release.version}.json').read_text())
    created = api(request['method'], request['params'])['dashboardids'][0]
    page = f'zabbix.php?action=dashboard.view&dashboardid={created}&from=now-2m&to=now&kiosk=1'
    text = dashboard(page, 'fleet', '1280,650', pytestconfig.option.images, release)
    api('dashboard.delete', [created])
    assert re.search(r'gateway1.*gateway2.*mirror1.*web1', text)
    assert '262144' in text
    assert NO_GATEWAY in text
    assert FULL in text

"""docs/systems/zabbix.md: its commands run as they stand there, and say what the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.integration.conftest import WITHOUT_NETWORK
from tests.zabbix.api import Api
from tests.zabbix.conftest import ROOT
from tests.zabbix.hosts import Machine
from tests.zabbix.releases import Release

PAGE = (ROOT / 'docs' / 'systems' / 'zabbix.md').read_text()
# There is no systemd here, and everything is installed already.
PROLOGUE = """
systemctl() { echo "systemctl $*"; }
apt-get() { echo "apt-get $*"; }
python3() { /usr/bin/python3 "$@"; }
"""


def blocks(heading: str) -> list[str]:
    """The shell blocks of a section."""
    section = PAGE.partition(f'\n## {heading}\n')[2].partition('\n## ')[0]
    return re.findall(r'^```sh\n(.*?)^```$', section, re.MULTILINE | re.DOTALL)


def follow(script: str, directory: Path = ROOT, **variables: str) -> str:
    environment = {**os.environ, **WITHOUT_NETWORK, **variables}
    done = subprocess.run(
        ['bash', '-euc', PROLOGUE + script], cwd=directory, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_host_is_set_up_by_these_lines(installed: None) -> None:
    install, try_it = blocks('From nothing to a problem on the dashboard')
    # The installation itself is that of the README, and is there: a second one would replace it under running agents.
    if not Path('/etc/group').read_text().count('systemd-journal'):
        subprocess.run(['groupadd', '--system', 'systemd-journal'], check=True)
    told = follow('\n'.join(line for line in install.splitlines() if '/opt/tablefull' not in line))
    assert 'systemctl restart zabbix-agent' in told
    assert shutil.which('zabbix_agentd')
    assert 'zabbix' in re.findall(r'^systemd-journal:.*', Path('/etc/group').read_text(), re.MULTILINE)[0]
    readme = (ROOT / 'README.md').read_text()
    assert [line for line in install.splitlines() if '/opt/tablefull' in line and line not in readme] == []
    assert json.loads(follow(try_it))['schema'] == 1


def test_the_dashboard_of_all_hosts_comes_by_one_request(api: Api, release: Release) -> None:
    version = release.version
    (administrator,) = api('user.get', filter={'username': 'Admin'}, output=['userid'])
    (created,) = api('token.create', [{'name': 'page', 'userid': administrator['userid']}])['tokenids']
    (token,) = api('token.generate', [created])
    (request,) = [block for block in blocks('All hosts on one dashboard') if f'-{version}.json' in block]
    answer = json.loads(follow(request, token=token['token']))
    assert 'error' not in answer
    (dashboard,) = api('dashboard.get', dashboardids=answer['result']['dashboardids'], output=['name'])
    assert dashboard['name'] == 'Tablefull: all hosts'
    api('dashboard.delete', answer['result']['dashboardids'])


def test_the_rules_that_keep_the_agent_reachable_are_taken() -> None:
    with Machine() as machine:
        for block in blocks('When no verdict comes'):
            machine.run('sh', '-euc', block)
        assert machine.run('iptables', '-t', 'raw', '-S').count('--notrack') == 4

"""The pages in docs/systems: every command is run as it stands there, and ends as the page says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from tools.templates.services import SERVICES

ROOT = Path(__file__).parents[2]

# There is no systemd in the sandbox. What a page has it do, this does with the daemons of the page.
SYSTEMCTL = r"""#!/bin/sh
set -eu
[ "$1" = restart ]
case $2 in
    icinga2)
        mkdir -p /run/icinga2 && chown nagios:nagios /run/icinga2
        if pid=$(cat /run/icinga2/icinga2.pid 2>/dev/null); then
            kill "$pid"
            while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
        fi
        icinga2 daemon --daemonize >/run/icinga2.log
        # Its unit is of the type notify: systemctl returns when it answers.
        while ! curl --silent --insecure --output /dev/null https://localhost:5665/; do sleep 0.2; done ;;
    nagios4)
        mkdir -p /run/nagios4 && chown nagios:nagios /run/nagios4
        nagios4 -d /etc/nagios4/nagios.cfg >/dev/null ;;
    nagios-nrpe-server)
        mkdir -p /run/nagios
        kill "$(cat /run/nagios/nrpe.pid 2>/dev/null)" 2>/dev/null && sleep 1 || true
        nrpe -c /etc/nagios/nrpe.cfg -d ;;
    *) exit 1 ;;
esac
"""

PROLOGUE = f"""
export PIP_NO_INDEX=1 PIP_FIND_LINKS={ROOT}/build/wheels DEBIAN_FRONTEND=noninteractive
cat >/usr/local/bin/systemctl <<'END'
{SYSTEMCTL}END
chmod 755 /usr/local/bin/systemctl
# What other tests have installed here, and visudo does not like.
rm -f /etc/sudoers.d/zabbix
# Everything is installed already, and there is no network to look for newer versions.
echo 'APT::Get::Upgrade "false";' >/etc/apt/apt.conf.d/99sandbox
# Every Debian with systemd has it, and the pages are for those.
groupadd --force --system systemd-journal
# icinga2 cannot copy a file that the sandbox has not yet taken from the machine's own file system.
find /etc/icinga2 -type f -exec touch '{{}}' +
python3() {{ /usr/bin/python3 "$@"; }}
"""


def blocks(page: str) -> str:
    """Everything a page has its reader run, in order."""
    text = (ROOT / 'docs' / 'systems' / f'{page}.md').read_text()
    return '\n'.join(re.findall(r'^```sh\n(.*?)^```$', text, re.MULTILINE | re.DOTALL))


def follow(page: str, then: str, before: str = '') -> str:
    """What `then` prints on a machine, prepared by `before`, on which somebody has followed the page."""
    script = f'{PROLOGUE}\n{before}\n{blocks(page)}\necho ----\n{then}\n'
    done = subprocess.run(
        [ROOT / 'tools' / 'sandbox', 'sh', '-euc', script], capture_output=True, text=True, cwd=ROOT, timeout=240
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.rpartition('----\n')[2]


ICINGA = r"""
# No blanks in a filter: curl writes them as plus signs, which Icinga takes for just that.
ask() {
    curl --silent --insecure --user "root:$password" --get --data-urlencode "filter=$1" --data pretty=1 \
        --data attrs=name --data attrs=state https://localhost:5665/v1/objects/services
}
for attempt in $(seq 120); do
    # Before its first check, within a minute, a service counts as UNKNOWN.
    ask 'match("tablefull-neighbour",service.name)&&service.state!=3' | grep -q '"name": "tablefull' && break
    sleep 1
done
ask 'match("tablefull-*",service.name)'
"""


def test_icinga2_ends_with_a_red_service() -> None:
    told = json.loads(follow('icinga2', ICINGA))
    states = {result['attrs']['name']: result['attrs']['state'] for result in told['results']}
    assert set(states) == {service.name for service in SERVICES if not service.wanted}
    assert states['tablefull-neighbour'] == 2


def test_nrpe_ends_with_a_red_service() -> None:
    told = follow('nrpe', '/usr/lib/nagios/plugins/check_nrpe -H 127.0.0.1 -c tablefull_neighbour || echo "exit $?"')
    assert told.startswith('NEIGHBOUR CRITICAL - ')
    assert told.endswith('exit 2\n')


NAGIOS = r"""
neighbour() { grep -A40 'service_description=tablefull-neighbour' /var/lib/nagios4/status.dat; }
while [ ! -p /var/lib/nagios4/rw/nagios.cmd ]; do sleep 0.2; done
# The first check is due within minutes; now is as good.
now=$(date +%s)
echo "[$now] SCHEDULE_FORCED_SVC_CHECK;localhost;tablefull-neighbour;$now" >/var/lib/nagios4/rw/nagios.cmd
for attempt in $(seq 120); do
    neighbour | grep -q 'has_been_checked=1' && break
    sleep 1
done
neighbour | grep -E 'current_state|plugin_output'
"""


def test_nagios_ends_with_a_red_service() -> None:
    told = follow('nagios', NAGIOS)
    assert 'current_state=2' in told
    assert 'plugin_output=NEIGHBOUR CRITICAL - ' in told


# What the page takes for granted: plugins, an Icinga with its API, and a Director that has been introduced to it.
DIRECTOR = r"""
python3 -m venv /opt/tablefull && /opt/tablefull/bin/pip install --quiet .
sed -i '1s/^#!.*python.*/& -I/' /opt/tablefull/bin/check_*
ln -s /opt/tablefull/bin/check_* /usr/lib/nagios/plugins/
icinga2 api setup
rm /etc/icinga2/conf.d/hosts.conf
systemctl restart icinga2
mkdir -p /run/postgresql && chown postgres:postgres /run/postgresql
version=$(ls /usr/lib/postgresql)
pg_createcluster "$version" director --start
sql() { setpriv --reuid=postgres --regid=postgres --init-groups psql --quiet --cluster "$version/director" "$@"; }
sql -c "create role director login password 'director'" -c 'create database director owner director'
sql -d director -c 'create extension pgcrypto'
password=$(sed -n 's/.*password = "\(.*\)"/\1/p' /etc/icinga2/conf.d/api-users.conf)
mkdir -p /etc/icingaweb2/modules/director
cd /etc/icingaweb2
for module in /usr/share/icingaweb2/modules/*; do ln -sfn "$module" enabledModules/; done
cat >resources.ini <<END
[director]
type = db
db = pgsql
host = 127.0.0.1
port = $(pg_lsclusters --no-header | awk '$2 == "director" { print $3 }')
dbname = director
username = director
password = director
charset = utf8
END
printf '[db]\nresource = "director"\n' >modules/director/config.ini
printf '[config]\nendpoint = "%s"\nhost = "127.0.0.1"\nusername = "root"\npassword = "%s"\n' \
    "$(hostname --fqdn)" "$password" >modules/director/kickstart.ini
cd -
icingacli director migration run
icingacli director kickstart run
"""


# The Director reads all commands of Icinga once more, finds its own among them, and takes the basket again.
UPDATE = """
echo ====
icingacli director kickstart run
icingacli director basket restore < templates/director/tablefull-basket.json
icingacli director config deploy
"""


def test_the_director_ends_with_a_red_service_and_takes_the_basket_again() -> None:
    answer, _, update = follow('director', ICINGA + UPDATE, before=DIRECTOR).partition('====\n')
    states = {result['attrs']['name']: result['attrs']['state'] for result in json.loads(answer)['results']}
    assert set(states) == {service.name for service in SERVICES if not service.wanted}
    assert states['tablefull-neighbour'] == 2
    assert update.splitlines()[-1].startswith('Config matches last deployed one'), update


@pytest.mark.parametrize('page', ['icinga2', 'nrpe', 'nagios'])
def test_a_page_that_installs_does_it_as_the_readme_does(page: str) -> None:
    readme = (ROOT / 'README.md').read_text()
    for line in blocks(page).splitlines():
        if '/opt/tablefull' in line and line.startswith(('python3 -m venv', 'sed ', 'ln ')):
            assert line in readme

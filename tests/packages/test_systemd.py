"""The Debian package on a machine that systemd has booted: the incident lab's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.incidents.image import image
from tests.incidents.machine import Machine, snapshot
from tests.packages.conftest import NAME, USERS

CHECKS = ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log')
# Everything that lasts, with owner and mode. What dpkg and systemd write about what they did is theirs.
FILES = r"""find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log \
    -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path '/var/tmp/systemd-private-*' -o -path /var/cache \
    -o -name __pycache__ \) -prune -o -printf '%p %u %g %m\n' | sort; cat /etc/passwd /etc/group"""


@pytest.fixture(scope='module')
def machine() -> Iterator[Machine]:
    lab = image()
    with Machine(lab, '6.1', 'systemd', snapshot(lab, '6.1', 'systemd')) as machine:
        run(machine, 'id -u zabbix || useradd --system --shell /usr/sbin/nologin zabbix')
        yield machine


def run(machine: Machine, text: str, user: str = 'root') -> str:
    done = machine.run(text, user)
    assert done.code == 0, f'{text}: exit {done.code}: {done.output}{done.errors}'
    return done.output


def verdicts(machine: Machine, user: str) -> dict[str, str]:
    """The state that each check tells, by its name; exit code and standard error have to fit."""
    states = {}
    for check in CHECKS:
        done = machine.run(f'/usr/lib/nagios/plugins/check_{check} --output json --timeout 60', user)
        said = json.loads(done.output)
        assert (done.code, done.errors) == (said['exit_code'], ''), check
        states[check] = said['state']
    return states


def test_it_is_installed_works_as_the_monitoring_users_survives_a_boot_and_leaves_nothing(
    machine: Machine, deb: Path
) -> None:
    before = run(machine, FILES)
    machine.write('/tmp/package.deb', deb.read_bytes())
    run(machine, 'dpkg --install /tmp/package.deb')
    for user in USERS:
        # ferm is there and was never started; the kernel log is closed to these users, and the checks say so.
        assert verdicts(machine, user) == {
            'conntrack': 'ok',
            'conntrack_modules': 'ok',
            'neighbour': 'ok',
            'ferm': 'warning',
            'kernel_log': 'unknown',
        }
        assert json.loads(run(machine, 'tablefull snapshot --timeout 60', user))['schema'] == 1
        remembered = run(machine, f'cd /var/lib/tablefull/"$(id -u {user})"; stat --format "%U %a" .; ls')
        assert remembered.startswith(f'{user} 700\nneighbour-')
    # What systemd makes of the directory when it is gone, at a boot and by hand.
    run(machine, 'rm -r /var/lib/tablefull')
    machine.reboot()
    assert run(machine, 'stat --format "%U %a" /var/lib/tablefull') == 'root 755\n'
    assert run(machine, 'systemctl show --property Result --value systemd-tmpfiles-setup') == 'success\n'
    assert 'tmpfiles' not in run(machine, 'systemctl --failed --plain --no-legend')
    assert verdicts(machine, 'nagios')['conntrack'] == 'ok'
    run(machine, f'dpkg --purge {NAME}')
    assert run(machine, FILES) == before

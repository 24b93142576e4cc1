"""Promise 1 on kernels that load modules: looking changes nothing. And what other ways of looking change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.incidents.looking import LOOKS, OURS, PAGE, forget, loaded, look, named, shown, told
from tests.incidents.machine import Machine
from tests.incidents.scenario import KERNELS

# Linux 5.10 logs each program that reads random numbers before it has some. To wait for them makes it collect them.
RANDOM = "python3 -c 'import os; os.getrandom(1)'"
HOOKS = 'nft list hooks 2>&1'
# Where the checks remember, and what the other reader of the log leaves.
STATE = ('/tmp/state-', '/var/tmp/tablefull-', '/tmp/reader-ready')


def state(machine: Machine) -> dict[str, Any]:
    done = machine.run('/lab/host_state.py')
    assert done.code == 0, done.errors
    result: dict[str, Any] = json.loads(done.output)
    return result


@pytest.mark.parametrize(('kernel', 'boot'), [('5.10', 'plain'), ('6.1', 'systemd'), ('newest', 'plain')])
def test_no_check_and_no_option_changes_anything(
    kernel: str, boot: str, machines: Callable[[str, str], Machine], results: Path
) -> None:
    with machines(kernel, boot) as machine:
        assert machine.run(RANDOM).code == 0
        machine.run('/lab/log_reader.py & until test -e /tmp/reader-ready; do sleep 0.1; done; touch /root/marker')
        before = state(machine)
        assert not [name for name in before['modules'] if name.startswith(('nf_', 'iptable_', 'nft_', 'xt_'))]
        told = machine.run('/lab/every_option.py', seconds=600)
        after = state(machine)
        (results / 'runs.txt').write_text(told.output + told.errors)
        (results / 'after.json').write_text(json.dumps(after, indent=1))
        numbers = machine.run('touch /tmp/go; sleep 1; cat /tmp/numbers').output.split()
        hooks = machine.run(HOOKS).output
    assert told.code == 0, told.output[-2000:] + told.errors
    assert not told.errors
    # Every program as both users, with dozens of options: fewer runs would prove less.
    assert len(told.output.splitlines()) > 300
    written = [path for path in after.pop('files changed') if not path.startswith(STATE)]
    assert written == []
    before.pop('files changed')
    # It grows with each line of the kernel's, and shrinks when somebody takes them away.
    assert after.pop('unread bytes of /proc/kmsg') >= before.pop('unread bytes of /proc/kmsg') > 0
    known = before.pop('kernel log')
    assert after.pop('kernel log')[len(known) :] == []
    assert after == before
    first, second, third, fourth = map(int, numbers)
    assert (second, third, fourth) == (first + 1, first + 2, first + 3)
    # To list hooks loads nf_tables: so it comes last, and a machine on which nobody looked tells what is there anyway.
    with machines(kernel, boot) as untouched:
        assert untouched.run(HOOKS).output == hooks


@pytest.mark.parametrize('kernel', KERNELS)
def test_the_page_tells_what_each_look_loads(kernel: str, machines: Callable[[str, str], Machine]) -> None:
    page = told(PAGE.read_text().splitlines())
    assert list(page) == [shown(command) for command in (*LOOKS, OURS)]
    judged = set()
    with machines(kernel, 'plain') as machine:
        fresh = loaded(machine)
        for command in (*LOOKS, OURS):
            seen = look(machine, command, fresh)
            assert named(seen) == page[shown(command)][KERNELS.index(kernel)], command
            # What the check says depends on what is loaded, not on who has loaded it.
            if seen not in judged:
                judged.add(seen)
                assert_judged(machine, command, seen)
            forget(machine, seen, fresh)


def assert_judged(machine: Machine, command: str, seen: tuple[str, ...]) -> None:
    check = machine.run('/usr/lib/nagios/plugins/check_conntrack_modules --output json', 'nagios')
    said = json.loads(check.output)
    # Libraries and the core of nf_tables are not judged.
    trackers = [name for name in seen if name.startswith(('nf_conntrack', 'nf_nat', 'iptable_', 'ip6table_'))]
    assert said['state'] == ('warning' if trackers else 'ok'), (command, said)
    assert said['metrics']['unexpected'] == len(trackers), (command, trackers, said)
    assert 'modules-tracking' not in check.output, command

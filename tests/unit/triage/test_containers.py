"""Tables of other network namespaces in triage: each against the one limit, with who lives there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tablefull.command import answer
from tests.golden.cases import FIXTURES

TREE = os.path.join(FIXTURES, '6.1-debian12-healthy')
HEAD = 'entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  '
HEAD += 'expect_new expect_create expect_delete search_restart\n'


def host(tmp_path: Path, *containers: tuple[int, str, int]) -> str:
    """A healthy host with (pid, name, entries) of processes, each in a network namespace of its own."""
    root = tmp_path / 'host'
    shutil.copytree(TREE, root)
    for pid, name, entries in containers:
        process = root / f'proc/{pid}'
        (process / 'net/stat').mkdir(parents=True)
        (process / 'net/stat/nf_conntrack').write_text(f'{HEAD}{entries:08x}{" 00000000" * 16}\n')
        (process / 'comm').write_text(f'{name}\n')
        (process / 'cgroup').write_text(f'0::/system.slice/docker-{pid:064x}.scope\n')
    return str(root)


def triage(root: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(answer(['triage', '--output', 'json', '--root', root])[1])
    return result


def lines(result: dict[str, Any]) -> list[str]:
    (tables,) = [section['lines'] for section in result['sections'] if section['title'] == 'tables']
    return [line['text'] for line in tables if line['label'] == 'container']


def limit(root: str) -> int:
    return int(Path(root, 'proc/sys/net/netfilter/nf_conntrack_max').read_text())


def test_the_fullest_container_is_the_cause_and_named_with_its_process(tmp_path: Path) -> None:
    most = limit(TREE)
    root = host(tmp_path, (77, 'nginx', most * 95 // 100), (78, 'worker', most // 10))
    result = triage(root)
    cause = result['causes'][0]
    assert (cause['code'], cause['confidence'], cause['severity']) == ('container-table-full', 'certain', 'critical')
    assert cause['summary'].startswith('the table of docker 000000000000 (nginx, pid 77) fills up: ')
    assert cause['chain'][1] == 'soon its packets are refused'
    assert cause['page'] == 'conntrack-namespace-usage-high'
    assert cause['steps'][0]['run'] == 'nsenter -t 77 -n tablefull top'
    assert lines(result) == [
        f'95.0 %, {most * 95 // 100}: docker 000000000000 (nginx, pid 77)',
        f'10.0 %, {most // 10}: docker 000000000000 (worker, pid 78)',
    ]


def test_one_at_the_limit_is_called_full(tmp_path: Path) -> None:
    most = limit(TREE)
    cause = triage(host(tmp_path, (77, 'nginx', most)))['causes'][0]
    assert cause['summary'] == f'the table of docker 000000000000 (nginx, pid 77) is full: {most} of {most}'


def test_containers_with_room_are_shown_and_are_no_cause(tmp_path: Path) -> None:
    result = triage(host(tmp_path, *((100 + n, f'worker{n}', 10 + n) for n in range(9))))
    assert 'container-table-full' not in [cause['code'] for cause in result['causes']]
    assert len(lines(result)) == 4 and 'worker8' in lines(result)[0]


def test_a_name_without_end_or_with_escapes_stays_in_its_line(tmp_path: Path) -> None:
    root = host(tmp_path, (77, 'x' * 15 + '\x1b[31m|', limit(TREE)))
    text = answer(['triage', '--root', root])[1]
    assert '\x1b' not in text and '|' not in text
    assert all(len(line) <= 80 or line.startswith(('   do ', '   prevent  echo')) for line in text.split('\n')[1:])


def test_a_tree_without_processes_says_nothing_of_namespaces() -> None:
    text = answer(['triage', '--root', TREE])[1]
    assert 'namespace seen' not in text and 'container ' not in text

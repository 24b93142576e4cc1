"""Connections in a capture: those that triage looks at, without whom they went to, read again as they were."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given

from tablefull.capture.collect import collect
from tablefull.capture.connections import line
from tablefull.command import answer
from tablefull.readers.flow_listing import parse_flow
from tablefull.readers.flows import ASSURED, HW_OFFLOAD, OFFLOAD, SEEN_REPLY, Flow
from tablefull.triage.holders import SAMPLE
from tests.unit.readers.connections import connections
from tests.unit.triage.test_holders import line as listed
from tests.unit.triage.test_holders import tree

SHOWN = SEEN_REPLY | ASSURED | OFFLOAD | HW_OFFLOAD


@given(connections())
def test_a_line_is_read_again_as_what_triage_looks_at(flow: Flow) -> None:
    text = line(flow).decode()
    again = parse_flow(text)
    assert again is not None
    assert (again.source, again.protocol, again.destination_port) == (flow.source, flow.protocol, flow.destination_port)
    assert (again.state, again.zone, again.status) == (flow.state, flow.zone, flow.status & SHOWN)
    # And nothing of who it went to.
    assert set(again.destination + again.reply[0] + again.reply[1]) == {0}
    assert again.source_port in (0, None)


def test_a_table_without_trouble_stays_out(tmp_path: Path) -> None:
    root = Path(tree(tmp_path, [listed('203.0.113.1')] * 100))
    assert 'proc/net/nf_conntrack' in collect(str(root)).files
    for name in ('kmsg', 'proc/net/stat/nf_conntrack'):
        (root / name).unlink(missing_ok=True)
    (root / 'proc/sys/net/netfilter/nf_conntrack_count').write_text('5\n')
    assert 'proc/net/nf_conntrack' not in collect(str(root)).files


def test_of_a_large_table_as_many_are_packed_as_are_counted_and_the_sample_stays_one(tmp_path: Path) -> None:
    root = tree(tmp_path, [listed(f'203.0.113.{n % 250}') for n in range(SAMPLE + 3000)])
    assert collect(root).files['proc/net/nf_conntrack'].count(b'\n') == SAMPLE + 1
    file = str(tmp_path / 'host.tar.gz')
    assert answer(['capture', file, '--root', root])[0] == 0
    of_tree, of_capture = (
        json.loads(answer(['triage', '--output', 'json', *place])[1])
        for place in (('--root', root), ('--capture', file))
    )
    assert of_tree['causes'] == of_capture['causes'] and of_tree['sections'] == of_capture['sections']


def test_connections_that_cannot_be_understood_are_said_to_be_missing(tmp_path: Path) -> None:
    found = collect(tree(tmp_path, ['garbage\n']))
    assert 'proc/net/nf_conntrack' not in found.files
    assert any('not a connection' in reason for reason in found.unread)


def test_the_tables_of_other_namespaces_are_packed_by_a_process_of_each(tmp_path: Path) -> None:
    root = Path(tree(tmp_path, []))
    statistics = (root / 'proc/net/stat/nf_conntrack').read_text()
    for pid, name in ((1, 'systemd'), (77, 'nginx'), (78, 'worker')):
        process = root / f'proc/{pid}'
        (process / 'net/stat').mkdir(parents=True)
        (process / 'net/stat/nf_conntrack').write_text(statistics)
        (process / 'comm').write_text(f'{name}\n')
        (process / 'cgroup').write_text('0::/system.slice/nginx.service\n')
        (process / 'environ').write_text('SECRET=1')
    packed = {name for name in collect(str(root)).files if name.startswith(('proc/1/', 'proc/7'))}
    assert packed >= {f'proc/{pid}/{name}' for pid in (77, 78) for name in ('net/stat/nf_conntrack', 'comm', 'cgroup')}
    assert not any('environ' in name or name == 'proc/1/comm' for name in packed)

"""Whether ctnetlink may be asked: never where asking would load it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tablefull.readers import ctnetlink
from tablefull.readers.files import ReadError
from tests.unit.readers.trees import tree

MODULAR = {
    '/proc/sys/net/netfilter/nf_conntrack_count': '1',
    '/proc/modules': 'nf_conntrack 200704 1 xt_conntrack, Live 0x0\n',
    '/proc/sys/kernel/modprobe': '/sbin/modprobe',
}
LOADED = {'/proc/modules': MODULAR['/proc/modules'] + 'nf_conntrack_netlink 49152 0 - Live 0x0\n'}
BUILT_IN = {f'/lib/modules/{os.uname().release}/modules.builtin': 'kernel/net/netfilter/nf_conntrack_netlink.ko\n'}


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the tree were this host: what is asked is in files.
    monkeypatch.setattr(ctnetlink, 'is_live', lambda root: True)


@pytest.mark.parametrize(
    ('files', 'why'),
    [
        (MODULAR, 'asking would load it'),
        ({**MODULAR, **LOADED}, ''),
        ({**MODULAR, '/sys/module/nf_conntrack_netlink/initstate': 'live\n'}, ''),
        ({**MODULAR, **BUILT_IN}, ''),
        # A kernel without modules can only say no.
        ({'/proc/sys/net/netfilter/nf_conntrack_count': '1'}, ''),
        ({'/proc/sys/net/netfilter/nf_conntrack_count': '1', '/proc/sys/kernel/modprobe': 'x'}, 'would load it'),
        ({**LOADED, '/proc/sys/kernel/modprobe': 'x'}, 'connection tracking is not loaded'),
        # A longer name is another module.
        ({**MODULAR, '/proc/modules': 'nf_conntrack_netlink_x 1 0 - Live 0x0\n'}, 'would load it'),
    ],
)
def test_it_is_asked_only_where_nothing_is_loaded_by_it(tmp_path: Path, files: dict[str, str], why: str) -> None:
    found = ctnetlink.why_not(tree(tmp_path, dict(files)))
    assert (found == '') == (why == '')
    assert why in found


def test_no_tree_is_asked_over_netlink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 'only the running kernel' in ctnetlink.why_not(tree(tmp_path, dict(MODULAR)))


def test_a_refusal_names_its_reason() -> None:
    with pytest.raises(ReadError, match='Operation not permitted') as caught:
        ctnetlink.check_end(b'\x14\0\0\0\x02\0' + bytes(10) + b'\xff\xff\xff\xff', 0, ctnetlink.ERROR)
    assert caught.value.permission


def test_the_end_of_a_dump_is_no_error_and_something_else_is() -> None:
    ctnetlink.check_end(b'\x14\0\0\0\x03\0' + bytes(14), 0, ctnetlink.DONE)
    with pytest.raises(ReadError, match='type 99'):
        ctnetlink.check_end(bytes(20), 0, 99)

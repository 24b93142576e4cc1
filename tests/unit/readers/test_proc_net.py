from __future__ import annotations

import random
from typing import Callable

import pytest

from tablefull.readers.files import ReadError
from tablefull.readers.proc_net import parse_arp, parse_fib_trie, parse_if_inet6, parse_ipv6_route, parse_route

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         12:54:7f:f4:eb:ab     *        eth0
"""
ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
"""
GOOD: dict[str, tuple[Callable[[str], object], str]] = {
    'arp': (parse_arp, ARP),
    'route': (parse_route, ROUTE),
    'ipv6_route': (
        parse_ipv6_route,
        f'{"0" * 32} 00 {"0" * 32} 00 fe80{"0" * 27}1 00000400 00000001 00000000 00450003     eth0\n',
    ),
    'if_inet6': (parse_if_inet6, 'fe80000000000000d43750fffebe0046 03 40 20 c0       v1\n'),
    'fib_trie': (parse_fib_trie, 'Main:\n     |-- 192.0.2.10\n        /32 host LOCAL\n'),
}


@pytest.mark.parametrize('name', GOOD)
def test_the_good_text_is_understood(name: str) -> None:
    parse, text = GOOD[name]
    assert len(parse(text)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize('name', GOOD)
def test_ten_thousand_mutations_are_facts_or_a_read_error(name: str) -> None:
    parse, good = GOOD[name]
    chance = random.Random(4)
    for _ in range(10_000):
        text = list(good)
        for _ in range(chance.randint(1, 5)):
            where = chance.randrange(len(text))
            text[where : where + chance.randint(0, 9)] = chance.choice(
                ['', '\0', '|', '\n', ' ', 'f', '-', '٣', 'x' * 99, '\\xff', '0x', '9' * 30]
            )
        try:
            parse(''.join(text))
        except ReadError:
            pass

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.kernel_messages import BEGINNINGS, PATTERNS, WORDS, classify

FULL = 'conntrack-table-full'
EXPECT = 'conntrack-expectation-table-full'
NEIGHBOUR = 'neighbour-table-overflow'
REJECTED = 'xtables-rejection'
SUPPRESSED = 'callbacks-suppressed'

# Every spelling by kernel version: (versions, text, code, subject, count).
SPELLINGS = [
    ('2.6.18 old', 'ip_conntrack: table full, dropping packet.', FULL, '', 1),
    ('2.6.18-3.4', 'nf_conntrack: table full, dropping packet.', FULL, '', 1),
    ('3.5-4.6', 'nf_conntrack: table full, dropping packet', FULL, '', 1),
    ('4.7-', 'nf_conntrack: nf_conntrack: table full, dropping packet', FULL, '', 1),
    ('6.17-', 'nf_conntrack: nf_conntrack: table full in netns 4026532177, dropping packet', FULL, '4026532177', 1),
    ('2.6.32-', 'nf_conntrack: expectation table full', EXPECT, '', 1),
    ('2.6.18', 'ip_conntrack: expectation table full', EXPECT, '', 1),
    ('-2.6.35', 'Neighbour table overflow.', NEIGHBOUR, '', 1),
    ('2.6.36-3.1', 'ipv4: Neighbour table overflow.', NEIGHBOUR, 'arp_cache', 1),
    ('2.6.36-3.4', 'ipv6: Neighbour table overflow.', NEIGHBOUR, 'ndisc_cache', 1),
    ('3.4-3.5', 'IPv4: Neighbour table overflow', NEIGHBOUR, 'arp_cache', 1),
    ('3.5-3.8', 'IPv6: Neighbour table overflow', NEIGHBOUR, 'ndisc_cache', 1),
    ('4.3-', 'neighbour: arp_cache: neighbor table overflow!', NEIGHBOUR, 'arp_cache', 1),
    ('4.3- v6', 'neighbour: ndisc_cache: neighbor table overflow!', NEIGHBOUR, 'ndisc_cache', 1),
    ('4.3-5.15', 'neighbour: dn_neigh_cache: neighbor table overflow!', NEIGHBOUR, 'dn_neigh_cache', 1),
    ('2.6', 'dst cache overflow', 'route-cache-full', '', 1),
    ('3.x', 'IPv4: dst cache overflow', 'route-cache-full', '', 1),
    ('5.x', 'Route cache is full: consider increasing sysctl net.ipv6.route.max_size.', 'route-cache-full', '', 1),
    (
        '5.x old',
        'Route cache is full: consider increasing sysctl net.ipv[4|6].route.max_size.',
        'route-cache-full',
        '',
        1,
    ),
    ('-2.6.2x', 'printk: 127 messages suppressed.', SUPPRESSED, 'printk', 127),
    ('2.6.32', '__ratelimit: 35 callbacks suppressed', SUPPRESSED, '__ratelimit', 35),
    ('2.6.33-', 'net_ratelimit: 2127 callbacks suppressed', SUPPRESSED, 'net_ratelimit', 2127),
    ('4.16-', 'xt_check_target: 12 callbacks suppressed', SUPPRESSED, 'xt_check_target', 12),
    ('4.16- match', 'xt_check_match: 12 callbacks suppressed', SUPPRESSED, 'xt_check_match', 12),
    ('5.x dst', 'dst_alloc: 7728 callbacks suppressed', SUPPRESSED, 'dst_alloc', 7728),
    ('-2.6.34', 'ip_tables: NOTRACK target: only valid in raw table, not filter', REJECTED, 'ip_tables', 1),
    ('2.6.35-', 'x_tables: ip_tables: CT target: only valid in raw table, not filter', REJECTED, 'ip_tables', 1),
    ('v6', 'x_tables: ip6_tables: CT target: only valid in raw table, not filter', REJECTED, 'ip6_tables', 1),
    (
        'hooks target',
        'x_tables: ip_tables: MASQUERADE target: used from hooks PREROUTING, but only usable from POSTROUTING',
        REJECTED,
        'ip_tables',
        1,
    ),
    (
        'hooks match',
        'x_tables: ip_tables: owner match: used from hooks INPUT, but only valid from OUTPUT/POSTROUTING',
        REJECTED,
        'ip_tables',
        1,
    ),
    ('protocol', 'x_tables: arp_tables: mark match: only valid for protocol 6', REJECTED, 'arp_tables', 1),
    ('2.6.32 size', 'ip_tables: state match: invalid size 8 != 4', REJECTED, 'ip_tables', 1),
    ('size', 'x_tables: ip_tables: set.4 match: invalid size 48 (kernel) != (user) 32', REJECTED, 'ip_tables', 1),
    ('helper', 'xt_CT: No such helper "nosuch"', REJECTED, 'xt_CT', 1),
    ('L4', 'xt_CT: You must specify a L4 protocol and not use inversions on it', REJECTED, 'xt_CT', 1),
    ('state', 'xt_state: cannot load conntrack support for proto=2', REJECTED, 'xt_state', 1),
    ('old state', "can't load conntrack support for proto=2", REJECTED, '', 1),
    ('set', 'Cannot find set identified by id 3 to match', REJECTED, '', 1),
    ('set 2.6.39', 'Cannot find set indentified by id 3 to match', REJECTED, '', 1),
    ('add_set', 'Cannot find add_set index 3 as target', REJECTED, '', 1),
    ('map_set', 'Cannot find map_set index 3 as target', REJECTED, '', 1),
    (
        '4.10-5.19',
        'nf_conntrack: default automatic helper assignment has been turned off for security reasons and CT-based fire',
        'conntrack-helper-unassigned',
        '',
        1,
    ),
    ('2.6.18-4.15', 'nf_conntrack version 0.5.0 (16384 buckets, 65536 max)', 'conntrack-loaded', '', 1),
    (
        '2.6.18 load',
        'ip_conntrack version 2.4 (8192 buckets, 65536 max) - 304 bytes per conntrack',
        'conntrack-loaded',
        '',
        1,
    ),
]

NEAR_MISSES = [
    'Mesh plink error: plink table full',
    'table full',
    'nf_conntrack: table full',
    'nf_conntrack: table full in netns , dropping packet',
    'nf_conntrack: nf_conntrack: nf_conntrack: table full, dropping packet',
    'audit: type=1300 comm="nf_conntrack: table full, dropping packet"',
    'systemd[1]: nf_conntrack: table full, dropping packet',
    'nf_conntrack: table full, dropping packet and more',
    'somebody wrote: Neighbour table overflow.',
    'neighbour: arp_cache: neighbor table overflow',
    'neighbour: arp cache: neighbor table overflow!',
    'IN=eth0 OUT= MAC= SRC=192.0.2.1 neighbor table overflow!',
    'ip_set: protocol 7',
    'btrfs_dev_stat_print_on_error: 12 callbacks suppressed',
    'net_ratelimit: -1 callbacks suppressed',
    'net_ratelimit: 9999999999999999999999 callbacks suppressed',
    'net_ratelimit: ٣ callbacks suppressed',
    'kauditd_printk_skb: 20 callbacks suppressed',
    'ip_tables: (C) 2000-2006 Netfilter Core Team',
    'xt_time: kernel timezone is -0000',
    'nf_conntrack: falling back to vmalloc.',
    'x_tables: ip_tables: CT target: only valid in raw table, not filter\nnf_conntrack: table full, dropping packet',
    '',
]


@pytest.mark.parametrize(('version', 'text', 'code', 'subject', 'count'), SPELLINGS, ids=[row[0] for row in SPELLINGS])
def test_every_spelling_is_known(version: str, text: str, code: str, subject: str, count: int) -> None:
    assert classify(text) == (code, subject, count)


@pytest.mark.parametrize('text', [row[1] for row in SPELLINGS])
def test_the_quick_look_lets_every_spelling_pass(text: str) -> None:
    assert text.encode().startswith(BEGINNINGS)
    assert any(word in text.encode() for word in WORDS)


def test_every_kind_has_a_spelling_here() -> None:
    assert {row[2] for row in SPELLINGS} == {code for code, _, _ in PATTERNS}


@pytest.mark.parametrize('text', NEAR_MISSES)
def test_near_misses_are_nothing(text: str) -> None:
    assert classify(text) is None


@given(st.sampled_from([row[1] for row in SPELLINGS]), st.text(min_size=1, max_size=20))
def test_a_quoted_message_is_nothing(message: str, before: str) -> None:
    found = classify(f'{before} "{message}"')
    # A rejection ends in words of the rule, whatever they are; but it begins like one.
    assert found is None or found[0] == REJECTED


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    found = classify(text)
    assert found is None or found[0] in {code for code, _, _ in PATTERNS}

"""The catalogue of kernel messages about network tables: every spelling from 2.6.18 to 6.19, by its shape.

Every pattern must match the whole text. A line that merely quotes a message (a log prefix of an iptables rule, a mesh
driver's 'plink table full') is none. Nothing here looks at the level: the neighbour overflow is only INFO since 4.3.

Source: the printk calls in net/netfilter, net/ipv4, net/ipv6, net/core and lib/ratelimit.c of those kernels.
"""

from __future__ import annotations

# (code, a word of the text, the whole text). Named groups become the subject; 'family' is translated; 'count' is the
# number of events. The word is looked for first: a pattern costs more to compile than most runs of a check to read.
# The order of the codes is that of the perfdata, and so part of the contract: add at the end.
PATTERNS: tuple[tuple[str, str, str], ...] = (
    (
        # Doubled since 4.7, with the network namespace (its inode) since 6.17 unless it is the first one.
        'conntrack-table-full',
        'table full',
        r'(?:ip|nf)_conntrack: (?:nf_conntrack: )?table full(?: in netns (?P<netns>\d{1,20}))?, dropping packet\.?',
    ),
    (
        'conntrack-expectation-table-full',
        'expectation table full',
        r'(?:ip|nf)_conntrack: (?:nf_conntrack: )?expectation table full',
    ),
    # 3.9 to 4.2 (IPv4: 3.6 to 4.2) and RHEL 7 print nothing at all.
    ('neighbour-table-overflow', 'neighbor table', r'neighbour: (?P<cache>\w{1,32}): neighbor table overflow!'),
    (
        'neighbour-table-overflow',
        'Neighbour table',
        r'(?:[iI][pP]v(?P<family>[46]): )?Neighbour table overflow\.?',
    ),
    (
        'route-cache-full',
        'Route cache is full',
        r'Route cache is full: consider increasing sysctl net\.ipv\S{1,16}\.max_size\.?',
    ),
    ('route-cache-full', 'dst cache', r'(?:[iI][pP]v[46]: )?dst cache overflow\.?'),
    (
        # The prefix came with 2.6.35. The name is that of a match or target, sometimes with its revision.
        'xtables-rejection',
        '_tables: ',
        (
            r'(?:x_tables: )?(?P<table>\w{1,16}_tables): \S{1,64} (?:target|match): '
            r'(?:only valid |used from hooks |invalid size ).+'
        ),
    ),
    # Checks of extensions. Those of xt_set never had a prefix; 'indentified' is how it was spelled up to 3.x.
    (
        'xtables-rejection',
        'xt_CT: ',
        r'(?P<extension>xt_CT): (?:No such (?:helper|timeout policy) |You must specify |Timeout policy ).+',
    ),
    (
        'xtables-rejection',
        't load conntrack support',
        r"(?:(?P<extension>(?:xt|ipt|ip6t|ebt)_\w{1,32}): )?can(?:no|')t load conntrack support for proto=\d+",
    ),
    (
        'xtables-rejection',
        'Cannot find ',
        r'Cannot find (?:set (?:id|ind)entified by id \d+ to match|\w{1,16} index \d+ as target)',
    ),
    (
        'conntrack-helper-unassigned',
        'automatic helper',
        r'nf_conntrack: default automatic helper assignment has been turned off for security reasons.*',
    ),
    (
        'conntrack-loaded',
        'conntrack version',
        r'(?:nf_conntrack: )?(?:ip|nf)_conntrack version \S{1,16} \(\d+ buckets, \d+ max\).*',
    ),
    # printk: up to 2.6.2x; __ratelimit: 2.6.32, whoever called it; later the calling function. Drivers and file
    # systems have summaries of their own, which say nothing about networks.
    ('callbacks-suppressed', 'messages suppressed', r'(?P<printk>printk): (?P<count>\d{1,18}) messages suppressed\.?'),
    (
        'callbacks-suppressed',
        'callbacks suppressed',
        (
            r'(?P<function>net_ratelimit|__ratelimit|dst_alloc|(?:xt|nf|ipt|ip6t|set)_\w{1,64}): '
            r'(?P<count>\d{1,18}) callbacks suppressed'
        ),
    ),
)

# One of these is in every one of the texts.
WORDS = tuple(dict.fromkeys(word.encode() for _, word, _ in PATTERNS))

# And how they begin, for a quicker look at bytes: almost every record of a kernel log is something else.
BEGINNINGS = tuple(
    b'nf_|ip_conntrack|neighbour: |Neighbour table|ipv4: |ipv6: |IPv4: |IPv6: |Route cache|dst|x_tables: |ip_tables: |'
    b"ip6_tables: |arp_tables: |eb_tables: |xt_|ipt_|ip6t_|ebt_|set_|can't load|cannot load|Cannot find |printk: |"
    b'net_ratelimit: |__ratelimit: '.split(b'|')
)


# Of a flood thousands of records hold the same text. Not functools.lru_cache, whose import costs more than it saves.
_KNOWN: dict[str, tuple[str, str, int] | None] = {}
_MOST_KNOWN = 64


def classify(text: str) -> tuple[str, str, int] | None:
    """What kind of network table message `text` (without timestamp and log header) is; None for any other text.

    (code, subject, count): the code of the kind; what the message names, '' when nothing; the number of events.
    """
    if text not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[text] = _classify(text)
    return _KNOWN[text]


def _classify(text: str) -> tuple[str, str, int] | None:
    for code, word, pattern in PATTERNS:
        if word not in text:
            continue
        import re  # almost no record comes this far

        match = re.fullmatch(pattern, text, re.ASCII)
        if match:
            found = {name: value for name, value in match.groupdict().items() if value is not None}
            count = int(found.pop('count', '1'))
            family = found.pop('family', '')
            if family:
                return code, 'arp_cache' if family == '4' else 'ndisc_cache', count
            return code, next(iter(found.values()), ''), count
    return None

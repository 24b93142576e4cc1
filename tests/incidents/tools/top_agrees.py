#!/usr/bin/env python3
"""Whether `tablefull top` counts what awk counts in a listing.

top_agrees.py SOURCE LISTING    SOURCE is where top must have looked, LISTING /proc/net/nf_conntrack or a copy of what
                                `conntrack -L` said

Fails and prints both counts where one differs: by source, state and protocol, and of these how many are half-open.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys

# By the words of a line alone. The kernel's own listing has the family before the protocol, and addresses in full.
AWK = r"""
{ source = before = ""; protocol = $1 ~ /^ipv[46]$/ ? $3 : $1 }
{ for (i = 1; i <= NF && source == ""; i++) if ($i ~ /^src=/) { source = substr($i, 5); before = $(i - 1) } }
/\[UNREPLIED\]/ { state = "unanswered" }
!/\[UNREPLIED\]/ { state = /\[ASSURED\]/ ? "assured" : "answered" }
before ~ /^[A-Z]/ { state = before }
/OFFLOAD\]/ { state = "offloaded" }
{
    half = /\[UNREPLIED\]/ || state ~ /^SYN_/
    count["source " source]++; halves["source " source] += half
    count["state " protocol " " state]++; halves["state " protocol " " state] += half
    count["protocol " protocol]++; halves["protocol " protocol] += half
}
END { for (group in count) print count[group], halves[group], group }
"""


def run(*argv: str) -> str:
    """What a program says that must succeed."""
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def plain(by: str, name: str) -> str:
    """An address in its short form; everything else as it is."""
    return str(ipaddress.ip_address(name)) if by == 'source' else name


def listed(path: str) -> dict[str, list[tuple[int, int, str]]]:
    """By what -> (connections, half-open ones, group) of a listing, after awk."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    for line in run('awk', AWK, path).splitlines():
        number, half_open, by, name = line.split(' ', 3)
        found.setdefault(by, []).append((int(number), int(half_open), plain(by, name)))
    return found


def main() -> None:
    """Compare."""
    source, path = sys.argv[1:]
    expected = listed(path)
    for by, groups in expected.items():
        said = json.loads(run('tablefull', 'top', '--by', by, '--limit', '1000', '--output', 'json'))
        told = [(group['flows'], group['half_open'], group['group']) for group in said['groups']]
        if said['source'] != source or said['others'] or sorted(told) != sorted(groups):
            sys.exit(f'{path}: {sorted(groups)}\n{said["source"]}: {sorted(told)}')
        print(by, sorted(told, reverse=True))
    if len(expected) != 3:
        sys.exit(f'{path} is empty')


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""All of a host that looking must not change, as JSON: by reading files, without loading anything."""

from __future__ import annotations

import ctypes
import glob
import json
import os
import subprocess
from pathlib import Path

# Written by the kernel all the time, whoever looks.
VOLATILE = (
    '/proc/sys/kernel/random/',
    '/proc/sys/fs/',
    '/proc/sys/kernel/ns_last_pid',
    '/proc/sys/kernel/pty/nr',
    '/proc/sys/kernel/tainted',
    # What the scheduler measures of itself.
    '/proc/sys/kernel/sched_domain/',
)
# The kernel about itself, on a machine that has to share its processors: not for what runs on it.
SLOWNESS = ('hrtimer: interrupt took', 'clocksource: ', 'perf: interrupt took', 'sched: RT throttling')
SIZE_UNREAD, KMSG = 9, '/dev/kmsg'


def text(path: str) -> str | None:
    """What is in a file, None when it cannot be read."""
    try:
        return Path(path).read_text(errors='replace')
    except OSError:
        return None


def log_lines() -> list[str]:
    """The kernel log."""
    descriptor = os.open(KMSG, os.O_RDONLY | os.O_NONBLOCK)
    lines = []
    while True:
        try:
            lines.append(os.read(descriptor, 8192).decode(errors='replace').partition(';')[2].rstrip())
        except BlockingIOError:
            os.close(descriptor)
            return [line for line in lines if not line.startswith(SLOWNESS)]


def main() -> None:
    """Print it."""
    sysctls = {path: text(path) for path in glob.glob('/proc/sys/**', recursive=True) if not path.startswith(VOLATILE)}
    tables = [f'/proc/net/{name}' for name in ('ip_tables_names', 'ip6_tables_names', 'arp_tables_names')]
    state: dict[str, object] = {
        'modules': sorted(line.split()[0] for line in (text('/proc/modules') or '').splitlines()),
        '/sys/module': sorted(os.listdir('/sys/module')),
        'tables': {path: text(path) for path in tables},
        'files of netfilter': sorted(glob.glob('/proc/net/netfilter/*') + glob.glob('/proc/net/*conntrack*')),
        'loggers': text('/proc/net/netfilter/nf_log'),
        'packet taps': text('/proc/net/ptype'),
        'interfaces': sorted(os.listdir('/sys/class/net')),
        'routes': text('/proc/net/route'),
        'sysctls': {path: value for path, value in sysctls.items() if not os.path.isdir(path)},
        # What a reader of /proc/kmsg has not fetched yet: reading that file takes it away from the system's logger.
        'unread bytes of /proc/kmsg': ctypes.CDLL(None).klogctl(SIZE_UNREAD, None, 0),
        'kernel log': log_lines(),
        'files changed': subprocess.run(
            'find / -xdev -cnewer /root/marker ! -type d ! -path "/root/*" ! -path "/run/*" ! -path "/var/log/*"',
            shell=True,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split(),
    }
    print(json.dumps(state))


if __name__ == '__main__':
    main()

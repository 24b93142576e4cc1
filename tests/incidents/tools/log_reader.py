#!/usr/bin/env python3
"""Another reader of the kernel log: takes three records of /dev/kmsg, waits for /tmp/go, and prints the next number."""

from __future__ import annotations

import os
import time


def main() -> None:
    """Print the numbers of the third record and of the fourth: nobody may have moved the position in between."""
    descriptor = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
    numbers = [int(os.read(descriptor, 8192).split(b',')[1]) for _ in range(3)]
    with open('/tmp/reader-ready', 'w'):
        pass
    while not os.path.exists('/tmp/go'):
        time.sleep(0.1)
    numbers.append(int(os.read(descriptor, 8192).split(b',')[1]))
    with open('/tmp/numbers', 'w') as file:
        file.write(' '.join(map(str, numbers)))


if __name__ == '__main__':
    main()

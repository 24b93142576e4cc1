"""The machine itself: what it must not do to a kernel that is judged in it."""

from __future__ import annotations

from collections.abc import Callable

from tests.incidents.machine import Machine

# Each write makes the kernel rewrite instructions in its scheduler, while the other processor runs through them.
REWRITE = r"""set -eu
for processor in 1 2; do
    timeout 250 python3 -c 'import os, time
while True:
    for _ in range(200):
        os.sched_yield()
    time.sleep(0.0001)' &
done
for number in $(seq 150); do
    echo 1 >/proc/sys/kernel/sched_schedstats
    echo 0 >/proc/sys/kernel/sched_schedstats
done
kill %1 %2
"""


def test_a_kernel_that_rewrites_its_own_code_goes_on(machines: Callable[[str, str], Machine]) -> None:
    with machines('newest', 'plain') as machine:
        done = machine.run(REWRITE)
    assert (done.code, done.errors) == (0, '')

"""Waiting with a deadline, because nothing a daemon does is there at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar('Value')
# Seconds. Much longer than anything takes here by itself, for the sake of busy machines.
PATIENCE = 120.0


def wait_for(what: str, condition: Callable[[], Value], seconds: float = PATIENCE) -> Value:
    """The first true value of `condition`; fails the test, with the last value, when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'waited {seconds} s for {what}; the last look gave {value!r}')
        time.sleep(0.3)


def wait_for_none(look: Callable[[], list[str]], seconds: float = PATIENCE) -> None:
    """Until `look` finds nothing to complain of any more; fails the test with what it still finds."""
    end = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.3)
    if found:
        raise AssertionError('\n'.join(found))

"""Runs the parts of a snapshot one after the other, so that one that hangs or breaks costs nothing but itself.

In a thread: no alarm gets a process out of a read that hangs in the kernel (a dead FUSE or NFS server), but another
thread can still tell what is known, and the end of the process takes the hanging one along.
"""

from __future__ import annotations

import _thread
import time

from tablefull.readers.files import ReadError, answer_by
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# Of the time that is left a part may take this share; the last one takes all.
_SHARE = 0.45
# A program is ended while there is still time to say so.
_FOR_PROGRAMS = 0.8


class Lost(NamedTuple):
    """Why a part has no result.

    path, reason  what could not be read and why; an empty path for troubles of our own
    permission    more privilege would help
    """

    path: str
    reason: str
    permission: bool = False

    @property
    def text(self) -> str:
        """Both in a line."""
        return f'{self.path}: {self.reason}' if self.path else self.reason


Part = tuple[str, 'Callable[[], Any]']


class _Worker:
    """Runs parts until there are no more, or until it is told that nobody waits any longer.

    at  the number of the part at hand, and since when. One assignment, for the other thread reads it; the results of
        all parts before it are there by then.
    """

    def __init__(self, parts: Sequence[Part], ends: float) -> None:
        self.parts = parts
        self.ends = ends
        self.results: list[Any] = []
        self.at = (0, time.monotonic())
        self.abandoned = False
        self.done = _thread.allocate_lock()
        self.done.acquire()

    def run(self) -> None:
        """Of the thread. Never raises."""
        for number, (_, part) in enumerate(self.parts):
            if self.abandoned:
                return
            began = time.monotonic()
            self.at = (number, began)
            answer_by(began + _FOR_PROGRAMS * self.share(number, began))
            self.results.append(attempt(part))
        self.done.release()

    def share(self, number: int, began: float) -> float:
        """Seconds for a part."""
        left = max(0.0, self.ends - began)
        return left if number + 1 == len(self.parts) else _SHARE * left

    def wait(self) -> int:
        """Wait until all is done, or a part has had its share: how many have a result that counts."""
        while True:
            number, began = self.at
            ends = began + self.share(number, began)
            if self.done.acquire(timeout=max(0.0, ends - time.monotonic())):
                return len(self.parts)
            if self.at == (number, began) and time.monotonic() >= ends:
                self.abandoned = True
                return number


def run_parts(parts: Sequence[Part], seconds: float) -> dict[str, Any]:
    """Name -> what each part returned, or Lost. Takes at most about `seconds`."""
    ends = time.monotonic() + seconds
    found: dict[str, Any] = {}
    while parts:
        worker = _Worker(parts, ends)
        try:
            _thread.start_new_thread(worker.run, ())
        except RuntimeError:
            # No thread to be had (RLIMIT_NPROC): without, for most hosts have nothing that hangs.
            worker.run()
        count = worker.wait()
        # Not one more: what a part that was given up returns a moment later is too late.
        found.update(zip((name for name, _ in parts), worker.results[:count]))
        if count < len(parts):
            found[parts[count][0]] = Lost('', f'no answer within {time.monotonic() - worker.at[1]:.1f} s')
        parts = parts[count + 1 :]
    answer_by(None)
    return found


def attempt(part: Callable[[], Any]) -> Any:
    """What `part` returns, or Lost: nothing it raises may cost the rest of the snapshot."""
    try:
        return part()
    except ReadError as error:
        return Lost(error.path, error.reason, error.permission)
    except FileNotFoundError as error:
        return Lost(str(error.args[-1]), 'it vanished while it was being read')
    except MemoryError:
        return Lost('', 'out of memory')
    except BaseException as error:  # noqa: BLE001  # of whatever kind
        return Lost('', f'internal error: {type(error).__name__}: {error}')

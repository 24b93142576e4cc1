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
    """Runs parts until there are no more, or until it is told that nobody waits any longer."""

    def __init__(self, parts: Sequence[Part], ends: float) -> None:
        self.parts = parts
        self.ends = ends
        self.results: list[Any] = []
        self.began = time.monotonic()
        self.abandoned = False
        self.done = _thread.allocate_lock()
        self.done.acquire()

    def run(self) -> None:
        """Of the thread. Never raises."""
        for _, part in self.parts:
            self.began = time.monotonic()
            answer_by(self.began + _FOR_PROGRAMS * self.share())
            result = attempt(part)
            if self.abandoned:
                return
            self.results.append(result)
        self.done.release()

    def share(self) -> float:
        """Seconds for the part at hand."""
        left = self.ends - self.began
        return left if len(self.results) + 1 >= len(self.parts) else _SHARE * left

    def finished(self) -> bool:
        """Wait until all is done, or a part has had its share."""
        while True:
            count = len(self.results)
            if self.done.acquire(timeout=max(0.0, self.began + self.share() - time.monotonic())):
                return True
            if len(self.results) == count and time.monotonic() >= self.began + self.share():
                self.abandoned = True
                return False


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
        all_done = worker.finished()
        found.update(zip((name for name, _ in parts), worker.results))
        if not all_done:
            name = parts[len(worker.results)][0]
            found[name] = Lost('', f'no answer within {time.monotonic() - worker.began:.1f} s')
        parts = parts[len(worker.results) + (not all_done) :]
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

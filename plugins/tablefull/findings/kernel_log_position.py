"""How far earlier runs have read the kernel log: which events are new, and how much was overwritten since."""

from __future__ import annotations

from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# What is written while the log is being read is no event of the future.
_SLACK = 60.0


def remember(log: KernelLog, boot: str, content: dict[str, Any] | None) -> dict[str, Any]:
    """The object to remember after `log` was read; `content` is the one of the run before.

    The sequence number where there is one: clocks of the kernel drift, and numbers do not. Elsewhere the time of the
    newest event, and how many events have this very time: traditional syslog knows no fractions of a second.
    """
    new: dict[str, Any] = {'schema': 1, 'source': log.source, 'boot': _boot_of(log, boot)}
    if log.last_sequence is not None:
        return {**new, 'sequence': log.last_sequence}
    moments = [moment for moment in map(_moment, log.events) if not _future(log, moment)]
    before = _before(log, boot, content)
    newest = max([*moments, before[0]] if before else moments, default=None)
    if newest is None:
        return new
    same = moments.count(newest)
    return {**new, 'newest': newest, 'same': max(same, before[1]) if before and before[0] == newest else same}


def unseen(log: KernelLog, boot: str, content: dict[str, Any] | None) -> tuple[Event, ...]:
    """The events of `log` that came after what `content` remembers; all when it remembers nothing of this log."""
    sequence = _sequence(log, boot, content)
    if sequence is not None:
        return tuple(event for event in log.events if event.sequence is None or event.sequence > sequence)
    before = _before(log, boot, content)
    if before is None:
        return log.events
    newest, same = before
    again = [event for event in log.events if _moment(event) == newest]
    later = [event for event in log.events if _moment(event) > newest]
    return (*again[same:], *later)


def lost_since(log: KernelLog, boot: str, content: dict[str, Any] | None) -> int:
    """Records that were overwritten unread: while reading now, and since the run before."""
    sequence = _sequence(log, boot, content)
    if sequence is None or log.first_sequence is None:
        return log.lost
    return log.lost + max(0, log.first_sequence - sequence - 1)


def _boot_of(log: KernelLog, boot: str) -> str:
    # The wall clock of a log file goes on after a boot; sequence numbers and the kernel's clock begin anew.
    return '' if log.wall_clock else boot


def _moment(event: Event) -> float:
    return event.seconds if event.seconds is not None else event.wall or 0.0


def _same_log(log: KernelLog, boot: str, content: dict[str, Any] | None) -> dict[str, Any]:
    if content and content.get('source') == log.source and content.get('boot') == _boot_of(log, boot):
        return content
    return {}


def _sequence(log: KernelLog, boot: str, content: dict[str, Any] | None) -> int | None:
    sequence = _same_log(log, boot, content).get('sequence')
    # A number of the future is that of another tree under the same name.
    if type(sequence) is not int or log.last_sequence is None or not 0 <= sequence <= log.last_sequence:
        return None
    return sequence


def _before(log: KernelLog, boot: str, content: dict[str, Any] | None) -> tuple[float, int] | None:
    known = _same_log(log, boot, content)
    newest, same = known.get('newest'), known.get('same')
    # A moment of the future, from before the clock was set back, would hide all that comes until then. NaN is none.
    if isinstance(newest, bool) or not isinstance(newest, (int, float)) or type(same) is not int:
        return None
    return (float(newest), max(0, same)) if newest >= 0 and not _future(log, newest) else None


def _future(log: KernelLog, moment: float) -> bool:
    return moment > log.now_seconds + _SLACK

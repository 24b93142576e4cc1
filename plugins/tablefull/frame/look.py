"""What a look at one part of a host comes to. Nothing on this floor imports nagiosplugin, argparse or re."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from tablefull.readers.kernel_log import KernelLog

    # (seconds to look back, whether a journal is worth a program) -> the log; raises as read_kernel_log does.
    ReadLog = Callable[[float, bool], KernelLog]

    class Memory(Protocol):
        """What a look remembers: content of its last run, and a way to replace it. state.Memory is one."""

        content: dict[str, Any] | None

        def save(self, content: dict[str, Any]) -> tuple[Finding, ...]:
            """Returns what went wrong."""


class Number(NamedTuple):
    """One measured number, as a nagiosplugin Metric takes it."""

    label: str
    value: float
    unit: str = ''
    least: float | None = None
    most: float | None = None


class Threshold(NamedTuple):
    """How one label is judged by ranges of the user: a label without code is only shown.

    breach(seen, severity, value, range as text) makes the finding; the ranges are in the options PREFIXwarning and
    PREFIXcritical
    """

    label: str
    code: str = ''
    breach: Callable[[Any, str, float, str], Finding] | None = None
    prefix: str = ''


class Look(NamedTuple):
    """What was found, and what was measured.

    findings  those that need no threshold, ignored ones too
    numbers   for thresholds and performance data
    healthy   the sentence when there is nothing to report
    facts     (name, value) pairs of everything read
    seen      what the rules looked at; None when the thing itself is not there
    """

    findings: Sequence[Finding]
    numbers: Sequence[Number]
    healthy: Callable[[], str]
    facts: Callable[[], Sequence[tuple[str, str]]] = tuple
    seen: Any = None


def read_log_of(root: str) -> ReadLog:
    """The kernel log of `root`, read anew each time."""

    def read(since: float, journal: bool = True) -> KernelLog:
        from tablefull.readers.kernel_log import read_kernel_log

        return read_kernel_log(root, since, journal=journal)

    return read

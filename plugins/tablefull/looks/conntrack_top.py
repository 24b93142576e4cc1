"""The short form of `tablefull top` in a check that is not OK. Whatever goes wrong here costs the check nothing."""

from __future__ import annotations

import time

from tablefull.frame.ranges import outside
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tablefull.findings.finding import Finding
    from tablefull.frame.look import Number, Threshold

# A table up to this size is counted whole: it takes an eighth of a second. Larger ones are sampled.
_WHOLE = 50_000
_SAMPLE = 20_000
# Of the time that is left before --timeout.
_SHARE = 0.3
_LONGEST = 1.0
_TOO_SHORT = 0.05


def top(
    options: Any, began: float, findings: Sequence[Finding], numbers: Sequence[Number], thresholds: Sequence[Threshold]
) -> list[Finding]:
    """Findings on who holds the table, when it was asked for and something is wrong; never raises but for an alarm.

    `began` is when the look began, on the clock of time.monotonic().
    """
    if not options.top or not _alerts(options, findings, numbers, thresholds):
        return []
    from tablefull.findings.conntrack_holders import holders, unseen
    from tablefull.readers.survey import Refused, survey

    seconds = min(_LONGEST, _SHARE * (options.timeout - (time.monotonic() - began)))
    if seconds < _TOO_SHORT:
        return [unseen('no time was left before --timeout', '')]
    entries = next((int(number.value) for number in numbers if number.label == 'entries'), 0)
    sample = _SAMPLE if entries > _WHOLE else None
    try:
        return list(holders(survey(options.root, 'prefix', options.top, sample, seconds=seconds), options.top))
    except Refused as error:
        return [unseen(str(error), error.grant)]
    except Exception as error:  # noqa: BLE001  # a note is not worth a verdict
        return [unseen(f'{type(error).__name__}: {error}', '')]


def _alerts(
    options: Any, findings: Sequence[Finding], numbers: Sequence[Number], thresholds: Sequence[Threshold]
) -> bool:
    """Whether the check will not be OK."""
    ignored = options.ignore or ()
    if any(finding.severity != 'info' and finding.code not in ignored for finding in findings):
        return True
    measured = {number.label: number.value for number in numbers}
    for threshold in thresholds:
        if threshold.label not in measured or threshold.code in ignored:
            continue
        for severity in ('warning', 'critical'):
            limits = getattr(options, f'{threshold.prefix}{severity}', None) if threshold.breach else None
            if limits is not None and outside(str(limits), measured[threshold.label]):
                return True
    return False

"""Counter arithmetic between two runs: samples, wrap-around, reset, reboot."""

from __future__ import annotations

from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Samples are kept this long (seconds) to see growth; the newest usable one gives the rates.
KEPT_FOR = 900.0
_MOST_KEPT = 40
# Two runs closer than this (seconds) share the older sample: a rate over milliseconds means nothing.
_SHORTEST = 1.0
# What is remembered of a run that saw its table refuse packets: how many, at least 1. No later sample shows it.
LOST = 'lost'


class Sample(NamedTuple):
    """Counters and gauges as they were at one moment.

    at        seconds since boot (CLOCK_BOOTTIME), immune to clock changes
    counters  name -> one value per CPU (a single value where the kernel adds them up itself)
    """

    at: float
    counters: dict[str, tuple[int, ...]]


def samples_from(content: dict[str, Any] | None, boot: str, now: float) -> list[Sample]:
    """The samples in a remembered object, oldest first; [] when it is of another boot, of the future, or malformed."""
    if not content or content.get('boot') != boot:
        return []
    samples = []
    entries = content.get('samples')
    for entry in entries if isinstance(entries, list) else []:
        sample = _sample_from(entry)
        if sample is not None and 0 <= now - sample.at <= KEPT_FOR * 96:
            samples.append(sample)
    return sorted(samples, key=lambda sample: sample.at)


def _sample_from(entry: Any) -> Sample | None:
    if not isinstance(entry, dict):
        return None
    at, counters = entry.get('at'), entry.get('counters')
    # json knows True, Infinity and numbers too large for a float.
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0 <= at < 1e12 or not isinstance(counters, dict):
        return None
    values: dict[str, tuple[int, ...]] = {}
    for name, numbers in counters.items():
        if not isinstance(numbers, list) or not numbers:
            return None
        # A number that no counter can have would overflow in the arithmetic of rates.
        if not all(type(number) is int and 0 <= number < 1 << 64 for number in numbers):
            return None
        values[name] = tuple(numbers)
    return Sample(float(at), values)


def content_of(boot: str, samples: Sequence[Sample], new: Sample) -> dict[str, Any]:
    """The object to remember: recent samples and the new one. The newest old one stays however old it is.

    Rates need only the newest usable sample; the older ones keep what has a single value, for a sample of hundreds of
    CPUs is large, and forty of them would be too large to be read again.
    """
    # Before thinning: what this run compared with is what the next one needs, if it comes within the same second.
    usable = previous(samples, new.at)
    kept = _thinned([sample for sample in samples if new.at - sample.at <= KEPT_FOR], usable) or list(samples[-1:])
    if usable is not None:
        kept = [sample if sample.at >= usable.at else _without_cpus(sample) for sample in kept]
    return {
        'schema': 1,
        'boot': boot,
        'samples': [
            {'at': round(sample.at, 3), 'counters': {name: list(numbers) for name, numbers in sample.counters.items()}}
            for sample in [*kept, new]
        ],
    }


def _thinned(samples: Sequence[Sample], usable: Sample | None) -> list[Sample]:
    """As few as reach back over the whole time, however often the check runs.

    Always the newest one, the usable one, and the latest one with a loss.
    """
    kept: list[Sample] = []
    losses = [sample for sample in samples if any(sample.counters.get(LOST, ()))]
    for sample in samples:
        needed = sample is samples[-1] or sample is usable or sample in losses[-1:]
        # What is newer than the usable one is about to become it, however often the check runs.
        pause = _SHORTEST if usable is not None and sample.at > usable.at else KEPT_FOR / _MOST_KEPT
        if not kept or needed or sample.at - kept[-1].at >= pause:
            kept.append(sample)
    return kept[-_MOST_KEPT:]


def _without_cpus(sample: Sample) -> Sample:
    return sample._replace(counters={name: values for name, values in sample.counters.items() if len(values) == 1})


def previous(samples: Sequence[Sample], now: float) -> Sample | None:
    """The newest sample that is old enough to compute a rate against."""
    usable = [sample for sample in samples if now - sample.at >= _SHORTEST]
    return usable[-1] if usable else None


def oldest(samples: Sequence[Sample], now: float) -> Sample | None:
    """The oldest recent sample, for slow trends."""
    usable = [sample for sample in samples if _SHORTEST <= now - sample.at <= KEPT_FOR]
    return usable[0] if usable else None


def growth(before: Sample | None, after: Sample, name: str, bits: int = 32) -> int | None:
    """How much a counter grew between two samples, over all CPUs; None when it is unknown on either side.

    A value that went down wrapped if it was in the upper half of its range and is now in the lower; else it was reset
    (module reloaded), and then all it shows now has happened since.
    """
    if before is None or name not in before.counters or name not in after.counters:
        return None
    old, new = before.counters[name], after.counters[name]
    if len(old) != len(new):
        return None
    half, whole = 1 << (bits - 1), 1 << bits
    total = 0
    for start, end in zip(old, new):
        if end >= start:
            total += end - start
        elif start >= half > end:
            total += end + whole - start
        else:
            total += end
    return total


def rate(before: Sample | None, after: Sample, name: str, bits: int = 32) -> float | None:
    """`growth` per second, None when unknown."""
    grown = growth(before, after, name, bits)
    if grown is None or before is None or after.at <= before.at:
        return None
    return grown / (after.at - before.at)


def change_rate(before: Sample | None, after: Sample, name: str) -> float | None:
    """Change per second of a gauge (one value), negative when it shrinks."""
    if before is None or name not in before.counters or name not in after.counters or after.at <= before.at:
        return None
    return (after.counters[name][0] - before.counters[name][0]) / (after.at - before.at)

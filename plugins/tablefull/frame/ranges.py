"""Ranges of the Monitoring Plugins guidelines, for whom nagiosplugin is too expensive."""

from __future__ import annotations


def outside(limits: str, value: float) -> bool:
    """Whether `value` alerts by `limits`, a range as options take it: '80', '10:', '~:0', '@5:9'."""
    start, _, end = limits.removeprefix('@').rpartition(':')
    low = float('-inf') if start == '~' else float(start or 0)
    high = float(end) if end else float('inf')
    return (low <= value <= high) == limits.startswith('@')

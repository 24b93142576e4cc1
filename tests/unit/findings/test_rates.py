from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.findings.rates import (
    KEPT_FOR,
    LOST,
    Sample,
    change_rate,
    content_of,
    growth,
    oldest,
    previous,
    rate,
    samples_from,
)


def sample(at: float, *drop: int) -> Sample:
    return Sample(at, {'drop': drop})


def test_a_counter_grows_over_all_cpus() -> None:
    assert growth(sample(0, 5, 1), sample(10, 15, 1), 'drop') == 10
    assert rate(sample(0, 5, 1), sample(10, 15, 1), 'drop') == 1.0


def test_a_32_bit_counter_wraps_on_one_cpu_alone() -> None:
    assert growth(sample(0, 2**32 - 1, 7), sample(10, 2, 7), 'drop') == 3


def test_a_reset_counter_counts_what_happened_since() -> None:
    # nf_conntrack unloaded and loaded again: 5000 does not wrap to 3.
    assert growth(sample(0, 5000), sample(10, 3), 'drop') == 3


def test_nothing_is_known_on_a_first_run_of_another_cpu_count_or_of_a_missing_column() -> None:
    assert growth(None, sample(1, 5), 'drop') is None
    assert growth(sample(0, 1), sample(1, 1, 1), 'drop') is None
    assert growth(sample(0, 1), sample(1, 1), 'early_drop') is None


def test_samples_of_another_boot_or_of_the_future_are_forgotten() -> None:
    content: dict[str, Any] = content_of('boot-a', [], sample(100, 1))
    assert len(samples_from(content, 'boot-a', 200)) == 1
    assert samples_from(content, 'boot-b', 200) == []
    assert samples_from(content, 'boot-a', 50) == []


def test_two_runs_within_a_moment_share_the_older_sample() -> None:
    samples = [sample(0, 1), sample(99.9, 2)]
    assert previous(samples, 100) == samples[0]
    assert previous(samples, 101) == samples[1]


def test_growth_is_seen_from_the_oldest_recent_sample() -> None:
    samples = [sample(0, 1), sample(500, 2), sample(1300, 3)]
    assert oldest(samples, 1310) == samples[1]


def test_a_gauge_may_shrink() -> None:
    assert change_rate(Sample(0, {'entries': (10,)}), Sample(10, {'entries': (5,)}), 'entries') == -0.5


def test_what_is_remembered_stays_small_but_never_empty() -> None:
    samples = [sample(at, at) for at in range(0, 2000, 10)]
    kept = samples_from(content_of('b', samples, sample(2000, 1)), 'b', 2000)
    assert len(kept) <= 41
    # An agent that asks once a day still gets a rate.
    assert len(samples_from(content_of('b', [sample(0, 1)], sample(80000, 2)), 'b', 80000)) == 2


@given(st.lists(st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.0, 30.0, 600.0]), min_size=2, max_size=60))
def test_however_close_runs_follow_each_other_no_growth_is_lost(pauses: list[float]) -> None:
    # Three runs within a second once left none of the samples that still had the counters of each CPU.
    content: dict[str, Any] | None = None
    now, first = 1000.0, 1000.0
    for number, pause in enumerate(pauses):
        before = previous(samples_from(content, 'b', now), now)
        assert (before is not None and 'drop' in before.counters) == (number > 0 and now - first >= 1.0)
        content = content_of('b', samples_from(content, 'b', now), Sample(round(now, 3), {'drop': (number, 0)}))
        now = round(now + pause, 3)


def test_a_check_that_runs_all_the_time_compares_with_a_moment_ago() -> None:
    content: dict[str, Any] | None = None
    for number in range(100):
        now = 1000 + number / 5
        before = previous(samples_from(content, 'b', now), now)
        assert before is None or now - before.at < 2.5
        content = content_of('b', samples_from(content, 'b', now), sample(now, number))
        assert len(content['samples']) <= 5


@given(st.lists(st.sampled_from([0.5, 2.0, 5.0, 10.0, 20.0, 30.0]), min_size=2, max_size=60), st.data())
def test_the_latest_loss_is_remembered_however_often_a_check_runs(pauses: list[float], data: st.DataObject) -> None:
    # An agent that asked every two seconds once took an alert away after fifteen: the sample with the loss was thinned.
    losses = data.draw(st.lists(st.integers(0, 3), min_size=len(pauses), max_size=len(pauses)))
    content: dict[str, Any] | None = None
    now, latest = 1000.0, None
    for pause, packets in zip(pauses, losses):
        samples = samples_from(content, 'b', now)
        found = [sample for sample in samples if sample.counters[LOST][0]]
        if latest is not None and now - latest <= KEPT_FOR:
            assert found[-1].at == latest
        content = content_of('b', samples, Sample(now, {'drop': (1, 0), LOST: (packets,)}))
        latest = now if packets else latest
        now += pause


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['at', 'counters', 'drop']), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(['boot', 'samples', 'schema']), JSON), st.lists(JSON, max_size=4))
def test_a_malformed_memory_is_no_memory(content: dict[str, Any], entries: list[Any]) -> None:
    for damaged in (content, {'boot': 'b', 'samples': entries}):
        for found in samples_from(damaged, 'b', 1000.0):
            growth(found, sample(1000, 1), 'drop')


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**31 - 1))
def test_growth_survives_any_wrap(start: int, grown: int) -> None:
    end = (start + grown) % 2**32
    found = growth(sample(0, start), sample(1, end), 'drop')
    # A wrap is told from a reset by halves; only growth across the middle of the range is ambiguous.
    if end >= start or start >= 2**31 > end:
        assert found == grown


@pytest.mark.parametrize('numbers', [[], [-1], [10**400], [2**64]])
def test_what_no_counter_can_show_is_no_memory(numbers: list[int]) -> None:
    assert samples_from({'boot': 'b', 'samples': [{'at': 1, 'counters': {'entries': numbers}}]}, 'b', 10) == []


def test_only_the_newest_samples_keep_what_is_counted_per_cpu() -> None:
    samples = [Sample(at, {'entries': (7,), 'drop': (1, 2)}) for at in (0.0, 100.0, 200.0, 299.5)]
    kept = samples_from(content_of('b', samples, samples[0]._replace(at=300.0)), 'b', 300)
    assert ['drop' in sample.counters for sample in kept] == [False, False, True, True, True]
    assert all('entries' in sample.counters for sample in kept)

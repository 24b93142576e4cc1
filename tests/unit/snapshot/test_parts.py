"""A part that hangs, breaks or dies costs itself and nothing else."""

from __future__ import annotations

import _thread
import errno
import functools
import sys
import time
from typing import Any

import pytest

from tablefull.readers.files import ReadError, answer_by, patience
from tablefull.snapshot.parts import Lost, attempt, run_parts


def hang() -> None:
    time.sleep(30)


def test_results_come_by_name_and_in_order() -> None:
    order: list[str] = []
    parts = [(name, lambda name=name: order.append(name) or name.upper()) for name in 'abc']
    assert run_parts(parts, 5) == {'a': 'A', 'b': 'B', 'c': 'C'}
    assert order == ['a', 'b', 'c']


@pytest.mark.parametrize(
    ('error', 'lost'),
    [
        (ReadError('/proc/x', 'Permission denied', errno.EACCES), Lost('/proc/x', 'Permission denied', True)),
        (ReadError('/proc/x', 'empty'), Lost('/proc/x', 'empty')),
        (FileNotFoundError(2, '/proc/x'), Lost('/proc/x', 'it vanished while it was being read')),
        (MemoryError(), Lost('', 'out of memory')),
        (RecursionError('deep'), Lost('', 'internal error: RecursionError: deep')),
        (SystemExit(1), Lost('', 'internal error: SystemExit: 1')),
        (OSError(5, 'Input/output error'), Lost('', 'internal error: OSError: [Errno 5] Input/output error')),
    ],
)
def test_whatever_is_raised_is_a_reason(error: BaseException, lost: Lost) -> None:
    def fail() -> None:
        raise error

    assert attempt(fail) == lost
    assert run_parts([('before', lambda: 1), ('fails', fail), ('after', lambda: 2)], 5) == {
        'before': 1,
        'fails': lost,
        'after': 2,
    }


@pytest.mark.parametrize('place', [0, 1, 2])
def test_a_part_that_hangs_is_given_up_and_the_others_are_not(place: int) -> None:
    parts: list[tuple[str, Any]] = [('a', lambda: 1), ('b', lambda: 2)]
    parts.insert(place, ('hangs', hang))
    began = time.monotonic()
    found = run_parts(parts, 0.6)
    assert time.monotonic() - began < 4
    lost = found.pop('hangs')
    assert isinstance(lost, Lost) and lost.reason.startswith('no answer within 0.')
    assert found == {'a': 1, 'b': 2}


def test_parts_that_all_hang_are_all_given_up_in_time() -> None:
    began = time.monotonic()
    found = run_parts([(name, hang) for name in 'abcdef'], 0.8)
    assert time.monotonic() - began < 4
    assert all(isinstance(lost, Lost) for lost in found.values()) and len(found) == 6


def test_what_a_given_up_part_returns_later_is_not_taken_for_that_of_another() -> None:
    def slow() -> str:
        time.sleep(2)
        return 'too late'

    found = run_parts([('slow', slow), ('next', lambda: time.sleep(0.2) or 'in time')], 2.4)
    assert isinstance(found['slow'], Lost)
    assert found['next'] == 'in time'


def test_without_threads_it_goes_on_without_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, 'start_new_thread', refuse)
    assert run_parts([('a', lambda: 1), ('b', lambda: 1 / 0)], 5) == {
        'a': 1,
        'b': Lost('', 'internal error: ZeroDivisionError: division by zero'),
    }


def test_programs_are_told_to_be_quicker_than_the_part_that_runs_them() -> None:
    try:
        left = run_parts([('first', lambda: patience(None)), ('last', lambda: patience(1.0))], 10)
    finally:
        answer_by(None)
    assert 3.0 < left['first'] < 3.7
    assert left['last'] == 1.0
    assert patience(None) is None and patience(3) == 3


def test_parts_that_end_at_the_last_moment_are_either_there_or_given_up() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for pause in (0.0085, 0.009, 0.0095) * 20:
            found = run_parts([(name, functools.partial(time.sleep, pause)) for name in 'abcd'], 0.02)
            assert list(found) == ['a', 'b', 'c', 'd']
    finally:
        sys.setswitchinterval(before)

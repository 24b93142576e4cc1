"""Runs a check from its command line to its exit code. Every failure of the plugin itself ends in UNKNOWN, exit 3."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

import nagiosplugin

from tablefull.findings.finding import Finding
from tablefull.findings.wording import number
from tablefull.frame import options as option_tables
from tablefull.frame.judge import FindingContext, FindingSummary, Looking, Measure, ordered
from tablefull.frame.look import Look, Threshold
from tablefull.frame.output import EXIT_CODES, Report, as_json, as_text
from tablefull.readers.files import ReadError, check_root
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, NoReturn


class Acquired(NamedTuple):
    """What a check hands to the frame.

    resource  the nagiosplugin Resource; its probe() yields Metrics and finding metrics
    measures  a Measure for each label, in the order of the perfdata
    healthy   the sentence when nothing was found, called after the probe
    facts     (name, value) pairs for -vv, called after the probe
    """

    resource: nagiosplugin.Resource
    measures: tuple[Measure, ...]
    healthy: Callable[[], str]
    facts: Callable[[], Sequence[tuple[str, str]]] = tuple


class Check(NamedTuple):
    """A check's own half of its command line, and how it is put together.

    name         'conntrack': the program is check_conntrack
    description  first paragraph of --help and of the page
    options      its own options; the common ones follow them
    acquire      parsed options -> Acquired
    """

    name: str
    description: str
    options: tuple[option_tables.Option, ...]
    acquire: Callable[[argparse.Namespace], Acquired]

    @property
    def program(self) -> str:
        """Name of the executable."""
        return f'check_{self.name}'

    @property
    def all_options(self) -> tuple[option_tables.Option, ...]:
        """Its own options, then the common ones."""
        return self.options + option_tables.COMMON


def looking(options: argparse.Namespace, look: Callable[[], Look], thresholds: tuple[Threshold, ...]) -> Acquired:
    """A check whose `look` is judged by `thresholds`, one for each label in the order of the perfdata."""
    resource = Looking(look, options.ignore)
    measures = tuple(resource.measure(judged, options) for judged in thresholds)
    return Acquired(resource, measures, resource.healthy, resource.facts)


class TimedOut(BaseException):
    """Raised by the alarm. Not an Exception, so that no `except Exception` on the way swallows it."""


def run(check: Check, argv: list[str] | None = None) -> NoReturn:
    """Run `check` on the command line and leave the process with the state's exit code."""
    code, text = main(check, sys.argv[1:] if argv is None else argv)
    leave(code, text)


def leave(code: int, text: str) -> NoReturn:
    """Print and exit at once: no interpreter shutdown, which costs time and could write to standard error."""
    try:
        if sys.stdout is None:
            # Closed from the start; its number may be that of another file by now.
            raise OSError
        # Bytes, for a daemon's locale may be ASCII; and a full disk or closed pipe must not look like success.
        sys.stdout.flush()
        data = text.encode('utf-8', 'backslashreplace') + b'\n'
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        code = 3
    os._exit(code)


def main(check: Check, argv: list[str]) -> tuple[int, str]:
    """(exit code, output) of `check` with `argv`. Does not raise and does not exit."""
    try:
        options = option_tables.parse(check.program, check.description, check.all_options, argv)
    except option_tables.HelpAsked as asked:
        return 3, str(asked)
    except option_tables.UsageError as error:
        report = _unknown(check, str(error))._replace(tail=f'; see {check.program} --help')
        return 3, as_json(report) if 'json' in argv or '--output=json' in argv else as_text(report)
    report = examine(check, options)
    text = as_json(report) if options.output == 'json' else as_text(report, options.verbose)
    return EXIT_CODES[report.state], text


def examine(check: Check, options: argparse.Namespace) -> Report:
    """What `check` comes to with parsed options. Does not raise: each failure of our own is UNKNOWN with a reason."""
    try:
        check_root(options.root)
        return _with_timeout(check, options)
    except ReadError as error:
        return _unknown(check, f'cannot read {error}' + _privilege_hint(error))
    except FileNotFoundError as error:
        # Seen a moment ago: readers tell of a file that was never there in their own way.
        return _unknown(check, f'cannot read {error.args[-1]}: it vanished while the check was reading')
    except MemoryError:
        return _unknown(check, 'out of memory')
    except Exception as error:  # noqa: BLE001  # the promise: never a wrong verdict by accident
        report = _unknown(check, f'internal error: {type(error).__name__}: {error}')
        if options.verbose >= 3:
            import traceback

            lines = traceback.format_exc().splitlines()
            report = report._replace(facts=tuple(('traceback', line) for line in lines))
        return report


def _unknown(check: Check, summary: str) -> Report:
    return Report(check.name, 'unknown', summary)


def _privilege_hint(error: ReadError) -> str:
    return f' as user id {os.geteuid()}' if error.permission else ''


def _with_timeout(check: Check, options: argparse.Namespace) -> Report:
    def expire(number: int, frame: object) -> NoReturn:
        raise TimedOut

    previous = signal.signal(signal.SIGALRM, expire)
    try:
        # A parent may hand it down blocked, and then no alarm would ever come.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
        signal.setitimer(signal.ITIMER_REAL, options.timeout)
        try:
            return evaluate(check, options)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except TimedOut:
        return Report(check.name, options.timeout_state, f'no answer within {number(options.timeout)} s (--timeout)')
    finally:
        signal.signal(signal.SIGALRM, previous)


def evaluate(check: Check, options: argparse.Namespace) -> Report:
    """Let nagiosplugin probe the resource and judge its metrics; gather the outcome in a Report."""
    acquired = check.acquire(options)
    summary = FindingSummary(acquired.healthy)
    nagios = nagiosplugin.Check(acquired.resource, FindingContext(), *acquired.measures, summary)
    nagios.name = check.name
    nagios()
    # By index: iteration over Results goes by severity, and the order of the perfdata is part of the contract.
    results: list[Any] = [nagios.results[index] for index in range(len(nagios.results))]
    measured = {
        result.metric.name: result for result in results if result.metric and result.metric.context != 'finding'
    }
    labels = [measure.name for measure in acquired.measures if measure.name in measured]
    findings = ordered(results)
    return Report(
        name=check.name,
        state=_state(results, findings),
        # Nothing found and nothing to measure, for nagiosplugin that is 'no check results'.
        summary=nagios.summary_str if results else acquired.healthy(),
        tail=_more(findings),
        perfdata=tuple(str(measured[label].metric.performance()) for label in labels),
        metrics=tuple((label, measured[label].metric.value) for label in labels),
        findings=tuple(findings),
        facts=tuple(acquired.facts()),
    )


def _more(findings: list[Finding]) -> str:
    more = sum(finding.severity != 'info' for finding in findings) - 1
    return f' (+{more} more)' if more > 0 else ''


def _state(results: list[Any], findings: list[Finding]) -> str:
    """CRITICAL, then WARNING, then UNKNOWN, then OK: what is proved bad outranks what could not be seen."""
    severities = {finding.severity for finding in findings}
    for severity in ('critical', 'warning', 'unknown'):
        if severity in severities:
            return severity
    return 'unknown' if any(result.state == nagiosplugin.Unknown for result in results) else 'ok'

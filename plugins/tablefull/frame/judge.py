"""nagiosplugin contexts and summary that speak in findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import nagiosplugin

from tablefull.findings.finding import Finding
from tablefull.findings.wording import number
from tablefull.frame.look import Look, Threshold
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

STATES = {
    'info': nagiosplugin.Ok,
    'warning': nagiosplugin.Warn,
    'critical': nagiosplugin.Critical,
    'unknown': nagiosplugin.Unknown,
}

# Most severe first. What is proved bad outranks what could not be seen, which nagiosplugin orders the other way round.
ORDER = ('critical', 'warning', 'unknown', 'info')


class FindingResult(nagiosplugin.Result):
    """A Result that rests on a finding."""

    finding: Finding

    def __new__(cls, finding: Finding, metric: nagiosplugin.Metric) -> FindingResult:
        """The state follows from the severity."""
        result: FindingResult = super().__new__(cls, STATES[finding.severity], finding.summary, metric)
        result.finding = finding
        return result


class FindingContext(nagiosplugin.Context):
    """Judges metrics whose value is a Finding; these have no performance data."""

    def __init__(self) -> None:
        super().__init__('finding')

    def evaluate(self, metric: nagiosplugin.Metric, resource: nagiosplugin.Resource) -> nagiosplugin.Result:
        """The finding's own severity."""
        return FindingResult(metric.value, metric)


class Measure(nagiosplugin.ScalarContext):
    """Judges one number by ranges; a breach becomes the finding that `breach` makes of it.

    `breach(severity, value, range)` is a function of the findings floor. Without it the number is only shown.
    """

    def __init__(
        self,
        name: str,
        breach: Callable[[str, float, str], Finding] | None = None,
        warning: nagiosplugin.Range | None = None,
        critical: nagiosplugin.Range | None = None,
    ) -> None:
        super().__init__(name, warning, critical)
        self.breach = breach
        # nagiosplugin turns None into a range that matches everything; whether one was given shows in the perfdata.
        self.given = {'warning': warning, 'critical': critical}

    def evaluate(self, metric: nagiosplugin.Metric, resource: nagiosplugin.Resource) -> nagiosplugin.Result:
        """Critical before warning, on the exact value, not on the rounded one."""
        for severity in ('critical', 'warning'):
            limits = self.given[severity]
            if limits is not None and self.breach is not None and not limits.match(metric.value):
                return FindingResult(self.breach(severity, metric.value, str(limits)), metric)
        return nagiosplugin.Result(nagiosplugin.Ok, metric=metric)

    def performance(self, metric: nagiosplugin.Metric, resource: nagiosplugin.Resource) -> nagiosplugin.Performance:
        """Rounded, without exponent; thresholds as given."""
        limits = [str(self.given[severity] or '') for severity in ('warning', 'critical')]
        edges = ['' if edge is None else number(edge) for edge in (metric.min, metric.max)]
        return nagiosplugin.Performance(metric.name, number(metric.value), metric.uom or '', *limits, *edges)


def finding_metrics(findings: Iterable[Finding], ignored: tuple[str, ...]) -> list[nagiosplugin.Metric]:
    """Findings as metrics for a Resource to yield, without the ignored ones."""
    return [
        nagiosplugin.Metric(finding.code, finding, context='finding')
        for finding in findings
        if finding.code not in ignored
    ]


def threshold(
    label: str, code: str, breach: Callable[[str, float, str], Finding], options: Any, prefix: str = ''
) -> Measure:
    """A Measure judged by the options `<prefix>warning` and `<prefix>critical`, unless its code is ignored."""
    limits = [getattr(options, f'{prefix}{severity}', None) for severity in ('warning', 'critical')]
    return Measure(label, None if code in (options.ignore or ()) else breach, *limits)


class Looking(nagiosplugin.Resource):
    """A look as a Resource: its findings and its numbers are the metrics."""

    def __init__(self, look: Callable[[], Look], ignored: tuple[str, ...] | None) -> None:
        self._look = look
        self._ignored = ignored or ()
        self.looked: Look | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire, judge, remember."""
        looked = self.looked = self._look()
        yield from finding_metrics(looked.findings, self._ignored)
        for found in looked.numbers:
            yield nagiosplugin.Metric(found.label, found.value, found.unit, found.least, found.most)

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        return '' if self.looked is None else self.looked.healthy()

    def facts(self) -> Sequence[tuple[str, str]]:
        """Everything read, for -vv."""
        return () if self.looked is None else self.looked.facts()

    def measure(self, judged: Threshold, options: Any) -> Measure:
        """The context of one label."""
        rule = judged.breach
        if rule is None:
            return Measure(judged.label)

        def breach(severity: str, value: float, limits: str) -> Finding:
            assert self.looked is not None  # a metric exists only after the probe
            return rule(self.looked.seen, severity, value, limits)

        return threshold(judged.label, judged.code, breach, options, judged.prefix)


def ordered(results: Iterable[Any]) -> list[Finding]:
    """The findings behind results, most severe first, else in the order of the rules."""
    findings = [result.finding for result in results if isinstance(result, FindingResult)]
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))


class FindingSummary(nagiosplugin.Summary):
    """The sentence of the first line: the worst finding, or what `healthy` says when there is none."""

    def __init__(self, healthy: Callable[[], str]) -> None:
        self.healthy = healthy

    def ok(self, results: nagiosplugin.Results) -> str:
        """What was looked at and found well."""
        return self.healthy()

    def problem(self, results: nagiosplugin.Results) -> str:
        """The worst finding."""
        findings = [finding for finding in ordered(results) if finding.severity != 'info']
        if not findings:
            # A CheckError of nagiosplugin itself: no finding, only the text.
            return str(results.first_significant)
        return findings[0].summary

"""The finding: what a rule yields, a check judges, the snapshot lists and triage joins into causes."""

from __future__ import annotations

from tablefull.record import NamedTuple

# 'info' explains or says what could not be seen; it never changes a state.
SEVERITIES = ('info', 'warning', 'critical', 'unknown')

# The one place that knows where the pages are published.
DOCUMENTS = 'https://github.com/tablefull/tablefull/blob/main/docs/'
PAGES = f'{DOCUMENTS}findings/'


class Finding(NamedTuple):
    """One thing seen, with what it rests on and what to do by hand.

    code      slug of the catalogue and of its page, e.g. 'conntrack-table-full'
    severity  one of SEVERITIES
    summary   one sentence a reader understands who has never heard of the subsystem
    evidence  values and log lines it rests on, as they were read
    remedy    commands to run by hand, in order; never run by us
    """

    code: str
    severity: str
    summary: str
    evidence: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The runbook page."""
        return f'{PAGES}{self.code}.md'

"""What the rules of causes look at: the findings of all checks, and the facts behind them."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings import conntrack_seen, ferm_seen, kernel_log, module_state
    from tablefull.looks import neighbour
    from tablefull.triage.holders import Holders, Unseen


class Facts(NamedTuple):
    """Everything seen.

    findings   (check, finding), most severe first
    conntrack, modules, neighbour, ferm, log
               what the look of that name saw; None when the thing is not there or could not be read
    holders    of the connections, when something is wrong with their table; or why they could not be seen
    """

    findings: tuple[tuple[str, Finding], ...] = ()
    conntrack: conntrack_seen.Seen | None = None
    modules: module_state.Seen | None = None
    neighbour: neighbour.Seen | None = None
    ferm: ferm_seen.Seen | None = None
    log: kernel_log.Seen | None = None
    holders: Holders | Unseen | None = None

    @property
    def held(self) -> Holders | None:
        """Who holds the table, where that could be seen."""
        from tablefull.triage.holders import Holders

        return self.holders if isinstance(self.holders, Holders) else None

    def found(self, *codes: str, check: str = '') -> tuple[Finding, ...]:
        """Findings of these codes, of one check or of all, most severe first."""
        return tuple(
            finding for name, finding in self.findings if finding.code in codes and (not check or name == check)
        )

    def evidence(self, *codes: str, check: str = '') -> tuple[str, ...]:
        """What these findings rest on, each thing once."""
        pieces = [piece for finding in self.found(*codes, check=check) for piece in finding.evidence]
        return tuple(dict.fromkeys(pieces))

    def codes(self, *wanted: str) -> tuple[str, ...]:
        """Those of `wanted` that were found, in the order asked for."""
        present = {finding.code for _, finding in self.findings}
        return tuple(code for code in wanted if code in present)

    def remedies(self, *codes: str, check: str = '') -> Iterator[str]:
        """The remedies of these findings."""
        for finding in self.found(*codes, check=check):
            yield from finding.remedy

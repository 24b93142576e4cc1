"""What the rules on ferm look at."""

from __future__ import annotations

from tablefull.readers.ferm import Configuration, Settings
from tablefull.readers.rule_traces import RuleTraces
from tablefull.readers.systemd import Unit
from tablefull.readers.user import ANYBODY
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    # Not imported by a healthy run.
    from tablefull.findings.ferm_reasons import Reasons


class Seen(NamedTuple):
    """Facts of one run of the check.

    unit           None when its state cannot be had; gap says why
    configuration  what can be told without ferm
    traces         None when nothing tells of modules
    reasons        why a run failed, None when none did: the logs are read only then
    now            on the clock of the unit's time stamps, None unknown
    wall           unix time; None in a captured tree, whose modification times are those of the copy
    nftables       whether nftables.service is enabled too
    verified       --verify-rules had its own verdict on the rules
    incomplete     a captured tree without a directory /etc/ferm
    user           whom a remedy grants something
    """

    unit: Unit | None
    gap: str
    settings: Settings
    configuration: Configuration
    traces: RuleTraces | None = None
    reasons: Reasons | None = None
    now: float | None = None
    wall: float | None = None
    nftables: bool = False
    verified: bool = False
    incomplete: bool = False
    user: str = ANYBODY

    @property
    def age(self) -> float | None:
        """Seconds since the last good load."""
        loaded = self.unit.good_load if self.unit is not None else None
        return None if loaded is None or self.now is None else max(0.0, self.now - loaded)

"""Rules about ferm's settings and configuration: those that load nothing, and those that were never loaded."""

from __future__ import annotations

from tablefull.findings import ferm_rules
from tablefull.findings.ferm_seen import Seen
from tablefull.findings.finding import Finding
from tablefull.findings.privilege import grant
from tablefull.findings.wording import duration
from tablefull.readers.ferm import CONFIGURATION, DEFAULTS
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The clock's steps and a file system's coarse time stamps.
_SLACK = 2.0


def loads_nothing(seen: Seen) -> list[Finding]:
    """Settings with which the init script ends with success, without having loaded a rule."""
    findings = []
    # Only Debian's init script looks at ENABLED.
    script = seen.unit is None or not seen.unit.command or '/etc/init.d/' in seen.unit.command
    settings = seen.settings
    unset = settings.enabled is None and not settings.present and seen.wall is not None
    if script and (unset or settings.enabled not in (None, 'yes')):
        findings.append(
            Finding(
                'ferm-switched-off',
                'critical',
                'ENABLED is not "yes" in /etc/default/ferm: ferm ends with success and loads no rules',
                (
                    f'{DEFAULTS}: ' + ('not there' if unset else f'ENABLED={settings.enabled}'),
                    *ferm_rules.evidence(seen.traces, seen.configuration),
                ),
                (f'sed -i \'s/^ENABLED=.*/ENABLED="yes"/\' {DEFAULTS}', 'systemctl restart ferm'),
            )
        )
    if seen.configuration.present is False and not _left_out(seen):
        findings.append(
            Finding(
                'ferm-configuration-missing',
                'critical',
                'there is no /etc/ferm/ferm.conf: ferm ends with success and loads no rules',
                (f'{CONFIGURATION}: not there', *ferm_rules.evidence(seen.traces, seen.configuration)),
                (f'write {CONFIGURATION}, or restore it: dpkg --install does not bring a deleted one back',),
            )
        )
    return findings


def _left_out(seen: Seen) -> bool:
    """Whether the configuration was not copied into the tree: the unit is active, and rules are there."""
    active = seen.unit is not None and seen.unit.active_state == 'active'
    rules = seen.verified or ferm_rules.verdict(seen.traces, seen.configuration) == 'present'
    return seen.incomplete and seen.configuration.present is False and active and rules


def outdated(seen: Seen) -> bool:
    """Whether the rules in force are known to be those of an earlier configuration."""
    return (seen.unit is not None and seen.unit.reload_failed) or any(newer(seen))


def newer(seen: Seen) -> Iterator[Finding]:
    """A file changed since the last good load. Not after a failed reload, which says the same louder."""
    if seen.wall is None or seen.age is None or seen.unit is None or seen.unit.reload_failed:
        return
    changes = [seen.configuration.newest, (DEFAULTS, seen.settings.changed or 0.0)]
    path, changed = max((change for change in changes if change is not None), key=lambda change: change[1])
    if changed > seen.wall - seen.age + _SLACK:
        yield Finding(
            'ferm-configuration-newer',
            'warning',
            f'{path} was changed after ferm last loaded its rules',
            (f'changed {duration(max(0.0, seen.wall - changed))} ago, loaded {duration(seen.age)} ago',),
            (ferm_rules.DRY_RUN, 'systemctl reload ferm'),
        )


def unreadable(seen: Seen) -> Iterator[Finding]:
    """What of the configuration this user may not read."""
    if _left_out(seen):
        yield Finding(
            'ferm-configuration-unreadable',
            'info',
            'the configuration of ferm is not in this tree',
            (f'{CONFIGURATION}: not there, but ferm is active and rules are in use',),
            ('copy /etc/ferm into the tree as well',),
        )
    denied = seen.configuration.denied
    if denied:
        yield Finding(
            'ferm-configuration-unreadable',
            'info',
            'whether the configuration changed since it was loaded cannot be seen by this user',
            (f'{denied[0]}: Permission denied',),
            (grant('adm', seen.user),),
        )

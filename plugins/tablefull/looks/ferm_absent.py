"""No ferm here: what most hosts come to, without a question to systemd and without what judging ferm needs."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.frame.look import Look
from tablefull.readers import ferm_presence
from tablefull.readers.files import exists, is_live, recording


def absent(root: str) -> bool:
    """Whether it is certain that there is no ferm, and no unit of its name that systemd would know."""
    if ferm_presence.installed(root):
        return False
    if is_live(root):
        return not ferm_presence.has_unit_file(root)
    return recording(root, 'systemctl-show-ferm.txt') is None and not (
        exists(root, '/etc/ferm') or exists(root, '/etc/default/ferm')
    )


def look(severity: str) -> Look:
    """ferm is absent; `severity` is what that means to the user."""
    finding = Finding(
        'ferm-not-installed',
        'info' if severity == 'ok' else severity,
        'ferm is not installed',
        ('no /usr/sbin/ferm and no ferm.service',),
        ('apt-get install ferm, or remove this check from the host',),
    )
    return Look([finding], (), lambda: 'ferm is not installed')

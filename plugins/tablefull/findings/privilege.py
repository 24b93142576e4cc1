"""What would let a check see more, in the words of a remedy: one wording for all checks."""

from __future__ import annotations


def grant(group: str, user: str) -> str:
    """The command that puts `user` into `group`."""
    return f'usermod -aG {group} {user}  # then restart the monitoring agent'

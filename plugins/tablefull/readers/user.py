"""Who runs the check, for remedies that grant this user something."""

from __future__ import annotations

import os

from tablefull.readers.files import is_live

# Stands for the user where that is not the one who runs this: in a captured tree.
ANYBODY = 'USER'


def user_name(root: str) -> str:
    """The effective user's name, its number where it has none."""
    if not is_live(root):
        return ANYBODY
    import pwd  # only where something is closed to this user

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())

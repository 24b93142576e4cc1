"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# No timed assertions: a busy machine is not a bug.
settings.register_profile('tablefull', deadline=None)
settings.load_profile('tablefull')

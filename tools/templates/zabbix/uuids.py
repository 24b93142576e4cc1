"""The UUID of everything in a template. It is the identity of a thing in every Zabbix that ever imported it.

uuids.json keeps them for ever: what is new gets one when `make templates` runs, and what is there never changes. A name
that left the templates keeps its line, so that it can come back as the same thing.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

TABLE = Path(__file__).with_name('uuids.json')

# Zabbix's own group, with its own UUID: with another one the import would fail.
GROUP = ('Templates/Operating systems', '846977d1dfed4968bc5f8bdb363285bc')


class Uuids:
    """The table. What is not in it raises KeyError, unless `growing`: then it gets a new UUID, for save() to keep."""

    def __init__(self, growing: bool = False) -> None:
        self.known: dict[str, str] = json.loads(TABLE.read_text())
        self.growing = growing

    def __call__(self, *name: str) -> str:
        """The UUID of a thing by its name, without dashes, as Zabbix writes it."""
        full = ' / '.join(name)
        if self.growing and full not in self.known:
            self.known[full] = uuid.uuid4().hex
        return self.known[full]

    def save(self) -> None:
        """Keep the new ones."""
        TABLE.write_text(json.dumps(self.known, indent=0, sort_keys=True, ensure_ascii=False) + '\n')

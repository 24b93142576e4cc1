"""Write templates/. `make templates`."""

from __future__ import annotations

from pathlib import Path

from tools.templates import all_files, zabbix

TEMPLATES = Path(__file__).resolve().parents[2] / 'templates'


def main() -> None:
    """Write every file; leave alone what nobody generates."""
    zabbix.give_uuids()
    for path, text in all_files().items():
        target = TEMPLATES / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == '__main__':
    main()

"""Write packaging/man and packaging/completion. `make manuals`."""

from __future__ import annotations

from pathlib import Path

from tools.manuals.bash import completion
from tools.manuals.programs import programs
from tools.manuals.roff import page, section_of, wrapper

PACKAGING = Path(__file__).resolve().parents[2] / 'packaging'


def files() -> dict[str, str]:
    """Path below packaging/ -> text."""
    found = programs()
    names = sorted(['check_by_sudo', *(program.name for program in found)])
    texts = {program.name: page(program, names) for program in found}
    texts['check_by_sudo'] = wrapper(names)
    written = {f'man/{name.replace(" ", "-")}.{section_of(name)}': text for name, text in texts.items()}
    return {**written, 'completion/tablefull': completion(found)}


def main() -> None:
    """Write every file, and remove the page of what is no more."""
    written = files()
    for path in (PACKAGING / 'man').glob('*'):
        if f'man/{path.name}' not in written:
            path.unlink()
    for name, text in written.items():
        target = PACKAGING / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == '__main__':
    main()

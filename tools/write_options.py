"""Write the option table of each page in docs/checks from the options of its check. `make options`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tablefull.frame.options import Option
from tablefull.frame.plugin import Check

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / 'docs' / 'checks'
BEGIN, END = '<!-- options -->', '<!-- /options -->'


def checks() -> list[Check]:
    """Every check of plugins/, by name."""
    names = sorted(path.stem for path in (ROOT / 'plugins').glob('check_*.py'))
    found: list[Check] = [importlib.import_module(name).CHECK for name in names]
    return found


def option_table(options: tuple[Option, ...]) -> str:
    """A Markdown table: the option, its default, what it is."""
    rows = ['| option | default | what |', '| --- | --- | --- |']
    for option in options:
        names = f'`-{option.short}`, ' if option.short else ''
        names += f'`--{option.name} {option.metavar}'.rstrip() + '`'
        default = f'`{option.default}`' if option.default else ''
        what = option.help + (f': {", ".join(f"`{choice}`" for choice in option.choices)}' if option.choices else '')
        rows.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in (names, default, what)) + ' |')
    return '\n'.join(rows)


def with_options(page: str, check: Check) -> str:
    """`page` with the table of `check` between the two marks. Raises ValueError when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'no {BEGIN} and {END} in it')
    return f'{before}{BEGIN}\n\n{option_table(check.all_options)}\n\n{END}{after}'


def main() -> None:
    """Rewrite the pages; complain and exit with 1 when one is missing or has no marks."""
    failures = []
    for check in checks():
        path = PAGES / f'{check.program}.md'
        try:
            path.write_text(with_options(path.read_text(), check))
        except (FileNotFoundError, ValueError) as error:
            failures.append(f'{path.relative_to(ROOT)}: {error}')
    if failures:
        sys.exit('\n'.join(failures))


if __name__ == '__main__':
    main()

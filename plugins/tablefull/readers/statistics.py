"""/proc/net/stat/*: a header of column names, and one row of hexadecimal numbers per possible CPU.

Columns were renamed and added over time, and separators are irregular, so columns count by name only.
"""

from __future__ import annotations

from tablefull.readers.files import ReadError
from tablefull.record import NamedTuple

_MOST_CPUS = 8192  # CONFIG_NR_CPUS at its largest
_DIGITS = frozenset('0123456789abcdefABCDEF')


class Statistics(NamedTuple):
    """One such file. `entries` is a total, repeated in each row; every other column is a counter of its CPU."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]

    def per_cpu(self, name: str) -> tuple[int, ...] | None:
        """One value per CPU; None when this kernel has no such column."""
        if name not in self.columns:
            return None
        index = self.columns.index(name)
        return tuple(row[index] for row in self.rows)

    def total(self, name: str) -> int | None:
        """The sum over all CPUs, for `entries` the total itself; None when this kernel has no such column."""
        values = self.per_cpu(name)
        if values is None:
            return None
        return values[0] if name == 'entries' else sum(values)


def parse_statistics(text: str, path: str, *required: str) -> Statistics:
    """Parse the file at `path`, which must have the `required` columns. Raises ReadError for anything else."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ReadError(path, 'empty')
    columns = tuple(lines[0])
    if not {'entries', *required} <= set(columns) or len(set(columns)) != len(columns):
        raise ReadError(path, 'no header of column names')
    if not 1 <= len(lines) - 1 <= _MOST_CPUS:
        raise ReadError(path, f'{len(lines) - 1} rows of statistics')
    rows = []
    for words in lines[1:]:
        if len(words) != len(columns):
            raise ReadError(path, f'a row of {len(words)} numbers under {len(columns)} names')
        rows.append(tuple(parse_hexadecimal(word, path) for word in words))
    return Statistics(columns, tuple(rows))


def parse_hexadecimal(word: str, path: str) -> int:
    """A hexadecimal number of at most 64 bits, without sign and prefix. Raises ReadError naming `path`."""
    # int(x, 16) alone would take a sign, blanks, underscores, 0x and digits of any script.
    if not word or not set(word) <= _DIGITS or len(word) > 16:
        raise ReadError(path, 'not a hexadecimal number')
    return int(word, 16)

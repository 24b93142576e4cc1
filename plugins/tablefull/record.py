"""NamedTuple without `import typing`, which alone would cost a check a third of what an empty Python process costs.

A type checker sees typing.NamedTuple itself. At run time the annotations only give the names of the fields, and
collections.namedtuple, which compiles a constructor for each class, would cost half as much again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    try:
        # What collections.namedtuple itself makes its fields of; the whole module would cost as much as ten of ours.
        from _collections import _tuplegetter as _field
    except ImportError:
        from operator import itemgetter

        def _field(index, doc):
            return property(itemgetter(index), doc=doc)

    class _Record(type):
        """Turns annotated fields of a class body into the elements of a tuple."""

        def __new__(cls, name, bases, body):
            fields = tuple(body.get('__annotations__', ())) if bases else ()
            body.update(
                _fields=fields,
                _defaults={field: body[field] for field in fields if field in body},
                __slots__=(),
                **{field: _field(index, None) for index, field in enumerate(fields)},
            )
            return super().__new__(cls, name, bases, body)

    class NamedTuple(tuple, metaclass=_Record):
        """Base of records: immutable, compared by value."""

        def __new__(cls, *values, **named):
            """Values in the order of the fields, or by name."""
            fields = cls._fields
            if len(values) < len(fields):
                rest = fields[len(values) :]
                try:
                    values += tuple([named.pop(field) if field in named else cls._defaults[field] for field in rest])
                except KeyError as missing:
                    raise TypeError(f'{cls.__name__} lacks {missing}') from None
            if named or len(values) != len(fields):
                raise TypeError(f'{cls.__name__} takes {", ".join(fields)}')
            return tuple.__new__(cls, values)

        def __repr__(self):
            return (
                f'{type(self).__name__}({", ".join(f"{field}={value!r}" for field, value in self._asdict().items())})'
            )

        def __getnewargs__(self):
            return tuple(self)

        def _asdict(self):
            return dict(zip(self._fields, self))

        def _replace(self, **changes):
            return type(self)(**{**self._asdict(), **changes})

"""NamedTuple without `import typing`, which alone would cost a check a third of what an empty Python process costs.

A type checker sees typing.NamedTuple itself. At run time the annotations only give the names of the fields.
"""

from __future__ import annotations

import collections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    class _Named(type):
        """Turns the body of a class into a collections.namedtuple with the methods of the body."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get('__annotations__', ()))
            defaults = [body.pop(field) for field in fields if field in body]
            tuple_type = collections.namedtuple(name, fields, defaults=defaults)
            return type(name, (tuple_type,), {**body, '__slots__': ()})

    class NamedTuple(metaclass=_Named):
        """Base of records: immutable, compared by value."""

"""NamedTuple without its price: `typing` and a class made by `exec` cost a cold lint several milliseconds.

Type checkers see typing's own NamedTuple; at run time classes are built here, the same in use: fields by name and
position, defaults, `_replace`, equality, order, hash.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from _collections import _tuplegetter

    _tuple = tuple.__new__

    class _Fields(type):
        """Turns the annotations of a class into the fields of a tuple."""

        def __new__(mcls, name, bases, body):
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            for position, field in enumerate(fields):
                body[field] = _tuplegetter(position, "")
            body["__slots__"] = ()
            body["_fields"] = fields
            body["_size"] = len(fields)
            body["_field_defaults"] = defaults
            return super().__new__(mcls, name, bases, body)

    class NamedTuple(tuple, metaclass=_Fields):
        """Base of light records; see the module's docstring."""

        def __new__(cls, *values, **named):
            if named or len(values) != cls._size:
                values = cls._filled(values, named)
            return _tuple(cls, values)

        @classmethod
        def _filled(cls, values, named):
            fields, defaults = cls._fields, cls._field_defaults
            out = list(values)
            if len(out) > len(fields):
                raise TypeError(f"{cls.__name__} takes {len(fields)} values, not {len(out)}")
            for field in fields[len(out) :]:
                if field in named:
                    out.append(named.pop(field))
                elif field in defaults:
                    out.append(defaults[field])
                else:
                    raise TypeError(f"{cls.__name__} lacks {field!r}")
            if named:
                raise TypeError(f"{cls.__name__} has no {', '.join(map(repr, named))}")
            return out

        def _replace(self, **changes):
            out = type(self)(*(changes.pop(field, value) for field, value in zip(self._fields, self, strict=True)))
            if changes:
                raise ValueError(f"{type(self).__name__} has no {', '.join(map(repr, changes))}")
            return out

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            inside = ", ".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({inside})"

        def __getnewargs__(self):
            return tuple(self)

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

    def _1(cls, a):
        return _tuple(cls, (a,))

    def _2(cls, a, b):
        return _tuple(cls, (a, b))

    def _3(cls, a, b, c):
        return _tuple(cls, (a, b, c))

    def _4(cls, a, b, c, d):
        return _tuple(cls, (a, b, c, d))

    def _5(cls, a, b, c, d, e):
        return _tuple(cls, (a, b, c, d, e))

    def _6(cls, a, b, c, d, e, f):
        return _tuple(cls, (a, b, c, d, e, f))

    def _7(cls, a, b, c, d, e, f, g):
        return _tuple(cls, (a, b, c, d, e, f, g))

    def _8(cls, a, b, c, d, e, f, g, h):
        return _tuple(cls, (a, b, c, d, e, f, g, h))

    def _9(cls, a, b, c, d, e, f, g, h, i):
        return _tuple(cls, (a, b, c, d, e, f, g, h, i))

    # __new__ of a class is the one for its number of fields, with their names: the interpreter itself then takes
    # arguments by name and fills in defaults. No source is compiled for it.
    _NEW = {len(new.__code__.co_varnames) - 1: new for new in (_1, _2, _3, _4, _5, _6, _7, _8, _9)}
    _function = type(_1)

    def _constructor(fields, defaults):
        new = _NEW[len(fields)]  # KeyError: a record of the hot path with ten fields and more wants a line above
        code = new.__code__.replace(co_varnames=("cls", *fields), co_name="__new__", co_qualname="NamedTuple.__new__")
        return _function(code, globals(), "__new__", tuple(defaults.values()))

    class _Fields(type):
        """Turns the annotations of a class into the fields of a tuple."""

        def __new__(mcls, name, bases, body):
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            for position, field in enumerate(fields):
                body[field] = _tuplegetter(position, "")
            body["__slots__"] = ()
            body["_fields"] = fields
            if fields:
                body["__new__"] = _constructor(fields, defaults)
            body["_field_defaults"] = defaults
            return super().__new__(mcls, name, bases, body)

    class NamedTuple(tuple, metaclass=_Fields):
        """Base of light records; see the module's docstring."""

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

"""The condition language of rules/: three-valued, so that what we cannot see is said, never guessed.

A condition is written as a Python-like expression (`from.engine == 'v0' and not set('logprobs_mode')`), compiled
once by `compile_expr` into nested lists (JSON), and evaluated here against an environment:

    constants  'text' 1 1.5 True False None [a, b]
    names      engine, from.engine, to.enable_prefix_caching, sampling.temperature: looked up by the environment
    operators  and or not == != < <= > >= in, not in, + (of numbers and text)
    calls      set('option'), known(x), ...: functions of the environment

The result is a value, or `Undetermined`: the reasons why it cannot be told, and the values it may have, where known.
`and` and `or` decide as soon as what is known decides (Kleene), so a reason is given only where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Undetermined:
    """A value that the files do not decide.

    reasons: what it depends on, each a sentence part for `depends_on`. options: the values it may take, in the order
    of their likelihood, none of them Undetermined itself (see `alternatives`); empty when they cannot be listed.
    """

    __slots__ = ("options", "reasons")

    def __init__(self, reasons: tuple[str, ...], options: tuple[object, ...] = ()) -> None:
        self.reasons = reasons
        self.options = options

    def __repr__(self) -> str:
        return f"Undetermined({self.reasons!r}, {self.options!r})"

    def __bool__(self) -> bool:
        raise TypeError("an Undetermined value has no truth; ask `is True`")


class Env(Protocol):
    """What an expression is evaluated against."""

    def name(self, dotted: str) -> object:
        """The value of a name; Undetermined when the files do not tell. KeyError: no such name (a bug in a rule file)."""

    def call(self, function: str, args: list[object]) -> object:
        """A function of the environment."""


def merge(values: list[Undetermined]) -> Undetermined:
    """One Undetermined with the reasons of all, each once."""
    reasons: list[str] = []
    for value in values:
        reasons.extend(r for r in value.reasons if r not in reasons)
    return Undetermined(tuple(reasons), (True, False))


def alternatives(values: Iterable[object]) -> tuple[object, ...]:
    """All that a value may be which is one of these, each once; empty where one of them cannot be listed."""
    out: list[object] = []
    for value in values:
        if isinstance(value, Undetermined) and not value.options:
            return ()
        for option in value.options if isinstance(value, Undetermined) else (value,):
            out += [] if any(same(option, known) for known in out) else [option]
    return tuple(out)


def compare(op: str, left: object, right: object) -> bool:
    if op == "==":
        return same(left, right)
    if op == "!=":
        return not same(left, right)
    if op == "in" or op == "not in":
        return _among(left, right if isinstance(right, (list, tuple)) else [right]) is (op == "in")
    if not (_number(left) and _number(right)):
        return False
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    if op == "<":
        return left < right
    if op == "<=":
        return left <= right
    if op == ">":
        return left > right
    return left >= right


def _among(value: object, members: list[object] | tuple[object, ...]) -> bool:
    for member in members:  # noqa: SIM110 - the hot path of a lint: a generator would cost more than the comparison
        if value == member and same(value, member):
            return True
    return False


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(left: object, right: object) -> bool:
    """Equality that keeps True apart from 1, as configurations mean it."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


Compiled = Callable[[Env], object]

# Conditions that were evaluated so often are worth compiling to closures: with what they were made of, so that no id
# is given to another one, and how often until then.
_OFTEN = 6
_compiled: dict[int, tuple[object, Compiled]] = {}
_asked: dict[int, tuple[object, int]] = {}


def evaluate(code: object, env: Env) -> object:
    """Value of a compiled expression; Undetermined where undecided."""
    if type(code) is not list:
        return code
    known = _compiled.get(id(code))
    if known is not None:
        return known[1](env)
    _, times = _asked.get(id(code), (code, 0))
    if times < _OFTEN:
        _asked[id(code)] = (code, times + 1)
        return _interpret(code, env)
    made = closure(code)
    _compiled[id(code)] = (code, made)
    return made(env)


def _interpret(code: object, env: Env) -> object:
    if not isinstance(code, list):
        return code
    op = code[0]
    if op == "name":
        return env.name(code[1])
    if op == "list":
        return [_interpret(item, env) if isinstance(item, list) else item for item in code[1:]]
    if op == "and" or op == "or":
        return _connect(op, code, env)
    if op == "not":
        value = _interpret(code[1], env)
        return Undetermined(value.reasons, (True, False)) if isinstance(value, Undetermined) else not _truth(value)
    if op == "call":
        return env.call(code[1], [_interpret(arg, env) if isinstance(arg, list) else arg for arg in code[2:]])
    if op == "if":
        return _choose(code, env)
    left, right = code[1], code[2]
    if isinstance(left, list):
        left = _interpret(left, env)
    if isinstance(right, list):
        right = _interpret(right, env)
    return _binary(op, left, right)


def _choose(code: list[object], env: Env) -> object:
    test = _interpret(code[1], env)
    if not isinstance(test, Undetermined):
        return _interpret(code[2] if _truth(test) else code[3], env)
    sides = [_interpret(part, env) for part in code[2:4]]
    options = alternatives(sides)
    if len(options) == 1:
        return options[0]
    return Undetermined(merge([test, *(side for side in sides if isinstance(side, Undetermined))]).reasons, options)


def _truth(value: object) -> bool:
    return bool(value)


def _connect(op: str, code: list[object], env: Env) -> object:
    decisive = op == "or"
    undetermined: list[Undetermined] = []
    for at in range(1, len(code)):
        value = _interpret(code[at], env)
        if isinstance(value, Undetermined):
            if value.options and all(_truth(o) == decisive for o in value.options):
                return decisive
            if not value.options or any(_truth(o) == decisive for o in value.options):
                undetermined.append(value)
        elif _truth(value) == decisive:
            return decisive
    return merge(undetermined) if undetermined else not decisive


def _binary(op: str, left: object, right: object) -> object:
    if isinstance(left, Undetermined) or isinstance(right, Undetermined):
        return _binary_undetermined(op, left, right)
    if op == "+":
        return _add(left, right)
    return compare(op, left, right)


def _binary_undetermined(op: str, left: object, right: object) -> object:
    """Decided all the same when every value either side may take gives the same answer."""
    lefts = left.options if isinstance(left, Undetermined) else (left,)
    rights = right.options if isinstance(right, Undetermined) else (right,)
    undetermined = [side for side in (left, right) if isinstance(side, Undetermined)]
    if lefts and rights and op != "+":
        answers = {compare(op, a, b) for a in lefts for b in rights}
        if len(answers) == 1:
            return answers.pop()
    return merge(undetermined)


def _add(left: object, right: object) -> object:
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left + right
    return f"{left}{right}"


def closure(code: object) -> Compiled:
    """A function that gives what `_interpret` gives of the expression."""
    if not isinstance(code, list):
        return lambda env: code
    op = code[0]
    make = _MAKERS.get(str(op), _comparison)
    return make(code)


def _made_name(code: list[object]) -> Compiled:
    name = str(code[1])
    return lambda env: env.name(name)


def _made_list(code: list[object]) -> Compiled:
    parts = [closure(item) for item in code[1:]]
    return lambda env: [part(env) for part in parts]


def _made_not(code: list[object]) -> Compiled:
    inner = closure(code[1])

    def negated(env: Env) -> object:
        value = inner(env)
        return Undetermined(value.reasons, (True, False)) if isinstance(value, Undetermined) else not value

    return negated


def _made_call(code: list[object]) -> Compiled:
    function = str(code[1])
    if not any(isinstance(arg, list) for arg in code[2:]):
        constant = code[2:]
        return lambda env: env.call(function, [*constant])
    parts = [closure(arg) for arg in code[2:]]
    return lambda env: env.call(function, [part(env) for part in parts])


def _made_choice(code: list[object]) -> Compiled:
    test, then, otherwise = (closure(part) for part in code[1:4])

    def chosen(env: Env) -> object:
        value = test(env)
        if isinstance(value, Undetermined):
            return _choose(code, env)
        return then(env) if value else otherwise(env)

    return chosen


def _made_and(code: list[object]) -> Compiled:
    return _connected(code, False)


def _made_or(code: list[object]) -> Compiled:
    return _connected(code, True)


def _connected(code: list[object], decisive: bool) -> Compiled:
    parts = [closure(part) for part in code[1:]]

    def connected(env: Env) -> object:
        undetermined: list[Undetermined] | None = None
        for part in parts:
            value = part(env)
            if value is decisive:
                return decisive
            if isinstance(value, Undetermined):
                if value.options and all(bool(o) == decisive for o in value.options):
                    return decisive
                if not value.options or any(bool(o) == decisive for o in value.options):
                    undetermined = [*(undetermined or ()), value]
            elif bool(value) == decisive:
                return decisive
        return merge(undetermined) if undetermined else not decisive

    return connected


def _comparison(code: list[object]) -> Compiled:
    op, right = str(code[0]), code[2]
    left_of = closure(code[1])
    if isinstance(right, list):
        right_of = closure(right)
        return lambda env: _binary(op, left_of(env), right_of(env))
    if op in ("==", "!=") and (right is None or isinstance(right, (str, bool))):
        return _equality(left_of, right, op == "==")
    return lambda env: _binary(op, left_of(env), right)


def _equality(left_of: Compiled, right: object, equal: bool) -> Compiled:
    """Comparison with a text, a switch or nothing, which are equal to their like alone."""
    op = "==" if equal else "!="
    kind = type(right)

    def compared(env: Env) -> object:
        left = left_of(env)
        if isinstance(left, Undetermined):
            return _binary_undetermined(op, left, right)
        return (type(left) is kind and left == right) is equal

    return compared


_MAKERS: dict[str, Callable[[list[object]], Compiled]] = {
    "name": _made_name,
    "list": _made_list,
    "and": _made_and,
    "or": _made_or,
    "not": _made_not,
    "call": _made_call,
    "if": _made_choice,
}

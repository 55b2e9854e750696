"""The condition language of rules/: three-valued, so that what we cannot see is said, never guessed.

A condition is written as a Python-like expression (`from.engine == 'v0' and not set('logprobs_mode')`), compiled
once by `compile_expr` into nested lists (JSON), and evaluated here against an environment. `vocabulary` lists the names and
functions that a condition may use, by the place where it stands.


    constants  'text' 1 1.5 True False None [a, b]
    names      engine, from.engine, to.enable_prefix_caching, sampling.temperature: looked up by the environment
    operators  and or not == != < <= > >= in, not in, + (of numbers and text), a if b else c
    surely(x)  whether x is known, and true
    calls      set('option'), since('0.14.0'), ...: functions of the environment

The result is a value, or `Undetermined`: the reasons why it cannot be told, and the values it may have, where known.
`and` and `or` decide as soon as what is known decides (Kleene), so a reason is given only where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol, TypeGuard
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


def _among(value: object, members: object) -> bool:
    return any(same(value, member) for member in (members if isinstance(members, (list, tuple)) else (members,)))


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(left: object, right: object) -> bool:
    """Equality that keeps True apart from 1, as configurations mean it."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


# Of two numbers alone is one less or more.
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "==": same,
    "!=": lambda left, right: not same(left, right),
    "in": _among,
    "not in": lambda left, right: not _among(left, right),
    "<": lambda left, right: _number(left) and _number(right) and left < right,
    "<=": lambda left, right: _number(left) and _number(right) and left <= right,
    ">": lambda left, right: _number(left) and _number(right) and left > right,
    ">=": lambda left, right: _number(left) and _number(right) and left >= right,
}


Evaluator = Callable[[Env], object]


class Condition:
    """A compiled expression: `code` as nested lists, made into functions when it is first asked for."""

    __slots__ = ("_evaluator", "code")

    def __init__(self, code: object) -> None:
        self.code = code
        self._evaluator: Evaluator | None = None

    def evaluate(self, env: Env) -> object:
        """Its value against an environment; Undetermined where undecided."""
        evaluator = self._evaluator
        if evaluator is None:
            evaluator = self._evaluator = _evaluator(self.code)
        return evaluator(env)

    def parts(self, *kinds: str) -> Iterator[list[object]]:
        """The parts of these kinds (`name`, `call`, an operator), outer ones first."""
        return _parts(self.code, kinds)

    def __repr__(self) -> str:
        return f"Condition({self.code!r})"


def _parts(code: object, kinds: tuple[str, ...]) -> Iterator[list[object]]:
    if isinstance(code, list):
        if code[0] in kinds:
            yield code
        for part in code[1:]:
            yield from _parts(part, kinds)


def _evaluator(code: object) -> Evaluator:
    """A function that evaluates an expression."""
    if not isinstance(code, list):
        return lambda env: code
    return _EVALUATORS.get(str(code[0]), _comparison)(code)


def _name(code: list[object]) -> Evaluator:
    name = str(code[1])
    return lambda env: env.name(name)


def _call(code: list[object]) -> Evaluator:
    function = str(code[1])
    if not any(isinstance(argument, list) for argument in code[2:]):
        constants = code[2:]
        return lambda env: env.call(function, constants)
    arguments = [_evaluator(argument) for argument in code[2:]]
    return lambda env: env.call(function, [argument(env) for argument in arguments])


def _list(code: list[object]) -> Evaluator:
    items = [_evaluator(item) for item in code[1:]]
    return lambda env: [item(env) for item in items]


def _not(code: list[object]) -> Evaluator:
    inner = _evaluator(code[1])

    def negated(env: Env) -> object:
        value = inner(env)
        return Undetermined(value.reasons, (True, False)) if isinstance(value, Undetermined) else not value

    return negated


def _surely(code: list[object]) -> Evaluator:
    inner = _evaluator(code[1])

    def surely(env: Env) -> object:
        value = inner(env)
        return not isinstance(value, Undetermined) and bool(value)

    return surely


def _connected(code: list[object]) -> Evaluator:
    """`and`, `or`: decided by the first part that decides, else undetermined for what the others depend on."""
    decisive = code[0] == "or"
    parts = [_evaluator(part) for part in code[1:]]

    def connected(env: Env) -> object:
        undetermined: list[Undetermined] = []
        for part in parts:
            value = part(env)
            if value is decisive:
                return decisive
            if isinstance(value, Undetermined):
                truths = {bool(option) for option in value.options}
                if truths == {decisive}:
                    return decisive
                if not truths or decisive in truths:
                    undetermined.append(value)
            elif bool(value) == decisive:
                return decisive
        return merge(undetermined) if undetermined else not decisive

    return connected


def _choice(code: list[object]) -> Evaluator:
    """`a if b else c`: where b is not known, what a and c have in common."""
    test, then, otherwise = (_evaluator(part) for part in code[1:4])

    def chosen(env: Env) -> object:
        value = test(env)
        if not isinstance(value, Undetermined):
            return then(env) if value else otherwise(env)
        sides = [then(env), otherwise(env)]
        options = alternatives(sides)
        if len(options) == 1:
            return options[0]
        undetermined = [value, *(side for side in sides if isinstance(side, Undetermined))]
        return Undetermined(merge(undetermined).reasons, options)

    return chosen


def _sum(code: list[object]) -> Evaluator:
    left_of, right_of = _evaluator(code[1]), _evaluator(code[2])

    def added(env: Env) -> object:
        left, right = left_of(env), right_of(env)
        undetermined = [side for side in (left, right) if isinstance(side, Undetermined)]
        if undetermined:
            return merge(undetermined)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return left + right
        return f"{left}{right}"

    return added


def _comparison(code: list[object]) -> Evaluator:
    compare = _COMPARE[str(code[0])]
    left_of, right_of = _evaluator(code[1]), _evaluator(code[2])

    def compared(env: Env) -> object:
        left, right = left_of(env), right_of(env)
        if isinstance(left, Undetermined) or isinstance(right, Undetermined):
            return _compare_undetermined(compare, left, right)
        return compare(left, right)

    return compared


def _compare_undetermined(compare: Callable[[object, object], bool], left: object, right: object) -> object:
    """Decided all the same when every value either side may take gives the same answer."""
    lefts = left.options if isinstance(left, Undetermined) else (left,)
    rights = right.options if isinstance(right, Undetermined) else (right,)
    answers = {compare(a, b) for a in lefts for b in rights}
    if len(answers) == 1:
        return answers.pop()
    return merge([side for side in (left, right) if isinstance(side, Undetermined)])


_EVALUATORS: dict[str, Callable[[list[object]], Evaluator]] = {
    "name": _name,
    "call": _call,
    "list": _list,
    "and": _connected,
    "or": _connected,
    "not": _not,
    "surely": _surely,
    "if": _choice,
    "+": _sum,
}

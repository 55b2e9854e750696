"""The condition language of rules/: three-valued, so that what we cannot see is said, never guessed.

A condition is written as a Python-like expression (`from.engine == 'v0' and not set('logprobs_mode')`), compiled
once by `compile_expr` into nested lists (JSON), and evaluated here against an environment:

    constants  'text' 1 1.5 True False None [a, b]
    names      engine, from.engine, to.enable_prefix_caching, sampling.temperature: looked up by the environment
    operators  and or not == != < <= > >= in, not in, + (of numbers and text)
    calls      set('option'), known(x), ...: functions of the environment

The result is a value, or `Unsure`: the reasons why it cannot be told, and the values it may have, where known.
`and` and `or` decide as soon as what is known decides (Kleene), so a reason is given only where it matters.
"""

from __future__ import annotations

from vllm_migrate.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Unsure:
    """A value that the files do not decide.

    reasons: what it depends on, each a sentence part for `depends_on`. options: the values it may take, in the order
    of their likelihood; empty when they cannot be listed.
    """

    __slots__ = ("options", "reasons")

    def __init__(self, reasons: tuple[str, ...], options: tuple[object, ...] = ()) -> None:
        self.reasons = reasons
        self.options = options

    def __repr__(self) -> str:
        return f"Unsure({self.reasons!r}, {self.options!r})"

    def __bool__(self) -> bool:
        raise TypeError("an Unsure value has no truth; ask `is True`")


class Env(Protocol):
    """What an expression is evaluated against."""

    def name(self, dotted: str) -> object:
        """The value of a name; Unsure when the files do not tell. KeyError: no such name (a bug in a rule file)."""

    def call(self, function: str, args: list[object]) -> object:
        """A function of the environment."""


def merge(values: list[Unsure]) -> Unsure:
    """One Unsure with the reasons of all, each once."""
    reasons: list[str] = []
    for value in values:
        reasons.extend(r for r in value.reasons if r not in reasons)
    return Unsure(tuple(reasons), (True, False))


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


def evaluate(code: object, env: Env) -> object:
    """Value of a compiled expression; Unsure where undecided."""
    if not isinstance(code, list):
        return code
    op = code[0]
    if op == "name":
        return env.name(code[1])
    if op == "list":
        return [evaluate(item, env) if isinstance(item, list) else item for item in code[1:]]
    if op == "and" or op == "or":
        return _connect(op, code, env)
    if op == "not":
        value = evaluate(code[1], env)
        return Unsure(value.reasons, (True, False)) if isinstance(value, Unsure) else not _truth(value)
    if op == "call":
        return env.call(code[1], [evaluate(arg, env) if isinstance(arg, list) else arg for arg in code[2:]])
    if op == "if":
        return _choose(code, env)
    left, right = code[1], code[2]
    if isinstance(left, list):
        left = evaluate(left, env)
    if isinstance(right, list):
        right = evaluate(right, env)
    return _binary(op, left, right)


def _choose(code: list[object], env: Env) -> object:
    test = evaluate(code[1], env)
    if not isinstance(test, Unsure):
        return evaluate(code[2] if _truth(test) else code[3], env)
    sides = [evaluate(part, env) for part in code[2:4]]
    options: list[object] = []
    for side in sides:
        if isinstance(side, Unsure) and not side.options:
            return Unsure(merge([test, side]).reasons)
        for option in side.options if isinstance(side, Unsure) else (side,):
            options += [] if any(same(option, other) for other in options) else [option]
    if len(options) == 1:
        return options[0]
    return Unsure(merge([test, *(side for side in sides if isinstance(side, Unsure))]).reasons, tuple(options))


def _truth(value: object) -> bool:
    return bool(value)


def _connect(op: str, code: list[object], env: Env) -> object:
    decisive = op == "or"
    unsure: list[Unsure] = []
    for at in range(1, len(code)):
        value = evaluate(code[at], env)
        if isinstance(value, Unsure):
            if value.options and all(_truth(o) == decisive for o in value.options):
                return decisive
            if not value.options or any(_truth(o) == decisive for o in value.options):
                unsure.append(value)
        elif _truth(value) == decisive:
            return decisive
    return merge(unsure) if unsure else not decisive


def _binary(op: str, left: object, right: object) -> object:
    if isinstance(left, Unsure) or isinstance(right, Unsure):
        return _binary_unsure(op, left, right)
    if op == "+":
        return _add(left, right)
    return compare(op, left, right)


def _binary_unsure(op: str, left: object, right: object) -> object:
    """Decided all the same when every value either side may take gives the same answer."""
    lefts = left.options if isinstance(left, Unsure) else (left,)
    rights = right.options if isinstance(right, Unsure) else (right,)
    unsure = [side for side in (left, right) if isinstance(side, Unsure)]
    if lefts and rights and op != "+":
        answers = {compare(op, a, b) for a in lefts for b in rights}
        if len(answers) == 1:
            return answers.pop()
    return merge(unsure)


def _add(left: object, right: object) -> object:
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left + right
    return f"{left}{right}"

"""Which combinations of settings, and which values, a release refuses, asked of one engine: the release's own conditions, evaluated
on what is known.

A condition is source text of the release (`catalog.refusals`). It is read with `ast` and evaluated in three values: names are settings,
and whatever is none, or is not known, leaves it open. Only what is certain counts.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.model import Written
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.values import dotted_name
from vllm_migrate.knowledge.expr import Undetermined, same

if TYPE_CHECKING:
    from vllm_migrate.catalog.nested import Nested
    from vllm_migrate.catalog.refusals import Refusal, Site
    from vllm_migrate.catalog.store import Catalog
    from vllm_migrate.resolve.view import View

# Functions that every start runs: what they check does not hang on who calls them.
ALWAYS_RUN = re.compile(
    r"vllm\.(config|engine\.arg_utils|sampling_params)\b.*"
    r"(__post_init__|create_engine_config|create_model_config|create_speculative_config|validate_mm|_set_max_num_scheduled_tokens|_check_supports_watermarking"
    r"|_?(validate|verify)_\w+)\Z"
    r"|vllm\.v1\.engine\.(input_processor|processor).*(_validate_supported_sampling_params|_validate_sampling_params|_validate_params)\Z"
)
# Classes that not every start builds: only a multimodal model has the first.
_SOMETIMES = ("MultiModalConfig",)
# Objects that a running engine always has.
THERE = frozenset(
    ("model_config", "parallel_config", "cache_config", "scheduler_config", "compilation_config", "vllm_config")
)
DECLARED = "ValidationError"  # what a field of a configuration class raises for a value out of its bounds
REQUEST = "sampling."
METHOD = "speculative_config.method"
DEFAULTS = "override_generation_config"  # what requests to a server are sampled with where they say nothing else
OPEN = Undetermined(("what the source does not decide",), (True, False))
_OPS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


class Refused(NamedTuple):
    """One combination that a release refuses, or one value out of its bounds. settings: with their values; written: the one of
    them to point at."""

    id: str
    text: str
    settings: dict[str, object]
    written: Written
    per_request: bool
    alone: bool  # whether it is about one setting


def refused(view: View) -> list[Refused]:
    """The combinations and values of an engine's settings that its release certainly refuses."""
    from vllm_migrate.catalog import nested

    known, out = nested.load(view.catalog), list[Refused]()
    touched = {name for name, arrived in view.delivery.values.items() if arrived.written is not None}
    touched |= {name for name, fact in view.engine.facts.items() if fact.written is not None}
    touched |= {f"{REQUEST}{name}" for name in defaults_of(view)}
    asked: dict[str, tuple[Refusal, list[Site]]] = {}
    for name in touched:
        asked.update({refusal.id: (refusal, sites) for refusal, sites in _by_setting(view).get(name, ())})
    for _, (refusal, sites) in sorted(asked.items()):
        found = next((f for site in sites if (f := _at(view, known, refusal, site)) is not None), None)
        out += [found] if found is not None else []
    return out


def defaults_of(view: View) -> dict[str, object]:
    """The sampling parameters that an engine's own options give to each request."""
    arrived = view.delivery.values.get(DEFAULTS)
    value = view.value(DEFAULTS).value if arrived is not None and arrived.written is not None else None
    return {str(name): item for name, item in value.items()} if isinstance(value, dict) else {}


_indexed: dict[tuple[Catalog, str], dict[str, list[tuple[Refusal, list[Site]]]]] = {}


def _by_setting(view: View) -> dict[str, list[tuple[Refusal, list[Site]]]]:
    """The refusals of a release, with the places that every start passes, by the options and sampling parameters that they
    read."""
    key = (view.catalog, view.release)
    if key not in _indexed:
        from vllm_migrate.catalog import refusals

        index: dict[str, list[tuple[Refusal, list[Site]]]] = {}
        _indexed[key] = index
        sheet = refusals.load(view.catalog)
        for refusal in (*sheet.at(view.release), *sheet.bounds(view.release)):
            sites = [site for site in refusal.sites if runs_always(site)] if refusal.text else []
            for name in refusal.settings if sites else ():
                head = name if name.startswith(REQUEST) else name.partition(".")[0]
                index.setdefault(head, []).append((refusal, sites))
    return _indexed[key]


def runs_always(site: Site) -> bool:
    """Whether a statement stands in a function that every start, or every request, runs; a declared bound is checked whenever its
    class is built."""
    if site.what == DECLARED:
        return site.at.rpartition(":")[2].partition(".")[0] not in _SOMETIMES
    return ALWAYS_RUN.match(site.at.replace(":", ".")) is not None


def _at(view: View, known: Nested, refusal: Refusal, site: Site) -> Refused | None:
    written = _written(view, site.settings)
    if written is None:
        return None
    reader = _Reader(view, known, site.settings, as_written=site.what == DECLARED)
    if "async_scheduling" in site.settings and site.at.endswith(":VllmConfig.__post_init__"):
        # What is unset is decided there, and is off where it would be refused.
        arrived = view.delivery.values.get("async_scheduling")
        if arrived is None or arrived.written is None:
            return None
    if any(reader.absent(name) for name in site.settings):
        return None
    if "LoRAConfig" in site.at and reader.option("enable_lora") is not True:
        return None
    condition = _parsed(site.when)
    if condition is None or reader.value(condition) is not True:
        return None
    values = {name: reader.setting(name) for name in site.settings}
    # A declared bound begins with its field, which is named already.
    said = refusal.text.partition(": ")[2] if site.what == DECLARED else refusal.text
    text = re.sub(r"\{[^{}]*\}", "...", said)
    text = re.sub(r": (?=\.(?: |$))", ": ..", text)  # a list that the release joins when it raises
    per_request = any(name.startswith(REQUEST) for name in site.settings)
    return Refused(refusal.id, " ".join(text.split()), values, written, per_request, len(values) == 1)


def _written(view: View, settings: tuple[str, ...]) -> Written | None:
    """The setting of a combination that the user wrote: that of the request, if there is one, else the last of them."""
    found: list[Written] = []
    by_default: list[Written] = []
    for name in settings:
        if name.startswith((REQUEST, "env.")):
            fact = view.engine.facts.get(name)
            found += [fact.written] if fact is not None and fact.written is not None else []
            arrived = view.delivery.values.get(DEFAULTS) if name.removeprefix(REQUEST) in defaults_of(view) else None
            by_default += [arrived.written] if arrived is not None and arrived.written is not None else []
            continue
        arrived = view.delivery.values.get(name.partition(".")[0])
        found += [arrived.written] if arrived is not None and arrived.written is not None else []
    of_request = [written for written in found if written.option.startswith(REQUEST)] or by_default
    return next(reversed(of_request or found), None)


@lru_cache(4096)
def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None


class _Reader:
    """Evaluates a condition of one statement. Values are Undetermined where anything is open.

    as_written: it is asked of values as they are passed. Elsewhere -1 may have been replaced by then (max_model_len, by what fits).
    """

    def __init__(self, view: View, known: Nested, settings: tuple[str, ...], as_written: bool = False) -> None:
        self.as_written = as_written
        self.view = view
        self.known = known
        self.leaves: dict[str, list[str]] = {}
        for name in settings:
            self.leaves.setdefault(name.rpartition(".")[2], []).append(name)

    def absent(self, name: str) -> bool:
        """Whether a setting belongs to an object that the engine does not have: its checks are not run."""
        head, dot, _ = name.partition(".")
        if not dot or head in ("sampling", "env", "compilation_config"):
            return False
        return not isinstance(self.option(head), dict)

    def setting(self, name: str) -> object:
        """What a setting is when the configuration is built; Undetermined where it is not known."""
        head, dot, key = name.partition(".")
        if head == "sampling":
            return self._sampling(name, key)
        if name == "env.VLLM_USE_V1":
            engine = self.view.name("engine")
            return engine if isinstance(engine, Undetermined) else engine == "v1"
        if head == "env":
            return OPEN
        if not dot:
            return self.option(name)
        value = self.option(head)
        if isinstance(value, Undetermined):
            return value
        if name == METHOD and isinstance(value, dict) and str(value.get(key)).endswith(("None", "_mtp")):
            return OPEN  # found from the draft model, or respelled as mtp, before anything is checked
        if isinstance(value, dict) and key in value:
            return _plain(value[key])
        facts = self.known.fields(head, self.view.release).get(key)
        if facts is None or not facts.decided or facts.required:
            return OPEN
        # A None that the declared type does not have is filled in before the checks (`target_model_config`).
        filled = facts.default is None and facts.type and "None" not in facts.type
        return OPEN if filled else facts.default

    def option(self, name: str) -> object:
        value = self.view.value(name)
        if value.origin == "unknown" or value.value == "auto" or (value.value == -1 and not self.as_written):
            return OPEN
        return _plain(value.value)

    def _sampling(self, name: str, key: str) -> object:
        fact = self.view.engine.facts.get(name)
        if fact is not None and fact.written is not None:
            return _plain(fact.value)
        if key in (given := defaults_of(self.view)):
            return _plain(given[key])
        facts = self.view.catalog.get("sampling", key, self.view.release)
        return facts.default if facts is not None and facts.decided else OPEN

    def value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant():
                return node.value
            case ast.NamedExpr():
                return self.value(node.value)
            case ast.BoolOp():
                return self._connected(node)
            case ast.UnaryOp(op=ast.Not()):
                value = self.value(node.operand)
                return value if isinstance(value, Undetermined) else not value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.Compare():
                return self._compared(node)
            case ast.List() | ast.Tuple() | ast.Set():
                items = [self.value(item) for item in node.elts]
                return OPEN if any(isinstance(item, Undetermined) for item in items) else items
            case ast.BinOp(op=ast.Mult() | ast.Add() | ast.Sub() | ast.Mod() | ast.FloorDiv()):
                return self._arithmetic(node)
            case ast.Call(
                func=ast.Name(id="isinstance"), args=[_, ast.Name(id="PoolingParams" | "SamplingParams" as kind)]
            ):
                asked_of_requests = any(name.startswith(REQUEST) for names in self.leaves.values() for name in names)
                return kind == "SamplingParams" if asked_of_requests else OPEN
            case ast.Name():
                return 1e-5 if node.id == "_SAMPLING_EPS" else self._named("", node.id)
            case ast.Attribute(value=owner):
                return self._named(dotted_name(owner).rpartition(".")[2], node.attr)
        return OPEN

    def _named(self, owner: str, leaf: str) -> object:
        if leaf == "is_submodel_config":  # of a part of a model that another engine serves
            return False
        if leaf == "use_v2_model_runner":
            runner = self.view.value("model_runner").value
            return OPEN if isinstance(runner, Undetermined) else runner == "v2"
        if self.known.class_of(owner, self.view.release) is not None:
            return self.setting(f"{owner}.{leaf}")  # of the mapping, also where an option has the same name
        owners = self.leaves.get(leaf, ())
        if len(owners) == 1:
            return self.setting(owners[0])
        held = any(name.startswith(f"{leaf}.") for names in self.leaves.values() for name in names)
        return True if leaf in THERE or held else OPEN  # an object that a setting is part of is there

    def _connected(self, node: ast.BoolOp) -> object:
        decisive = isinstance(node.op, ast.Or)
        undetermined = False
        for part in node.values:
            value = self.value(part)
            if isinstance(value, Undetermined):
                undetermined = True
            elif bool(value) == decisive:
                return decisive
        return OPEN if undetermined else not decisive

    def _compared(self, node: ast.Compare) -> object:
        left = self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            answer = _compare(op, left, right)
            if answer is not True:
                return answer
            left = right
        return True

    def _arithmetic(self, node: ast.BinOp) -> object:
        left, right = self.value(node.left), self.value(node.right)
        if not (_number(left) and _number(right)):
            return OPEN
        assert isinstance(left, (int, float)) and isinstance(right, (int, float))
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Mod | ast.FloorDiv):
            if not right:
                return OPEN
            return left % right if isinstance(node.op, ast.Mod) else left // right
        return left + right if isinstance(node.op, ast.Add) else left - right


def _compare(op: ast.cmpop, left: object, right: object) -> object:
    if isinstance(left, Undetermined) or isinstance(right, Undetermined):
        return OPEN
    match op:
        case ast.Is() | ast.Eq():
            return same(left, right)
        case ast.IsNot() | ast.NotEq():
            return not same(left, right)
        case ast.In() | ast.NotIn():
            if not isinstance(right, list):
                return OPEN
            return any(same(left, item) for item in right) is isinstance(op, ast.In)
    if not (_number(left) and _number(right)):
        return OPEN
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[_OPS[type(op)]]


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain(value: object) -> object:
    return OPEN if isinstance(value, (Undetermined, Unknown)) else value

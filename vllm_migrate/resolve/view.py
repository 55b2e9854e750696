"""What one engine runs with at one release, and why: the user's value as it arrives, else the framework's, else vLLM's
own default as that release resolves it.

A `View` is also the environment in which the conditions of rules are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from vllm_migrate.catalog import changes
from vllm_migrate.catalog.store import Catalog, OptionFacts
from vllm_migrate.dialects.composition import unseen
from vllm_migrate.dialects.deliver import Delivery, Diagnostic, deliver, entrypoint
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine, Subject, Written
from vllm_migrate.dialects.specifiers import fits
from vllm_migrate.knowledge.cases import Choice, choose
from vllm_migrate.knowledge.expr import Undetermined, alternatives, merge
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.records import EffectiveEntry


class Value(NamedTuple):
    """An effective value. origin: written, framework, resolved (late default), default (declared), unknown."""

    value: object
    origin: str
    because: str
    written: Written | None = None


class View:
    """One engine at one release."""

    def __init__(
        self,
        engine: Subject,
        release: str,
        catalog: Catalog,
        knowledge: Knowledge,
        is_source: bool = False,
    ) -> None:
        self.engine = engine
        self.situation = engine.situation
        self.release = release
        self.catalog = catalog
        self.knowledge = knowledge
        self.is_source = is_source
        self.delivery = deliver(engine, catalog, release) if isinstance(engine, Engine) else Delivery({}, [], {})
        self._diagnostics: dict[int, list[Diagnostic]] | None = None
        self._values: dict[str, Value] = {}
        self._open: set[str] = set()

    def diagnostics_of(self, written: Written) -> list[Diagnostic]:
        """Those of one setting."""
        if self._diagnostics is None:
            self._diagnostics = {}
            for diagnostic in self.delivery.diagnostics:
                self._diagnostics.setdefault(id(diagnostic.written), []).append(diagnostic)
        return self._diagnostics.get(id(written), [])

    def cores(self) -> tuple[str, ...]:
        """The engine cores that may have run, where the files leave it open; empty where they decide."""
        core = self.value("engine").value
        return tuple(map(str, core.options)) if isinstance(core, Undetermined) else ()

    def at_core(self, core: str) -> View:
        """The same engine, had it run this core."""
        view = View(self.engine, self.release, self.catalog, self.knowledge, self.is_source)
        view._values["engine"] = Value(core, "resolved", f"had it run {core.upper()}")
        return view

    def without(self, option: str, written: Written) -> View:
        """The same engine at the same release, had `written` never been written for `option`."""
        engine = self.engine
        assert isinstance(engine, Engine)
        facts = {name: fact for name, fact in engine.facts.items() if name != option}
        left = [other for other in engine.options if other is not written]
        bare = Engine(engine.id, engine.origin, facts, engine.container, left, engine.dead, engine.remarks)
        return View(bare, self.release, self.catalog, self.knowledge, self.is_source)

    def value(self, option: str) -> Value:
        """The effective value of an option, a sampling parameter or a fact."""
        known = self._values.get(option)
        if known is None:
            if option in self._open:
                raise RecursionError(f"rules/effective: {option} depends on itself")
            self._open.add(option)
            known = self._values[option] = self._resolve(option)
            self._open.discard(option)
        return known

    def _resolve(self, option: str) -> Value:
        if option == "engine":
            return self._core()
        entry = self.knowledge.effective.get(option)
        if entry is not None and entry.forced:
            choice = choose(entry.forced, self)
            if isinstance(choice.value, Undetermined):
                return _either(choice.value, self._unforced(option, entry))
            if choice.found:
                return Value(choice.value, "resolved", choice.because)
        return self._unforced(option, entry)

    def _unforced(self, option: str, entry: EffectiveEntry | None) -> Value:
        """What the option is where nothing overrules what is written."""
        given = self._given(option)
        if given is not None:
            return given
        if entry is not None and entry.cases and not self._redeclared(option):
            choice = choose(entry.cases, self)
            if choice.found:
                return _chosen(choice, "resolved")
        return self._declared(option)

    def _redeclared(self, option: str) -> bool:
        """Whether a release that the user added declares another default than the shipped one before it: what resolves it
        is not known."""
        catalog = self.catalog
        if not catalog.is_added(self.release):
            return False
        section, _, name = option.rpartition(".")
        facts = self.catalog.get(section or "engine", name, self.release) if section in ("", "sampling") else None
        if facts is None or not decides(facts):
            return False
        before = [r for r in catalog.releases[: catalog.ordinal(self.release)] if not catalog.is_added(r)]
        last = catalog.get(section or "engine", name, before[-1]) if before else None
        return last is not None and not changes.same(last.default, facts.default)

    def _given(self, option: str) -> Value | None:
        """What the user or the framework sets."""
        head, dot, key = option.partition(".")
        if dot and head.endswith("_config"):
            return self._part(head, key)
        if dot:
            given = self.engine.facts.get(option)
            if given is None or (given.value is None and option.startswith("sampling.")):
                return self._maybe_inherited(option)
            return Value(given.value, "written" if given.written else "framework", given.because, given.written)
        arrived = self.delivery.values.get(option)
        if arrived is None:
            return None
        if arrived.value in (None, "auto") and option in self.knowledge.effective:
            return None  # an explicit None or auto asks for the default
        return Value(arrived.value, "written" if arrived.written else "framework", arrived.because, arrived.written)

    def _part(self, option: str, key: str) -> Value | None:
        """One key of a configuration object that is written as a mapping (`compilation_config.mode`)."""
        arrived = self.delivery.values.get(option)
        if arrived is None or not isinstance(arrived.value, (dict, Undetermined)):
            return None
        value = arrived.value if isinstance(arrived.value, Undetermined) else arrived.value.get(key)
        if value is None:
            return None
        return Value(value, "written" if arrived.written else "framework", arrived.because, arrived.written)

    def _maybe_inherited(self, option: str) -> Value | None:
        """A sampling parameter or variable that nobody sets here, while a parent or a file of variables is missing: not known."""
        origin = self.engine.origin
        if option.startswith("env."):
            # A variable that asks for V0 is shown, or the source ran V1.
            if not origin.variables_open or not origin.unread_variables or option == "env.VLLM_USE_V1":
                return None
            reason = f"whether {' or '.join(origin.unread_variables)} sets {option.removeprefix('env.')}"
            return Value(Undetermined((reason,)), "unknown", reason)
        if not self.engine.missing or not option.startswith("sampling.") or option == "sampling.via":
            return None
        reason = f"whether {unseen(self.engine.missing)} sets {option.removeprefix('sampling.')}"
        return Value(Undetermined((reason,)), "unknown", reason)

    def _declared(self, option: str) -> Value:
        if "." in option:
            return Value(None, "default", "")
        flag = "--" + option.replace("_", "-")
        entries = (("engine", option), ("cli", flag), ("frontend", flag))
        found = (self.catalog.get(section, name, self.release) for section, name in entries)
        facts = next((each for each in found if each is not None), None)
        if facts is None:
            return Value(None, "default", no_option(option, self.release))
        default = facts.default
        if isinstance(default, dict) and set(default) == {"expr"}:
            return Value(Undetermined((f"what vLLM {self.release} makes of {option} at run time",)), "unknown", "")
        return Value(default, "default", f"vLLM {self.release}'s default")

    def _core(self) -> Value:
        """Which engine core runs: V0 or V1. From 0.11.0 on there is V1 alone."""
        entry = self.knowledge.effective["engine"]
        choice = choose(entry.fixed, self)
        if choice.found:
            return _chosen(choice, "resolved")
        stated = self.situation.core
        if self.is_source and stated is not None:
            return Value(stated.value, "written", stated.because)
        engine = self.engine
        choice = choose(engine.dialect.engine_core, DialectEnv(engine.origin, engine.facts, self.release))
        if choice.found:
            fact = engine.facts.get("config.core")
            return _chosen(choice, "resolved")._replace(written=fact.written if fact else None)
        return _chosen(choose(entry.cases, self), "resolved")

    # -- the environment of conditions; knowledge/vocabulary.py says what each name and function means

    def name(self, dotted: str) -> object:
        known = self._values.get(dotted)
        if known is not None:
            return known.value
        word = NAMES.get(dotted)
        if word is not None:
            return word(self)
        head, _, rest = dotted.partition(".")
        if head == "gpu":
            return self._gpu(rest)
        return self._model(rest) if head == "model" else self.value(dotted).value

    def call(self, function: str, args: list[object]) -> object:
        return FUNCTIONS[function](self, *args)

    def _before_v1(self) -> bool:
        pinned = self.situation.pinned if self.is_source else ""
        return bool(pinned) and fits(pinned, "<0.8.0")

    def _is_set(self, option: str) -> bool:
        return self._given(option) is not None

    def _explicit(self, option: str) -> object:
        given = self._given(option)
        return None if given is None else given.value

    def _is_written(self, option: str) -> bool:
        given = self._given(option)
        return given is not None and given.written is not None

    def _since(self, release: str) -> bool:
        return self.catalog.ordinal(self.release) >= self.catalog.ordinal(release)

    def _exists(self, option: str) -> bool:
        return option in self.catalog.names("engine", self.release)

    def _key(self, option: str, key: str) -> object:
        """A key of an option that is a mapping (hf_overrides, compilation_config), `outer.inner` of one below it; None when absent."""
        value = self.value(option).value
        if isinstance(value, Undetermined):
            return value
        if isinstance(value, str) and value.startswith("{"):
            import json

            try:
                value = json.loads(value)
            except ValueError:
                return None
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def _generation(self, name: str) -> object:
        """A sampling default of override_generation_config, else of the model's generation_config.json; None: neither has it."""
        override = self._key("override_generation_config", name)
        if override is not None:
            return override
        source = self.value("generation_config").value
        if source == "vllm":
            return None
        if source != "auto":
            return Undetermined(
                (f"the generation_config.json in {source}" if isinstance(source, str) else "generation_config",)
            )
        if self.situation.generation is not None:
            return self.situation.generation.get(name)
        return Undetermined(("the model's generation_config.json, which may set sampling parameters",))

    def _model(self, name: str) -> object:
        if self.situation.model is not None:
            return _in_model(self.situation.model, name)
        return Undetermined((f"the model's config.json ({name})",))

    def _gpu(self, name: str) -> object:
        stated = self.situation.gpu
        gpu = self.knowledge.gpus.get(stated.value.lower()) if stated is not None else None
        if gpu is not None:
            found: object = getattr(gpu, name)
            return found
        return Undetermined((f"the GPU ({name})",))


def decides(facts: OptionFacts) -> bool:
    """Whether a declared default is a value: nothing, an empty collection and `auto` ask for a later decision."""
    return facts.decided and not facts.required and facts.default not in (None, "auto", "", [], {})


def no_option(option: str, release: str) -> str:
    """Why an option that a release lacks has no value."""
    return f"{option} is no option of {release}"


def _in_model(config: Mapping[str, object], name: str) -> object:
    """A value of a model's config.json, of its text part where there are several; newer files say dtype for torch_dtype."""
    text = config.get("text_config")
    for part in (config, text):
        for key in (name, "dtype") if name == "torch_dtype" else (name,):
            value: object = part
            for step in key.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return value
    return None


def _product(numbers: list[float]) -> float:
    product = numbers[0] * numbers[1]
    return int(product) if float(product).is_integer() else product


def arithmetic(function: Callable[[list[float]], float], *args: object) -> object:
    """The least, the most or the product of numbers; Undetermined with all it may be where one of them is."""
    undetermined = [arg for arg in args if isinstance(arg, Undetermined)]
    ways: list[list[object]] = [[]]
    for arg in args:
        ways = [[*way, one] for way in ways for one in (arg.options if isinstance(arg, Undetermined) else (arg,))]
    results: list[object] = []
    for way in ways:
        numbers = [n for n in way if isinstance(n, (int, float))]
        result = function(numbers) if len(numbers) == len(way) else None
        results += [result] if result not in results else []
    if not undetermined:
        return results[0]
    return results[0] if len(results) == 1 else Undetermined(merge(undetermined).reasons, tuple(results))


def rounds(value: object, dtype: object) -> object:
    """Whether storing a number in bfloat16 or float16 changes its float32 value; Undetermined where either is not known."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Undetermined)):
        return False
    return _each(lambda number, kind: rounded(number, kind) != rounded(number, "float32"), value, dtype)


def rounded(value: object, dtype: object) -> object:
    """A number as a tensor of this dtype holds it; what is no number stays as it is."""
    if isinstance(value, Undetermined) or isinstance(dtype, Undetermined):
        return _each(rounded, value, dtype)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    import struct

    half = dtype in ("float16", "half")
    try:
        single = struct.pack(">e" if half else ">f", value)
    except OverflowError:
        return value
    if half:
        return struct.unpack(">e", single)[0]
    if dtype == "bfloat16":
        bits = int.from_bytes(single, "big")
        bits += 0x7FFF + (bits >> 16 & 1)  # to the nearest, ties to even
        single = (bits >> 16 << 16 & 0xFFFFFFFF).to_bytes(4, "big")
    return struct.unpack(">f", single)[0]


def _each(function: Callable[[object, object], object], left: object, right: object) -> object:
    """A function of two values; where one is not known, what all that it may be have in common."""
    lefts = left.options if isinstance(left, Undetermined) else (left,)
    rights = right.options if isinstance(right, Undetermined) else (right,)
    results = alternatives(function(a, b) for a in lefts for b in rights)
    if len(results) == 1:
        return results[0]
    return Undetermined(merge([side for side in (left, right) if isinstance(side, Undetermined)]).reasons, results)


def _either(forced: Undetermined, other: Value) -> Value:
    """A value that may be overruled: the other one where both are the same, else what either may be."""
    undetermined = other.value if isinstance(other.value, Undetermined) else None
    options = alternatives([forced, other.value])
    if len(options) == 1 and undetermined is None:
        return other
    reasons = merge([forced] if undetermined is None else [forced, undetermined]).reasons
    return Value(Undetermined(reasons, options), "unknown", "; ".join(reasons))


def _chosen(choice: Choice, origin: str) -> Value:
    if isinstance(choice.value, Undetermined):
        return Value(choice.value, "unknown", "; ".join(choice.value.reasons))
    return Value(choice.value, origin, choice.because)


NAMES: dict[str, Callable[[View], object]] = {
    "role": lambda view: view.engine.role,
    "dialect": lambda view: view.engine.name,
    "entrypoint": lambda view: entrypoint(view.engine.origin, view.catalog, view.release),
    "executor": lambda view: view.value("distributed_executor_backend").value,
    "release": lambda view: view.release,
    "before_v1": View._before_v1,
}
FUNCTIONS: dict[str, Callable[..., object]] = {
    # What decides how much a finding matters, not whether it is true: unknown counts as yes.
    "maybe": lambda view, value: True if isinstance(value, Undetermined) else value,
    "known": lambda view, value: not isinstance(value, Undetermined),
    "set": View._is_set,
    "explicit": View._explicit,
    "written": View._is_written,
    "since": View._since,
    "exists": View._exists,
    "key": View._key,
    "generation_default": View._generation,
    "least": lambda view, *numbers: arithmetic(min, *numbers),
    "most": lambda view, *numbers: arithmetic(max, *numbers),
    "times": lambda view, *numbers: arithmetic(_product, *numbers),
    "rounds": lambda view, value, dtype: rounds(value, dtype),
    "rounded": lambda view, value, dtype: rounded(value, dtype),
}

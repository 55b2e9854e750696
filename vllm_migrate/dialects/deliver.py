"""From what is written to what arrives: the transport of a dialect, simulated for one release of vLLM.

A dialect lists candidate transports with conditions (the framework's era, the release). Where the era is unknown, all
that may apply are simulated and only what they agree on is claimed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, assert_never

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects import argv
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.flags import destinations
from vllm_migrate.dialects.inner import ARRIVES, Inner, keys_of, verdict
from vllm_migrate.dialects.model import Engine, Fact, Origin, Written, determined
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.records import Transport, ValueKind

ABSENT = object()


class Arrived(NamedTuple):
    """A value an engine option got: from a written setting, or from the framework (`written` None, `because` says how)."""

    option: str
    value: object
    written: Written | None
    because: str


class Diagnostic(NamedTuple):
    """A written setting that does not arrive as written.

    kind: dropped (false, and never leaves the framework), dead (declared, but nobody reads it), overridden (the framework's
    own value wins), duplicate (passed twice: a crash), ignored (a false
    behind a flag that is on all the same); from the release's parser or constructor: unknown (no such option),
    ambiguous, choice (value not accepted), value (malformed), missing. Of a key inside a mapping: unknown (refused), lost (dropped
    without a word), choice. certain: under every candidate transport.
    """

    kind: str
    written: Written
    text: str
    option: str
    candidates: tuple[str, ...] = ()
    certain: bool = True


class Delivery(NamedTuple):
    """All that reaches one engine at one release. values by option; `named`: what each written setting names there.

    depends: what decides which of several transports carries the settings; empty when it is known.
    """

    values: dict[str, Arrived]
    diagnostics: list[Diagnostic]
    named: dict[int, str]
    depends: tuple[str, ...] = ()


class ReleaseEnv(DialectEnv):
    """A dialect's conditions that also depend on vLLM's release: vllm('0.10.2') is true from that release on."""

    def __init__(self, origin: Origin, facts: Mapping[str, Fact], catalog: Catalog, release: str) -> None:
        super().__init__(origin, facts, release)
        self.catalog = catalog

    def name(self, dotted: str) -> object:
        return entrypoint(self.origin, self.catalog, self.release) if dotted == "entrypoint" else super().name(dotted)

    def vllm(self, since: str) -> object:
        return self.catalog.ordinal(self.release) >= self.catalog.ordinal(since)

    FUNCTIONS = {**DialectEnv.FUNCTIONS, "vllm": vllm}


def deliver(engine: Engine, catalog: Catalog, release: str) -> Delivery:
    """What `engine`'s written settings become at `release`."""
    env = ReleaseEnv(engine.origin, engine.facts, catalog, release)
    undecided: list[str] = []
    results: list[Delivery] = []
    # Those that may carry this engine's settings: the first certain one, and the undetermined ones before it.
    for transport in engine.dialect.transport:
        test = transport.when.evaluate(env)
        if isinstance(test, Undetermined):
            undecided.extend(test.reasons)
        elif not test:
            continue
        results.append(_delivered(engine, transport, env))
        if test is True:
            break
    if not results:
        results.append(_delivered(engine, Transport("kwargs"), env))
    return results[0] if len(results) == 1 else _agree(results)._replace(depends=tuple(dict.fromkeys(undecided)))


def _delivered(engine: Engine, transport: Transport, env: ReleaseEnv) -> Delivery:
    delivery = _carrier(engine, transport, env).delivery()
    inner = keys_of(engine)
    if inner:
        delivery.diagnostics.extend(_inside(inner, delivery, _ways_in(engine, transport, env), env))
    return delivery


def _ways_in(engine: Engine, transport: Transport, env: ReleaseEnv) -> tuple[str, ...]:
    """The ways by which a mapping may come in: see `catalog.nested.ENTRIES`."""
    if transport.kind == "cli":
        return ("parser",)
    if transport.frontend:
        return ("engine",)
    at = entrypoint(engine.origin, env.catalog, env.release)
    return ("llm",) if at == "llm" else ("engine",) if at in ("async_llm", "engine") else ("llm", "engine")


def _inside(
    keys: tuple[Inner, ...], delivery: Delivery, ways: tuple[str, ...], env: ReleaseEnv
) -> Iterator[Diagnostic]:
    """What becomes of the keys inside mappings that arrive, where all ways in make the same of them."""
    from vllm_migrate.catalog import nested

    known = nested.load(env.catalog)
    for inner in keys:
        option = delivery.named.get(inner.outer.number, "")
        arrived = delivery.values.get(option)
        if arrived is None or arrived.written is None:
            continue
        value = value_at(arrived.value, inner.path)
        if value is ABSENT:
            continue
        verdicts = {verdict(known, option, inner.path, value, way, env.release) for way in ways}
        found = verdicts.pop() if len(verdicts) == 1 else ARRIVES
        if found.kind:
            yield Diagnostic(found.kind, inner.written, found.text, f"{option}.{'.'.join(inner.path)}")


def value_at(value: object, path: tuple[str, ...]) -> object:
    """What a mapping has at a path; ABSENT where it has nothing there."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def _carrier(engine: Engine, transport: Transport, env: ReleaseEnv) -> _Carrier:
    """How a transport carries settings."""
    match transport.kind:
        case "cli":
            return _Arguments(engine, transport, env)
        case "kwargs":
            return _Keywords(engine, transport, env)
        case kind:
            assert_never(kind)


class _Carrier(ABC):
    """One transport of one engine at one release, for one delivery."""

    def __init__(self, engine: Engine, transport: Transport, env: ReleaseEnv) -> None:
        self.engine = engine
        self.transport = transport
        self.env = env
        self.catalog = env.catalog
        self.release = env.release
        self.read = [written for written in engine.options if written.when.evaluate(env) is not False]
        self.diagnostics: list[Diagnostic] = []
        self.named: dict[int, str] = {}

    def delivery(self) -> Delivery:
        """What arrives, with the framework's own values over it."""
        values = self._arriving()
        self._overrule(values)
        return Delivery(values, self.diagnostics, self.named)

    @abstractmethod
    def _arriving(self) -> dict[str, Arrived]:
        """What arrives before the framework overrules it."""

    def _diagnose(self, kind: str, written: Written, text: str, option: str, candidates: tuple[str, ...] = ()) -> None:
        self.diagnostics.append(Diagnostic(kind, written, text, option, candidates))

    def _passed(self, hard: bool = False) -> dict[str, Arrived]:
        """What the framework passes by itself; with `hard`, what it passes whatever the user writes.

        A value it computes at run time is Undetermined, and not vLLM's default. The first entry of an option that certainly
        holds ends the list of those that may; where they differ, the value is Undetermined between them.
        """
        found: dict[str, list[Arrived]] = {}
        reasons: dict[str, list[str]] = {}
        closed: set[str] = set()
        for entry in self.engine.dialect.passes:
            option = entry.option
            if option in closed or entry.hard != hard:
                continue
            test = entry.when.evaluate(self.env)
            if test is False:
                continue
            because = entry.because or f"{self.engine.name} passes it"
            value = Undetermined((because,)) if entry.value is None else entry.value
            found.setdefault(option, []).append(Arrived(option, value, None, because))
            if isinstance(test, Undetermined):
                reasons.setdefault(option, []).extend(r for r in test.reasons if r not in reasons.get(option, ()))
            else:
                closed.add(option)
        return {option: _among(arrived, reasons.get(option, []), option in closed) for option, arrived in found.items()}

    def _overrule(self, values: dict[str, Arrived]) -> None:
        """The framework's own values over the user's, and settings that it never reads."""
        engine = self.engine
        for option, forced in self._passed(hard=True).items():
            known = values.get(option)
            if isinstance(forced.value, Undetermined):
                values[option] = self._perhaps(option, forced.value, forced, known)
                continue
            values[option] = forced
            if known is not None and known.written is not None and not _equal(known.value, forced.value):
                self._diagnose("overridden", known.written, forced.because, option)
        for written, why in engine.dead:
            self._diagnose("dead", written, why, written.option)
        for written in engine.options:
            if written.when.evaluate(self.env) is False:
                why = written.unread_because or f"this release of {engine.dialect.title} has no {written.key}"
                self._diagnose("dead", written, why, written.option or written.key.replace("-", "_"))

    def _perhaps(self, option: str, may_be: Undetermined, forced: Arrived, known: Arrived | None) -> Arrived:
        """What an option is when it depends on the framework's release whether its own value wins."""
        if known is None:
            return forced
        own = [entry.value for entry in self.engine.dialect.passes if entry.option == option and entry.hard]
        if isinstance(known.value, Undetermined):
            return forced._replace(value=Undetermined(may_be.reasons))
        if all(_equal(value, known.value) for value in own):
            return known
        return forced._replace(value=Undetermined(may_be.reasons, (*own, known.value)))


class _Keywords(_Carrier):
    """Settings as keywords of a constructor."""

    def _arriving(self) -> dict[str, Arrived]:
        values = self._passed()
        known = self.catalog.names("engine", self.release) | self.catalog.names("llm", self.release)
        if self.transport.frontend:  # the server's own arguments travel with the engine's
            known |= destinations(self.catalog, self.release)
        # What wins over what is passed through is put in after it.
        for written in sorted(self.read, key=lambda written: written.last):
            option = written.option or written.key.replace("-", "_")
            omitted = written.value is None and self.transport.none == "omit"
            if option in known:
                self.named[written.number] = option
                if not omitted:
                    self._put(values, option, written)
            elif omitted:
                self._diagnose("dropped", written, f"{written.key} is dropped on the way", option)
            elif self.transport.lenient or written.attribute:
                text = f"vLLM {self.release} has no {option}, and nothing else reads it"
                self._diagnose("dead", written, text, option)
            else:
                self._diagnose("unknown", written, f"unexpected keyword argument '{option}'", option)
        return values

    def _put(self, values: dict[str, Arrived], option: str, written: Written) -> None:
        name = self.engine.name
        earlier = values[option].written if option in values else None
        crashes = self.transport.duplicate == "crash" and not written.last
        if crashes and (earlier is not None or (written.passed and option in self._own_keywords())):
            text = f"{name} passes {option} twice: TypeError (multiple values for keyword argument)"
            self._diagnose("duplicate", written, text, option)
        elif written.last and earlier is not None and not _equal(earlier.value, written.value):
            self._diagnose("overridden", earlier, f"{name} replaces it with {written.key}", option)
        values[option] = Arrived(option, determined(written.key, written.value), written, "")

    def _own_keywords(self) -> set[str]:
        """Options that the framework passes as keywords of its own, beside what it passes through."""
        return {
            entry.option
            for entry in self.engine.dialect.passes
            if entry.keyword and entry.when.evaluate(self.env) is True
        }


class _Arguments(_Carrier):
    """Settings as the words of a command line.

    Settings of a mapping have one value each: one written later under the same name takes the place of an earlier one.
    """

    def __init__(self, engine: Engine, transport: Transport, env: ReleaseEnv) -> None:
        super().__init__(engine, transport, env)
        self.by_number = {written.number: written for written in engine.options}

    def _arriving(self) -> dict[str, Arrived]:
        command, config = self._tokens()
        entry = entrypoint(self.engine.origin, self.catalog, self.release)
        parsed = argv.parse(command, self.catalog, self.release, entry, config, bool(self.engine.missing))
        replaced = self._replacing()
        values = {option: arrived for option, arrived in self._passed().items() if option not in replaced}
        for arrival in parsed.arrivals:
            written = self.by_number[arrival.source]
            self.named[arrival.source] = arrival.dest
            values[arrival.dest] = Arrived(arrival.dest, determined(written.key, arrival.value, True), written, "")
        for refusal in parsed.refusals:
            written = self.by_number[refusal.source]
            if refusal.kind == "unknown" and self.transport.lenient:
                text = f"vLLM {self.release} knows no {self._option(written)}, and nobody else reads it"
                self._diagnose("dead", written, text, self._option(written))
                continue
            self._diagnose(refusal.kind, written, refusal.text, self._option(written), refusal.candidates)
        self._leftovers(parsed)
        for option in self._dropped({token.source for token in (*command, *config)}):
            # The user's setting took the place of the framework's own, and leaves nothing.
            if option in values and values[option].written is None:
                del values[option]
        return values

    def _tokens(self) -> tuple[list[argv.Token], list[argv.Token]]:
        """The words of the engine's command line, and those that the framework or a configuration file adds to them."""
        skipped = {*self.transport.drops, *self.transport.positional}
        command: list[argv.Token] = []
        slots: dict[str, list[argv.Token]] = {}
        for written in self.read:
            if written.key in self.transport.positional and written.value is not None:
                command.insert(0, argv.Token(written.value, written.number))
            if written.key in skipped:
                continue
            if written.words is not None:
                command.extend(_command_words(written))
                continue
            name = written.option or written.key
            slots[name] = [argv.Token(text, written.number) for text in self._spell(name, written.value)]
        return command, [token for tokens in slots.values() for token in tokens]

    def _spell(self, name: str, value: object) -> list[object]:
        """Arguments of one written setting, in the style that the transport's `values` has for its kind of value."""
        flag, kind = f"--{name}", _kind(value)
        cases = self.transport.values.get(kind, ()) if kind != "value" else ()
        style = next((case.style for case in cases if case.when.evaluate(self.env) is True), "literal")
        if style == "drop":
            return []
        if style == "flag":
            return [flag]
        if style == "no-flag":
            return [f"--no-{name}"]
        if style == "no-flag-known":
            return [f"--no-{name}"] if f"--no-{name}" in self.catalog.flags(self.release) else []
        if style == "no-flag-optional":
            return [f"--no-{name}"] if self._may_be_on(name) else []
        if style == "repeat" and isinstance(value, list):
            return [flag, *[_text(item) for item in value]] if value else []
        if style == "json":
            return [flag, value]  # stands for its JSON
        return [flag, _text(value)]

    def _may_be_on(self, name: str) -> bool:
        """Whether a boolean engine argument may be true without being written: it is declared optional, or not false."""
        facts = self.catalog.get("engine", name.replace("-", "_"), self.release)
        if facts is None:
            return False
        optional = set(facts.type.split(" | ")) == {"bool", "None"}
        return optional or (facts.type == "bool" and facts.default in (None, True))

    def _replacing(self) -> set[str]:
        """Names under which a setting takes the place of the framework's own in the mapping, whether it arrives or not."""
        return {
            written.option or written.key
            for written in self.read
            if written.words is None and (written.option or written.value is not None)
        }

    def _leftovers(self, parsed: argv.Parsed) -> None:
        """Words that no option took (`--flag False`): the parser refuses them, or takes one for the model."""
        blamed = {diagnostic.written.number for diagnostic in self.diagnostics}
        for token in parsed.positional:
            written = self.by_number.get(token.source)
            if written is None or written.number in blamed:
                continue
            blamed.add(written.number)
            self._diagnose("value", written, f"unrecognized arguments: {token.text}", self._option(written))
            self.named.pop(written.number, None)
        for token in parsed.ignored:
            written = self.by_number.get(token.source)
            if written is not None and written.key and str(token.text).lower() == "false":
                text = f"{token.text} is taken as the model and never read"
                self._diagnose("ignored", written, text, self._option(written))

    def _dropped(self, present: set[int]) -> set[str]:
        """Settings that left no argument at all; the options they name. present: the numbers of those that left one."""
        dropped: set[str] = set()
        arrived = {w.option or w.key for w in self.read if w.number in present and w.words is None}
        for written in self.read:
            if written.number in present:
                continue
            option = self._option(written)
            if written.words is None and (written.option or written.key) in arrived:
                self._diagnose("overridden", written, f"{option} is set again, and the last one counts", option)
                continue
            self.named.setdefault(written.number, option)
            dropped.add(option)
            # `no_x: false` asks for nothing, and gets it.
            asks = not (written.value is False and written.key.startswith(("no_", "no-")))
            if written.key not in self.transport.positional and asks:
                self._diagnose("dropped", written, f"{written.key} is dropped on the way", option)
        return dropped

    def _option(self, written: Written) -> str:
        """The engine option that a written key names at the release, "" when it names none."""
        if written.option:
            return written.option
        head = argv.option_text(written.key if written.key.startswith("-") else f"--{written.key}").partition("=")[0]
        flag = self.catalog.flags(self.release).get(head.partition(".")[0])
        if flag is not None:
            return flag.dest
        return written.key.lstrip("-").replace("-", "_").removeprefix("no_")


def _among(found: list[Arrived], reasons: list[str], closed: bool) -> Arrived:
    """One of several values that the framework may pass. Not closed: it may pass none of them."""
    first = found[0]
    if closed and all(_equal(other.value, first.value) for other in found):
        return first
    known = all(not isinstance(other.value, Undetermined) for other in found)
    if not reasons:
        return first
    return first._replace(
        value=Undetermined(tuple(reasons), tuple(other.value for other in found) if known and closed else ())
    )


def entrypoint(origin: Origin, catalog: Catalog, release: str) -> str:
    """The program that reads the words: `serve`, or `api_server` (the module; containers ran it before 0.11.1)."""
    if origin.entrypoint == "image":
        return "serve" if catalog.ordinal(release) >= catalog.ordinal("0.11.1") else "api_server"
    return origin.entrypoint


def _command_words(written: Written) -> list[argv.Token]:
    """A setting that stands on a command line: its words as they are."""
    values = written.value if isinstance(written.value, list) else [] if written.value is True else [written.value]
    words = [written.key, *values] if written.key else values
    if written.attached and isinstance(values[0], str):
        words = [f"{written.key}={values[0]}", *values[1:]]
    return [argv.Token(word, written.number) for word in words]


def _kind(value: object) -> ValueKind | Literal["value"]:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "none"
    if value == "":
        return "empty"
    if isinstance(value, list):
        return "list"
    return "dict" if isinstance(value, dict) else "value"


def _text(value: object) -> object:
    """Python's text of a value; Unknown where a part of it is."""
    if isinstance(value, Unknown):
        return value
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((text for text in map(_text, inner) if isinstance(text, Unknown)), None) or str(value)


def _agree(results: list[Delivery]) -> Delivery:
    """What several candidate transports have in common."""
    values: dict[str, Arrived] = {}
    options = dict.fromkeys(option for result in results for option in result.values)
    for option in options:
        found = [result.values.get(option) for result in results]
        first = next(item for item in found if item is not None)
        if all(item is not None and _equal(item.value, first.value) for item in found):
            values[option] = first
            continue
        # One of the candidates refuses it: such a launcher would not have started, so the others speak.
        present = [item for item in found if item is not None]
        if all(_equal(item.value, first.value) for item in present):
            values[option] = first
        else:
            values[option] = first._replace(value=Undetermined((f"how {option} travels to the engine",)))
    kinds = [{_identity(diagnostic) for diagnostic in result.diagnostics} for result in results]
    diagnostics: dict[tuple[int, str], Diagnostic] = {}
    for diagnostic in (t for result in results for t in result.diagnostics):
        key = _identity(diagnostic)
        if key not in diagnostics:
            diagnostics[key] = diagnostic._replace(certain=all(key in those for those in kinds))
    named: dict[int, str] = {}
    for result in reversed(results):
        named.update(result.named)
    return Delivery(values, list(diagnostics.values()), named)


def _identity(diagnostic: Diagnostic) -> tuple[int, str]:
    """What is the same under another transport: the setting and the kind."""
    return id(diagnostic.written), diagnostic.kind


def _equal(left: object, right: object) -> bool:
    if isinstance(left, Undetermined) or isinstance(right, Undetermined):
        return left is right or (
            isinstance(left, Undetermined) and isinstance(right, Undetermined) and left.reasons == right.reasons
        )
    return same(left, right)

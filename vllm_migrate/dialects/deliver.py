"""From what is written to what arrives: the transport of a dialect, simulated for one release of vLLM.

A dialect lists candidate transports with conditions (the framework's era, the release). Where the era is unknown, all
that may apply are simulated and only what they agree on is claimed.
"""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects import argv
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.flags import destinations
from vllm_migrate.dialects.model import Engine, Written
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, evaluate, same


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
    ambiguous, choice (value not accepted), value (malformed), missing. certain: under every candidate transport.
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

    def __init__(self, engine: Engine, catalog: Catalog, release: str) -> None:
        super().__init__(engine, release=release)
        self.catalog = catalog

    def name(self, dotted: str) -> object:
        return entrypoint(self.engine, self.catalog, self.release) if dotted == "entrypoint" else super().name(dotted)

    def call(self, function: str, args: list[object]) -> object:
        if function == "vllm":
            return self.catalog.ordinal(self.release) >= self.catalog.ordinal(str(args[0]))
        return super().call(function, args)


def deliver(engine: Engine, catalog: Catalog, release: str) -> Delivery:
    """What `engine`'s written settings become at `release`."""
    env = ReleaseEnv(engine, catalog, release)
    results = [_one(engine, transport, catalog, release) for transport in candidates(engine.dialect, env)]
    return results[0] if len(results) == 1 else _agree(results)._replace(depends=_undecided(engine.dialect, env))


def _undecided(profile: dict[str, object], env: DialectEnv) -> tuple[str, ...]:
    """What the choice among a dialect's transports depends on."""
    transports = profile.get("transport")
    tests = [evaluate(t.get("when", True), env) for t in (transports if isinstance(transports, list) else [])]
    return tuple(dict.fromkeys(reason for test in tests if isinstance(test, Undetermined) for reason in test.reasons))


def candidates(profile: dict[str, object], env: DialectEnv) -> list[dict[str, object]]:
    """The transports that may carry this engine's settings: the first certain one, and the uncertain ones before it."""
    out: list[dict[str, object]] = []
    transports = profile.get("transport")
    for transport in transports if isinstance(transports, list) else []:
        test = evaluate(transport.get("when", True), env)
        if isinstance(test, Undetermined) or test:
            out.append(transport)
        if test is True:
            break
    return out or [{"kind": "kwargs"}]


def _one(engine: Engine, transport: dict[str, object], catalog: Catalog, release: str) -> Delivery:
    kind = transport["kind"]
    if kind == "cli":
        return _by_argv(engine, transport, catalog, release)
    return _by_kwargs(engine, transport, catalog, release)


def _framework(engine: Engine, release: str, hard: bool = False) -> dict[str, Arrived]:
    """What the framework passes by itself; with `hard`, what it passes whatever the user writes.

    A value it computes at run time is Undetermined, and not vLLM's default. The first entry of an option that certainly holds
    ends the list of those that may; where they differ, the value is Undetermined between them.
    """
    found: dict[str, list[Arrived]] = {}
    reasons: dict[str, list[str]] = {}
    closed: set[str] = set()
    env = DialectEnv(engine, release=release)
    passes = engine.dialect.get("passes")
    for entry in passes if isinstance(passes, list) else []:
        option, because = str(entry["option"]), str(entry.get("because", f"{engine.name} passes it"))
        if option in closed or bool(entry.get("hard")) != hard:
            continue
        test = evaluate(entry.get("when", True), env)
        if test is False:
            continue
        value = entry["value"] if "value" in entry else Undetermined((because,))
        found.setdefault(option, []).append(Arrived(option, value, None, because))
        if isinstance(test, Undetermined):
            reasons.setdefault(option, []).extend(r for r in test.reasons if r not in reasons.get(option, ()))
        else:
            closed.add(option)
    return {option: _among(arrived, reasons.get(option, []), option in closed) for option, arrived in found.items()}


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


def _overridden(engine: Engine, release: str, values: dict[str, Arrived], diagnostics: list[Diagnostic]) -> None:
    """The framework's own values over the user's, and settings that it never reads."""
    for option, forced in _framework(engine, release, hard=True).items():
        known = values.get(option)
        if isinstance(forced.value, Undetermined):
            values[option] = _perhaps(engine, option, forced, known)
            continue
        values[option] = forced
        if known is not None and known.written is not None and not _equal(known.value, forced.value):
            diagnostics.append(Diagnostic("overridden", known.written, forced.because, option))
    for written, why in engine.dead:
        diagnostics.append(Diagnostic("dead", written, why, written.option))
    for written, why in unread(engine, DialectEnv(engine, release=release)):
        diagnostics.append(Diagnostic("dead", written, why, written.option or written.key.replace("-", "_")))


def _perhaps(engine: Engine, option: str, forced: Arrived, known: Arrived | None) -> Arrived:
    """What an option is when it depends on the framework's release whether its own value wins."""
    assert isinstance(forced.value, Undetermined)
    passes = engine.dialect.get("passes")
    entries = [e for e in passes if e["option"] == option and e.get("hard")] if isinstance(passes, list) else []
    candidates = [entry.get("value") for entry in entries]
    if known is None:
        return forced
    if not isinstance(known.value, Undetermined) and all(_equal(value, known.value) for value in candidates):
        return known
    options = (*candidates, known.value) if not isinstance(known.value, Undetermined) else ()
    return forced._replace(value=Undetermined(forced.value.reasons, options))


def unread(engine: Engine, env: DialectEnv) -> list[tuple[Written, str]]:
    """Settings that this release of the framework does not read, and why."""
    out = []
    for written in engine.options:
        if evaluate(written.when, env) is False:
            why = written.unread or f"this release of {engine.dialect['title']} has no {written.key}"
            out.append((written, why))
    return out


def _read(engine: Engine, release: str) -> list[Written]:
    """The settings that the framework reads."""
    gone = {written.number for written, _ in unread(engine, DialectEnv(engine, release=release))}
    return [written for written in engine.options if written.number not in gone] if gone else engine.options


def _by_kwargs(engine: Engine, transport: dict[str, object], catalog: Catalog, release: str) -> Delivery:
    values = _framework(engine, release)
    diagnostics: list[Diagnostic] = []
    named: dict[int, str] = {}
    known = catalog.names("engine", release) | catalog.names("llm", release)
    if transport.get("frontend"):  # the server's own arguments travel with the engine's
        known |= destinations(catalog, release)
    crash = transport.get("duplicate") == "crash"
    keywords = _keywords(engine, release) if crash else set()
    # What wins over what is passed through is put in after it.
    for written in sorted(_read(engine, release), key=lambda written: written.last):
        option = written.option or written.key.replace("-", "_")
        if option not in known:
            if transport.get("lenient"):
                diagnostics.append(
                    Diagnostic("dead", written, f"vLLM {release} knows no {option}, and nobody else reads it", option)
                )
            else:
                diagnostics.append(Diagnostic("unknown", written, f"unexpected keyword argument '{option}'", option))
            continue
        named[written.number] = option
        if written.value is None and transport.get("none") == "omit":
            continue
        earlier = values[option].written if option in values else None
        if crash and not written.last and (earlier is not None or (written.passed and option in keywords)):
            text = f"{engine.name} passes {option} twice: TypeError (multiple values for keyword argument)"
            diagnostics.append(Diagnostic("duplicate", written, text, option))
        elif written.last and earlier is not None and not _equal(earlier.value, written.value):
            text = f"{engine.name} puts {written.key} in its place"
            diagnostics.append(Diagnostic("overridden", earlier, text, option))
        values[option] = Arrived(option, sure(written), written, "")
    _overridden(engine, release, values, diagnostics)
    return Delivery(values, diagnostics, named)


def _keywords(engine: Engine, release: str) -> set[str]:
    """Options that the framework passes as keywords of its own, beside what it passes through."""
    env = DialectEnv(engine, release=release)
    passes = engine.dialect.get("passes")
    return {
        str(entry["option"])
        for entry in (passes if isinstance(passes, list) else [])
        if entry.get("keyword") and evaluate(entry.get("when", True), env) is True
    }


def sure(written: Written) -> object:
    """The written value, Undetermined where the files do not decide it."""
    if isinstance(written.value, Unknown):
        return Undetermined((f"the value of {written.key} ({written.value.text})",))
    return written.value


def tokens_of(
    engine: Engine, transport: dict[str, object], catalog: Catalog, release: str
) -> tuple[list[argv.Token], list[argv.Token]]:
    """The words of the engine's command line, and those that the framework or a configuration file adds to them.

    Settings of a mapping have one value each: one written later under the same name takes the place of an earlier one.
    """
    spelled = transport.get("values")
    how = spelled if isinstance(spelled, dict) else {}
    env = ReleaseEnv(engine, catalog, release)
    positional = _words(transport.get("positional"))
    skipped = {*_words(transport.get("drops")), *positional}
    command: list[argv.Token] = []
    slots: dict[str, list[argv.Token]] = {}
    for written in _read(engine, release):
        if written.key in positional and written.value is not None:
            command.insert(0, argv.Token(written.value, written.number))
        if written.key in skipped:
            continue
        if written.words is not None:
            command.extend(_command_words(written))
            continue
        name = written.option or written.key
        slots[name] = [argv.Token(text, written.number) for text in _spell(name, written.value, how, env)]
    return command, [token for tokens in slots.values() for token in tokens]


def _command_words(written: Written) -> list[argv.Token]:
    """A setting that stands on a command line: its words as they are."""
    values = written.value if isinstance(written.value, list) else [] if written.value is True else [written.value]
    words = [written.key, *values] if written.key else values
    if written.attached and isinstance(values[0], str):
        words = [f"{written.key}={values[0]}", *values[1:]]
    return [argv.Token(word, written.number) for word in words]


def _words(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _spell(name: str, value: object, how: dict[str, object], env: ReleaseEnv) -> list[object]:
    """Arguments of one written setting. `how` maps a kind of value to flag, no-flag, no-flag-known, drop, literal, repeat or json."""
    flag = f"--{name}"
    kind = _kind(value)
    style = how.get(kind, "literal")
    if isinstance(style, list):
        style = next(case["style"] for case in style if evaluate(case.get("when", True), env) is True)
    if style == "drop":
        return []
    if style == "flag":
        return [flag]
    if style == "no-flag":
        return [f"--no-{name}"]
    if style == "no-flag-known":
        return [f"--no-{name}"] if f"--no-{name}" in env.catalog.flags(env.release) else []
    if style == "repeat" and isinstance(value, list):
        return [flag, *[_text(item) for item in value]] if value else []
    if style == "json":
        return [flag, value]  # stands for its JSON
    return [flag, _text(value)]


def _kind(value: object) -> str:
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


def _by_argv(engine: Engine, transport: dict[str, object], catalog: Catalog, release: str) -> Delivery:
    command, config = tokens_of(engine, transport, catalog, release)
    parsed = argv.parse(command, catalog, release, entrypoint(engine, catalog, release), config)
    replaced = _keys(engine, release)
    values = {option: arrived for option, arrived in _framework(engine, release).items() if option not in replaced}
    by_number = {written.number: written for written in engine.options}
    named: dict[int, str] = {}
    for arrival in parsed.arrivals:
        written = by_number[arrival.source]
        named[arrival.source] = arrival.dest
        values[arrival.dest] = Arrived(arrival.dest, _sure(arrival.value, written.key), written, "")
    diagnostics = [
        Diagnostic(r.kind, by_number[r.source], r.text, _named(by_number[r.source], catalog, release), r.candidates)
        for r in parsed.refusals
    ]
    _leftovers(engine, parsed, by_number, diagnostics, named, catalog, release)
    lost = _drops(engine, transport, [*command, *config], diagnostics, named, catalog, release)
    for option in lost:  # the user's setting took the place of the framework's own, and leaves nothing
        if option in values and values[option].written is None:
            del values[option]
    _overridden(engine, release, values, diagnostics)
    return Delivery(values, diagnostics, named)


def _keys(engine: Engine, release: str) -> set[str]:
    """Names under which a setting takes the place of the framework's own in the mapping, whether it arrives or not."""
    return {
        written.option or written.key
        for written in _read(engine, release)
        if written.words is None and (written.option or written.value is not None)
    }


def entrypoint(engine: Engine, catalog: Catalog, release: str) -> str:
    """The program that reads the words: `serve`, or `api_server` (the module; containers ran it before 0.11.1)."""
    entry = str(engine.spec.get("entrypoint", ""))
    if entry == "image":
        return "serve" if catalog.ordinal(release) >= catalog.ordinal("0.11.1") else "api_server"
    return entry


def _sure(value: object, key: str) -> object:
    """A value with what no file decides in it marked as such."""
    if isinstance(value, Unknown):
        return Undetermined((f"the value of {key} ({value.text})",))
    if isinstance(value, dict):
        return {name: _sure(inner, f"{key}.{name}") for name, inner in value.items()}
    return value


def _leftovers(
    engine: Engine,
    parsed: argv.Parsed,
    by_number: dict[int, Written],
    diagnostics: list[Diagnostic],
    named: dict[int, str],
    catalog: Catalog,
    release: str,
) -> None:
    """Words that no option took (`--flag False`): the parser refuses them, or takes one for the model."""
    blamed = {diagnostic.written.number for diagnostic in diagnostics}
    for token in parsed.positional:
        written = by_number.get(token.source)
        if written is None or written.number in blamed:
            continue
        blamed.add(written.number)
        text = f"unrecognized arguments: {token.text}"
        diagnostics.append(Diagnostic("value", written, text, _named(written, catalog, release)))
        named.pop(written.number, None)
    for token in parsed.ignored:
        written = by_number.get(token.source)
        if written is not None and written.key and str(token.text).lower() == "false":
            option = _named(written, catalog, release)
            diagnostics.append(
                Diagnostic("ignored", written, f"{token.text} is taken for the model, and not read", option)
            )


def _drops(
    engine: Engine,
    transport: dict[str, object],
    tokens: list[argv.Token],
    diagnostics: list[Diagnostic],
    named: dict[int, str],
    catalog: Catalog,
    release: str,
) -> set[str]:
    """Settings that left no argument at all; the options they name."""
    present = {token.source for token in tokens}
    positional = _words(transport.get("positional"))
    lost: set[str] = set()
    taken = {w.option or w.key for w in _read(engine, release) if w.number in present and w.words is None}
    for written in _read(engine, release):
        if written.number in present:
            continue
        option = _named(written, catalog, release)
        if written.words is None and (written.option or written.key) in taken:
            diagnostics.append(
                Diagnostic("overridden", written, f"{option} is written again, and that one counts", option)
            )
            continue
        named.setdefault(written.number, option)
        lost.add(option)
        # `no_x: false` asks for nothing, and gets it.
        asks = not (written.value is False and written.key.startswith(("no_", "no-")))
        if written.key not in positional and asks:
            diagnostics.append(Diagnostic("dropped", written, f"{written.key} is dropped on the way", option))
    return lost


def _named(written: Written, catalog: Catalog, release: str) -> str:
    """The engine option that a written key names at a release, "" when it names none."""
    if written.option:
        return written.option
    flags = catalog.flags(release)
    head = argv.option_text(written.key if written.key.startswith("-") else f"--{written.key}").partition("=")[0]
    flag = flags.get(head.partition(".")[0])
    if flag is not None:
        return flag.dest
    return written.key.lstrip("-").replace("-", "_").removeprefix("no_")


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
    diagnostics: list[Diagnostic] = []
    for diagnostic in (t for result in results for t in result.diagnostics):
        if any(_alike(t, diagnostic) for t in diagnostics):
            continue
        everywhere = all(any(_alike(t, diagnostic) for t in r.diagnostics) for r in results)
        diagnostics.append(diagnostic._replace(certain=everywhere))
    named: dict[int, str] = {}
    for result in reversed(results):
        named.update(result.named)
    return Delivery(values, diagnostics, named)


def _alike(left: Diagnostic, right: Diagnostic) -> bool:
    return left.written is right.written and left.kind == right.kind


def _equal(left: object, right: object) -> bool:
    if isinstance(left, Undetermined) or isinstance(right, Undetermined):
        return left is right or (
            isinstance(left, Undetermined) and isinstance(right, Undetermined) and left.reasons == right.reasons
        )
    return same(left, right)

"""What may be typed at a place of a file: options, keys and values at the target release, as the dialect spells them.

A mark is put where the cursor stands, and the file is read as always: where the mark arrives says which engine is meant,
below which of its mappings. What fits there is asked of the dialect's pins, so that it is spelled as a fix would.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog import details, nested
from vllm_migrate.dialects.deliver import ABSENT, value_at
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.inner import field_of, keys_of
from vllm_migrate.documents.interface import CannotEdit, Unknown
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.fixes.spelling import Spelling, spell
from vllm_migrate.report.finding import Region
from vllm_migrate.run.cursor import MARK, Cursor, cursor_at
from vllm_migrate.run.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm_migrate.catalog.store import Catalog, OptionFacts
    from vllm_migrate.dialects.model import Engine, Written
    from vllm_migrate.documents.disk import Disk
    from vllm_migrate.knowledge.records import Key
    from vllm_migrate.run.judging import JudgedEngine
    from vllm_migrate.run.settings import Options

OPTION, VALUE, GROUP = "option", "value", "group"


class Completion(NamedTuple):
    """One way to go on. region: the text it replaces; text: what it is replaced by; kind: an option, a value, or a group of
    keys; detail: in a few words; doc: vLLM's own words on the option."""

    label: str
    region: Region
    text: str
    kind: str
    detail: str = ""
    doc: str = ""
    deprecated: bool = False


def complete(
    path: str, text: str, offset: int, options: Options, disk_of: Callable[[dict[str, str]], Disk]
) -> tuple[Completion, ...]:
    """What may stand at an offset of a file whose text is `text`; nothing where no engine is meant.

    disk_of: a disk on which files have other texts, by path. Raises UsageError where the options are wrong.
    """
    cursor = cursor_at(kind_of(path), text, offset)
    if cursor is None:
        return ()
    session = Session(options._replace(paths=(path,)), disk_of({path: cursor.marked}))
    judged = session.run(keep=True).judged
    found: dict[str, Completion] = {}
    for each in judged:
        for completion in _Completer(each, session.catalog, cursor, path, text).all():
            found.setdefault(completion.label, completion)
    return tuple(found.values())


class _Completer:
    """Completes for one engine."""

    def __init__(self, judged: JudgedEngine, catalog: Catalog, cursor: Cursor, path: str, text: str) -> None:
        self.engine: Engine = judged.engine
        self.catalog = catalog
        self.release = judged.target.release
        delivery = judged.target.delivery
        # What a setting names: what the release makes of its key, be its value refused.
        self.named = {each.written.number: each.option for each in delivery.diagnostics if each.option} | delivery.named
        self.cursor = cursor
        self.region = _region(path, text, cursor.start, cursor.end)

    def all(self) -> Iterator[Completion]:
        if self.cursor.is_value:
            yield from self._values()
            return
        for written in self.engine.options:
            if written.key.lstrip("-") == MARK and written.words is not None and self.engine.site is None:
                yield from self._flags()
                return
        for inner in keys_of(self.engine):
            if inner.path[-1] == MARK and value_at(inner.outer.value, inner.path) is not ABSENT:
                yield from self._fields(inner.outer, inner.path[:-1])
                return
        if any(option.rpartition(".")[2] == MARK for option in self.engine.facts if option.startswith("env.")):
            yield from self._variables()
            return
        for below in self._marked_mappings():
            yield from self._keys(below)

    # -- keys

    def _marked_mappings(self) -> Iterator[str]:
        """The dotted paths of the mappings that have the mark as a key."""
        for tree, base in ((self.engine.root, ""), (self.engine.site, self.engine.site_path)):
            paths = [path for path, each in tree.walk() if each.is_map and MARK in each.children] if tree else []
            if paths:
                yield from (".".join(filter(None, (base, path))) for path in paths)
                return

    def _keys(self, below: str) -> Iterator[Completion]:
        """What may stand in the mapping at a dotted path: the next part of every key that goes on from it."""
        start = f"{below}." if below else ""
        for full, option, spelling in self._spelled():
            if not full.startswith(start):
                continue
            part, dot, _ = full[len(start) :].partition(".")
            # A word of a command line has the whole path.
            if self.cursor.dotted:
                yield self._option(full, option, spelling, spelling.prefix if spelling else "")
            elif dot:
                yield Completion(
                    part, self.region, self._key(part), GROUP, f"settings of the {self.engine.role} engine"
                )
            else:
                yield self._option(part, option, spelling)

    def _spelled(self) -> Iterator[tuple[str, str, Spelling | None]]:
        """Every key of this engine as a dotted path from the top, with the option it sets, as its dialect spells it."""
        site = self.engine.site_path
        env = DialectEnv(self.engine.origin, self.engine.facts, self.engine.target)
        seen = set()
        for base, keys in ((site, self.engine.origin.keys), ("", self.engine.dialect.absolute)):
            for key, meant in keys.items():
                if "*" not in key and meant.when.evaluate(env) is True and self._exists(meant):
                    seen.add(meant.to)
                    yield ".".join(filter(None, (base, key))), meant.to, None
        for option in sorted(self.catalog.names("engine", self.release)):
            if option in seen or self.catalog.is_async_only(option, self.release):
                continue
            for spelling in self._spellings(option):
                if not spelling.argument:
                    yield ".".join(filter(None, (site, spelling.key))), option, spelling

    def _exists(self, meant: Key) -> bool:
        section, _, name = meant.to.rpartition(".")
        return section not in ("", "sampling") or self._facts(meant.to) is not None or not name

    def _spellings(self, option: str) -> Iterator[Spelling]:
        """How the dialect spells an option; one that is on or off may have a key for each."""
        facts = self.catalog.get("engine", option, self.release)
        values = (True, False) if facts is not None and _is_boolean(facts) else ("value",)
        keys = set()
        for value in values:
            try:
                spelling = spell(self.engine, option, value)
            except CannotEdit:
                continue
            if spelling.key not in keys:
                keys.add(spelling.key)
                yield spelling

    def _option(self, label: str, option: str, spelling: Spelling | None, prefix: str = "") -> Completion:
        facts = self._facts(option)
        detail = f"{option}, {_default(facts)}" if facts is not None else option
        if self.cursor.flag and not label.startswith("--"):
            label = f"--{label}"
        text = self._key((prefix if not self.cursor.prefixed and not self.cursor.flag else "") + label)
        deprecated = facts is not None and facts.deprecated is not None
        return Completion(label, self.region, text, OPTION, detail, self._doc(option), deprecated)

    def _key(self, text: str) -> str:
        return self.cursor.before + text + self.cursor.after

    def _flags(self) -> Iterator[Completion]:
        """The options of the command: `vllm serve`'s own, or those that the dialect spells."""
        if self.engine.dialect.id != "vllm-argv":
            for full, option, spelling in self._spelled():
                yield self._option("--" + full.lstrip("-").removeprefix(f"{self.engine.site_path}."), option, spelling)
            return
        for name, flag in self.catalog.flags(self.release).items():
            if name.startswith("--") and flag.action != "help":
                detail = f"{flag.dest}, false" if flag.negative else f"{flag.dest}, default {_shown(flag.default)}"
                doc = details.load(self.catalog).doc(flag.section, flag.name, self.release) or self._doc(flag.dest)
                yield Completion(name, self.region, self._key(name), OPTION, detail, doc, flag.deprecated is not None)

    def _fields(self, outer: Written, path: tuple[str, ...]) -> Iterator[Completion]:
        """The fields of the class behind an option whose value is a mapping."""
        option = self.named.get(outer.number) or outer.option
        known = nested.load(self.catalog)
        cls = known.class_of(option, self.release) if option else None
        for key in path:
            facts = known.field(cls, key, self.release) if cls else None
            cls = known.class_in(facts.type, self.release) if facts is not None else None
        for name in known.fields_of(cls, self.release) if cls else ():
            facts = known.field(str(cls), name, self.release)
            detail = f"{cls}, {_default(facts)}" if facts is not None else str(cls)
            doc = details.load(self.catalog).doc("config", f"{cls}.{name}", self.release)
            yield Completion(name, self.region, self._key(name), OPTION, detail, doc)

    def _variables(self) -> Iterator[Completion]:
        for name in sorted(self.catalog.names("env", self.release)):
            facts = self.catalog.get("env", name, self.release)
            if facts is not None:
                doc = details.load(self.catalog).doc("env", name, self.release)
                yield Completion(name, self.region, self._key(name), OPTION, _default(facts), doc)

    # -- values

    def _values(self) -> Iterator[Completion]:
        for written, option, facts, meant in self._asked():
            values = list(meant.values) if meant is not None and meant.values else self._choices(written, option, facts)
            for value in values:
                detail = "the default" if facts is not None and facts.decided and value == facts.default else option
                text = self.cursor.spelled(value)
                yield Completion(text.strip("\"'"), self.region, text, VALUE, detail, self._doc(option))

    def _asked(self) -> Iterator[tuple[Written, str, OptionFacts | None, Key | None]]:
        """The settings whose value is the mark, each with its option and, where it is the framework's own, its key."""
        for written in self.engine.options:
            if _is_mark(written.value) or _is_mark(written.raw):
                option = self.named.get(written.number) or written.option
                yield written, option, self._facts(option), self.engine.origin.keys.get(written.key)
        for inner in keys_of(self.engine):
            if _is_mark(inner.written.value):
                option = self.named.get(inner.outer.number) or inner.outer.option
                found = field_of(nested.load(self.catalog), option, inner.path, self.release) if option else None
                if found is not None:
                    yield inner.written, f"{option}.{'.'.join(inner.path)}", found[1], None
        for option, fact in self.engine.facts.items():
            if fact.written is not None and (_is_mark(fact.value) or _is_mark(fact.written.raw)):
                yield fact.written, option, self._facts(option), None

    def _choices(self, written: Written, option: str, facts: OptionFacts | None) -> list[object]:
        if facts is None:
            return []
        if facts.choices:
            return [choice for choice in facts.choices if choice is not None]
        if _is_boolean(facts):
            return [True, False] if self._carries_false(written, option) else [True]
        return [facts.default] if facts.decided and isinstance(facts.default, bool | int | float | str) else []

    def _carries_false(self, written: Written, option: str) -> bool:
        """Whether a false that is written for this key arrives: else the dialect spells it otherwise."""
        if not self.catalog.names("engine", self.release).issuperset((option,)):
            return True
        try:
            spelling = spell(self.engine, option, False)
        except CannotEdit:
            return False
        negated = spelling.key.rpartition(".")[2].lstrip("-").startswith(("no-", "no_"))
        return not negated or spelling.value is not True

    # -- facts of the catalog

    def _facts(self, option: str) -> OptionFacts | None:
        section, _, name = option.rpartition(".")
        if section not in ("", "sampling", "env"):
            return None
        return self.catalog.get(section or "engine", name, self.release)

    def _doc(self, option: str) -> str:
        section, _, name = option.rpartition(".")
        known = section in ("", "sampling", "env")
        doc = details.load(self.catalog).doc(section or "engine", name, self.release) if known else ""
        return doc.split("\n\n")[0]


def _is_mark(value: object) -> bool:
    return (value.text if isinstance(value, Unknown) else value) == MARK


def _is_boolean(facts: OptionFacts) -> bool:
    return isinstance(facts.default, bool) or facts.type.replace("Optional[bool]", "bool").split(" |")[0] == "bool"


def _default(facts: OptionFacts) -> str:
    if facts.required:
        return "required"
    return f"default {_shown(facts.default)}" if facts.decided else "default decided at run time"


def _shown(value: object, width: int = 40) -> str:
    if isinstance(value, dict) and set(value) == {"expr"}:
        return "decided at run time"
    text = str(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def _region(path: str, text: str, start: int, end: int) -> Region:
    from vllm_migrate.documents.interface import Source

    source = Source(path, b"", text, False, "\n")
    return Region(path, *source.position(start), *source.position(end))

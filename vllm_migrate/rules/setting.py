"""What a rule can ask about one written setting: its option, what becomes of it, its life over the releases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from vllm_migrate.catalog.changes import rename_of
from vllm_migrate.catalog.store import Catalog, Rename
from vllm_migrate.dialects.deliver import Diagnostic
from vllm_migrate.dialects.flags import destinations
from vllm_migrate.dialects.model import Written
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.resolve.view import View

# What the parser took for a mapping up to 0.9.2.
LEVELS = ("0", "1", "2", "3")  # a compilation level alone was read as its mapping
PAIRS = re.compile(r"\s*\w+=\d+\s*(?:,\s*\w+=\d+\s*)*")


class Setting:
    """One written setting (an option or an environment variable) seen at both releases.

    option: its canonical name, as the source release reads the key, else the target; without `env.` for a variable, with
    `sampling.` and the like for what is no engine option.
    """

    __slots__ = ("_rename", "is_env", "option", "source", "target", "written")

    def __init__(self, source: View, target: View, written: Written) -> None:
        self.source = source
        self.target = target
        self.written = written
        self.is_env = written.option.startswith("env.")
        self.option = self._option()
        self._rename: Rename | None = None

    @property
    def quiet(self) -> bool:
        """It means one option at both releases, arrives there, and the target says nothing against it."""
        source, target, number = self.source.delivery, self.target.delivery, self.written.number
        named = target.named.get(number)
        return (
            named == self.option
            and source.named.get(number) == named
            and first_diagnostic(self.source, self.written) is None
            and first_diagnostic(self.target, self.written) is None
            and self._in(self.target)
            and self.option not in deprecated_options(self.target.catalog, self.target.release)
        )

    def fact(self, name: str) -> object:
        """The value of `setting.<name>` in a condition."""
        return FACTS[name](self)

    def _value(self) -> object:
        written = self.written
        return Undetermined((f"the value of {written.key}",)) if isinstance(written.value, Unknown) else written.value

    def _existed(self) -> bool:
        # Of variables only those that vLLM declares: the others it reads belong to someone else (HF_TOKEN). One that a release
        # between the two brought and another took away was written for that release.
        if self.is_env:
            return any(self.option in self.source.catalog.names("env", release) for release in self._span())
        return self._in(self.source)

    def _span(self) -> Sequence[str]:
        """The releases from the source to the one before the target: all before it where none is compared with it, the source
        alone on the way back."""
        catalog = self.target.catalog
        moves = self.source.release != self.target.release
        first = catalog.ordinal(self.source.release) if moves else 0
        return catalog.releases[first : max(first + 1, catalog.ordinal(self.target.release))]

    def _ever(self) -> bool:
        return any(self.target.catalog.life(section, key) for section, key in self._entries())

    def _gone(self) -> bool:
        """The parser takes any text of such an option; what it stands for has to be registered."""
        value = self.written.value
        catalog, target = self.target.catalog, self.target.release
        after = catalog.get("engine", self.option, target)
        if after is None or after.choices is None or not after.open:
            return False
        # Some releases do not list what they have; a later one that does, up to the target, shows it.
        known = (catalog.get("engine", self.option, release) for release in self._span())
        before = next((facts for facts in known if facts is not None and facts.choices is not None), None)
        return before is not None and value in (before.choices or ()) and value not in after.choices

    def _stock(self) -> bool:
        entries = self.target.engine.dialect.passes
        return any(each.option == self.option and same(each.value, self.written.value) for each in entries)

    def _renamed(self) -> str:
        rename = self.rename()
        if rename is None and self.nameless():
            return "--" + self.option.replace("_", "-")
        return (rename.new or "") if rename is not None else ""

    def _polarity(self) -> str:
        rename = self.rename()
        return rename.polarity if rename is not None else ""

    def _switched(self) -> bool:
        before, after = (v.delivery.named.get(self.written.number, "") for v in (self.source, self.target))
        return bool(before and after and before != after)

    def nameless(self) -> bool:
        """The target's parser still has the option, but not under this short name (`-O '{...}'`)."""
        catalog, target, name = self.target.catalog, self.target.release, self.written.key
        short = name.startswith("-") and not name.startswith("--")
        return (
            short
            and diagnostic_kind(self.target, self.written) == "unknown"
            and self.option in destinations(catalog, target)
        )

    def _remark(self) -> str:
        option = self.written.option
        return option.removeprefix("remark.") if option.startswith("remark.") else ""

    def _idle(self, view: View) -> bool:
        """Whether an engine runs the same at a release without this setting: it arrives and is what the engine has anyway, or is
        a variable of vLLM's own that the release reads no more (HF_TOKEN, which a release read as well, is for others, too)."""
        written, engine = self.written, view.engine
        if self.is_env and not self._in(view):
            return self._ever() and self.option.startswith("VLLM_")
        if diagnostic_kind(view, written) != "" or self._may_hide(engine.files):
            return False
        option = self._dotted()
        bare = view.without(written.option, written)
        # What the framework sets by default may stand in this very file, where the framework's own repository is judged.
        if isinstance(view.value(option).value, Undetermined) or bare.value(option).origin == "framework":
            return False
        names = {option, *view.knowledge.effective, *view.delivery.values, *bare.delivery.values}
        return all(_alike(view.value(name).value, bare.value(name).value) for name in names)

    def _may_hide(self, files: Iterable[File]) -> bool:
        """Whether another file of the engine may have a value that this one replaces."""
        key = self.written.key.rpartition(".")[2].lstrip("-+")
        spellings = {key, key.replace("-", "_"), key.replace("_", "-")}
        others = {file.path: file for file in files if file is not self.written.spot.file}
        return any(spelling in file.source.text for file in others.values() for spelling in spellings)

    def _pairs(self) -> dict[str, int] | None:
        key, value = self.written.key, self.written.value
        value = key[2:] if key.startswith("-O") and value is True else value  # -O3
        if self.option == "compilation_config" and str(value) in LEVELS:
            has_mode = self.target.catalog.get("config", "CompilationConfig.mode", self.target.release) is not None
            return {"mode" if has_mode else "level": int(str(value))}
        if not isinstance(value, str) or not PAIRS.fullmatch(value):
            return None
        return {name.strip(): int(number) for name, _, number in (pair.partition("=") for pair in value.split(","))}

    # -- what the messages say

    def rename(self) -> Rename | None:
        """The curated rename of this option that lies between the two releases."""
        if self._rename is None:
            catalog = self.target.catalog
            low, high = catalog.ordinal(self.source.release), catalog.ordinal(self.target.release)
            sections = ("env", "env_other") if self.is_env else ("engine", "cli", "frontend")
            for rename in catalog.renames:
                bare = rename.old.lstrip("-").replace("-", "_") if rename.section in ("cli", "frontend") else rename.old
                if rename.section in sections and bare == self.option and low < catalog.ordinal(rename.since) <= high:
                    self._rename = rename
                    break
        return self._rename

    def deprecation(self) -> str:
        """What the target says of a deprecated option, "" when it says nothing."""
        for section, name in self._entries():
            facts = self.target.catalog.get(section, name, self.target.release)
            if facts is not None and facts.deprecated:
                return " ".join(facts.deprecated.split())
        return ""

    def removed_in(self) -> str:
        """The first release after which no release has the option, "" when the newest has it."""
        catalog = self.target.catalog
        ends = [catalog.life(section, name)[-1:] for section, name in self._entries()]
        last = [life[0][1] for life in ends if life]
        if not last or any(until is None for until in last):
            return ""
        return max((until for until in last if until is not None), key=catalog.ordinal)

    def hint(self) -> str:
        """Where an option that neither release has is known, or which names are nearest; begins with "; " or is ""."""
        catalog = self.target.catalog
        lives = [life for section, name in self._entries() if (life := catalog.life(section, name))]
        if lives:
            ends = [until for life in lives for _, until, _ in life[-1:]]
            if not any(until is None for until in ends):
                successor = self._successor()
                return f"; {self._removed()}" + (f"; use {successor} instead" if successor else "")
            first = min((life[0][0] for life in lives), key=catalog.ordinal)
            if catalog.ordinal(first) <= catalog.ordinal(self.target.release):
                is_argument = self.option in catalog.names("engine", self.target.release)
                return "; it has no command-line flag" if is_argument else "; it is only a flag of the server"
            return f"; it was added in {first}"
        near = self.alike()
        if not near:
            return ""
        dashes = "_" not in self.written.key.strip("-")
        return "; did you mean " + " or ".join(n.replace("_", "-") if dashes else n for n in near) + "?"

    def alike(self) -> list[str]:
        """The options of the target whose names are most like this one's, the nearest first."""
        import difflib

        catalog, release = self.target.catalog, self.target.release
        known = sorted(catalog.names("engine", release) | destinations(catalog, release))
        return difflib.get_close_matches(self.option, known, 2, 0.75)

    def _removed(self) -> str:
        """When an option went, as a part of a sentence: a keyword may go before the server's flag of that name."""
        flag = self.removed_in()
        life = self.target.catalog.life("engine", self.option)
        keyword = life[-1][1] if life else None
        diagnostic = first_diagnostic(self.target, self.written)
        if (
            keyword is None
            or keyword == flag
            or diagnostic is None
            or not diagnostic.text.startswith("unexpected keyword")
        ):
            return f"it was removed in {flag}"
        return f"the keyword was removed in {keyword}, the server's flag in {flag}"

    def _successor(self) -> str:
        """What took the option's place at any time up to the target, "" when nothing did."""
        catalog = self.target.catalog
        for section, name in self._entries():
            rename = rename_of(catalog, section, name)
            new = rename.new if rename is not None and rename.polarity != "inverted" else None
            if new and has_option(catalog, _bare(new), self.target.release):
                return _bare(new) if "_" in self.written.key else new.replace("_", "-")
        return ""

    def candidates(self) -> str:
        """What an abbreviation may stand for at the target."""
        for diagnostic in self.target.diagnostics_of(self.written):
            if diagnostic.candidates:
                return "it may be " + " or ".join(diagnostic.candidates)
        return f"it is {self.target.delivery.named.get(self.written.number, 'no option')}"

    # -- names

    def _option(self) -> str:
        written = self.written
        if self.is_env:
            return written.option[4:]
        if "." in written.option:
            return written.option
        named = self.source.delivery.named.get(written.number) or self.target.delivery.named.get(written.number)
        if named:
            return named
        meant = ""
        for view in (self.source, self.target):
            diagnostic = first_diagnostic(view, written)
            if diagnostic is not None and diagnostic.option:
                if has_option(view.catalog, diagnostic.option, view.release):
                    return diagnostic.option
                meant = meant or diagnostic.option
        return meant or written.key.lstrip("-").replace("-", "_")

    def _dotted(self) -> str:
        return self.written.option if "." in self.written.option else self.option

    def _in(self, view: View) -> bool:
        """Whether a release has the option; a flag of the server alone is none for an engine built from keywords."""
        there = has_option(view.catalog, self.option, view.release, self.is_env)
        return there and diagnostic_kind(view, self.written) != "unknown"

    def _entries(self) -> list[tuple[str, str]]:
        if self.is_env:
            return [("env", self.option), ("env_other", self.option)]
        flag = "--" + self.option.replace("_", "-")
        return [("engine", self.option), ("cli", flag), ("frontend", flag)]


def _bare(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


_deprecated: dict[tuple[Catalog, str], frozenset[str]] = {}


def deprecated_options(catalog: Catalog, release: str) -> frozenset[str]:
    """The options that a release marks as deprecated, by the name they are stored under."""
    key = (catalog, release)
    if key not in _deprecated:
        engine = {name for name in catalog.names("engine", release) if _says(catalog, "engine", name, release)}
        flags = {flag.dest for flag in catalog.flags(release).values() if flag.deprecated}
        _deprecated[key] = frozenset(engine | flags)
    return _deprecated[key]


def _says(catalog: Catalog, section: str, name: str, release: str) -> bool:
    facts = catalog.get(section, name, release)
    return facts is not None and facts.deprecated is not None


def by_option(settings: list[Setting]) -> dict[str, Written]:
    """The setting that was written for each option, whether it arrives or not; of several the last."""
    out: dict[str, Written] = {}
    for setting in settings:
        written = setting.written
        for view in (setting.source, setting.target):
            named = view.delivery.named.get(written.number)
            if named:
                out[named] = written
        out[setting.option] = written
        if written.option:
            out[written.option] = written
    return out


def has_option(catalog: Catalog, option: str, release: str, is_env: bool = False) -> bool:
    """Whether a release has an engine option, a command-line option stored under that name, or a variable."""
    if is_env:
        return option in catalog.names("env", release) or option in catalog.names("env_other", release)
    return option in catalog.names("engine", release) or option in destinations(catalog, release)


def first_diagnostic(view: View, written: Written) -> Diagnostic | None:
    return next(iter(view.diagnostics_of(written)), None)


def diagnostic_kind(view: View, written: Written) -> object:
    """The kind of a setting's diagnostic, "" when it arrives; Undetermined where that depends on how the settings travel."""
    found = view.diagnostics_of(written)
    if not found:
        return ""
    sure = [diagnostic.kind for diagnostic in found if diagnostic.certain]
    if sure:
        return sure[0]
    reasons = view.delivery.depends or (f"how {written.key} travels to the engine",)
    return Undetermined(reasons, (*(diagnostic.kind for diagnostic in found), ""))


def _alike(left: object, right: object) -> bool:
    """Whether two values are the same, or depend on the same."""
    if isinstance(left, Undetermined) and isinstance(right, Undetermined):
        return left.reasons == right.reasons and left.options == right.options
    return same(left, right)


FACTS: dict[str, Callable[[Setting], object]] = {
    "option": lambda setting: setting.option,
    "key": lambda setting: setting.written.key,
    "value": Setting._value,
    "before": lambda setting: setting.source.name(setting._dotted()),
    "after": lambda setting: setting.target.name(setting._dotted()),
    "diagnostic": lambda setting: diagnostic_kind(setting.target, setting.written),
    "was": lambda setting: diagnostic_kind(setting.source, setting.written),
    "existed": Setting._existed,
    "exists": lambda setting: setting._in(setting.target),
    "ever": Setting._ever,
    "alike": lambda setting: bool(setting.alike()),
    "gone": Setting._gone,
    "stock": Setting._stock,
    "renamed": Setting._renamed,
    "polarity": Setting._polarity,
    "deprecated": Setting.deprecation,
    "switched": Setting._switched,
    "remark": Setting._remark,
    "pairs": Setting._pairs,
    "idle": lambda setting: setting._idle(setting.target),
    "was_idle": lambda setting: setting._idle(setting.source),
}

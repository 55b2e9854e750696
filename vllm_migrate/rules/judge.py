"""Evaluate the compiled rules on an engine and a pair of releases. Knows no rule by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.dialects.composition import unseen
from vllm_migrate.dialects.environment import runs
from vllm_migrate.dialects.frameworks import Unfit, of_frameworks
from vllm_migrate.dialects.model import Engine, Program, Spot, Subject, Written
from vllm_migrate.dialects.own_formats import READER
from vllm_migrate.dialects.situation import Known, PinnedAt
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Source, Unknown
from vllm_migrate.documents.steps import spend
from vllm_migrate.knowledge.expr import Condition, Undetermined
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.records import NEVER, ActionSpec, Rule, Variant
from vllm_migrate.knowledge.vocabulary import FRAMEWORK
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import CHECKLIST, SEVERITIES, Action, Firing, Fix, identity
from vllm_migrate.rules.setting import Setting, by_option, first_diagnostic
from vllm_migrate.rules.unmoved import resolves_alike, unmoved
from vllm_migrate.rules.using import FUNCTIONS as OF_USES
from vllm_migrate.rules.using import Using

# What becomes of a setting that the target does not know, as an option of a command line or as a keyword.
OPTION = "the server does not start: the parser rejects the unknown option and exits with status 2"
KEYWORD = "the engine is not created: an unknown keyword raises TypeError"
PASSED_OVER = "the launcher ignores options vLLM does not know: the key has no effect"

if TYPE_CHECKING:
    from vllm_migrate.resolve.refusals import Refused
    from vllm_migrate.rules.default import Default


class Context:
    """The environment of a rule's conditions: both views of an engine, and the setting, default or use at hand if there is one.

    knowledge/vocabulary.py says what each name and function means, and where it is valid.
    """

    __slots__ = ("_by_option", "default", "follows", "refusal", "setting", "source", "target", "using")

    def __init__(
        self,
        source: View,
        target: View,
        setting: Setting | None = None,
        by_option: dict[str, Written] | None = None,
        default: Default | None = None,
        follows: tuple[Firing, ...] = (),
    ) -> None:
        self.follows = follows
        self.source = source
        self.target = target
        self.setting = setting
        self.using: Using | None = None
        self.refusal: Refused | None = None
        self.default = default
        self._by_option = by_option

    @property
    def written(self) -> Written | None:
        """The setting, or the use, at hand."""
        return (
            self.setting.written
            if self.setting is not None
            else self.using.use.written
            if self.using is not None
            else self.refusal.written
            if self.refusal is not None
            else None
        )

    @property
    def option(self) -> str:
        """The option at hand, "" where a rule is asked of the whole engine."""
        if self.setting is not None:
            return self.setting.option
        if self.refusal is not None:
            return next(iter(self.refusal.settings))
        if self.using is not None and self.using.use.section == "env":
            return self.using.use.key
        return self.default.option if self.default is not None else ""

    def name(self, dotted: str) -> object:
        head, _, rest = dotted.partition(".")
        if head == "from":
            return self.source.name(rest)
        if head == "to":
            return self.target.name(rest)
        if head == "setting":
            assert self.setting is not None, "setting.* is for rules with each: setting, fact or remark"
            return self.setting.fact(rest)
        if head == "use":
            assert self.using is not None, "use.* is for rules with each: use"
            return self.using.fact(rest)
        if head == "refusal":
            assert self.refusal is not None, "refusal.* is for rules with each: refusal"
            return getattr(self.refusal, rest)
        if head == "default":
            assert self.default is not None, "default.* is for rules with each: default"
            return self.default.fact(rest, self.source, self.target)
        return self.target.name(dotted)

    def call(self, function: str, args: list[object]) -> object:
        own = FUNCTIONS.get(function)
        if own is not None:
            return own(self, *args)
        if self.using is not None and function in OF_USES:
            return OF_USES[function](self.using, *args)
        return self.target.call(function, args)

    def _crosses(self, release: str) -> bool:
        ordinal = self.target.catalog.ordinal
        return ordinal(self.source.release) < ordinal(release) <= ordinal(self.target.release)

    def unfit(self) -> Unfit | None:
        """Why the release that the project pins of the engine's framework does not run with the target; None where it does."""
        name, target = self.target.engine.dialect.framework, self.target
        known = target.situation.frameworks.get(name)
        if known is None or known.pinned is None:
            return None
        return next(iter(of_frameworks({name: known}, target.knowledge.dialects, target.release)), None)

    def _refused_since(self, release: str) -> bool:
        """Whether what a release refuses meets the target: the source is older, or no other release is compared."""
        source, target = self.source.release, self.target.release
        return self._crosses(release) or (source == target and bool(self.target.call("since", [release])))

    def _lost_model(self) -> object:
        """The architecture of the engine's model if the source has it and the target does not, else "". What it is stands in the
        model's config.json, or follows from its name.
        """
        models = self.target.knowledge.models
        known = self.target.name("model.architectures")
        if isinstance(known, Undetermined):
            model = self.target.value("model").value
            name = model.rpartition("/")[2].lower() if isinstance(model, str) else ""
            architectures = [models[start].architecture for start in models if name.startswith(start)][:1]
        else:
            architectures = list(known) if isinstance(known, list | tuple) else []
        ends = {each.architecture: each.until for each in models.values() if each.until}
        return next((each for each in architectures if each in ends and self._leaves(ends[each])), "")

    def _leaves(self, release: str) -> bool:
        """Whether that release lies behind the target, but not behind the source where another release is compared."""
        ordinal = self.target.catalog.ordinal
        source, target = ordinal(self.source.release), ordinal(self.target.release)
        return ordinal(release) < target and (source <= ordinal(release) or source == target)

    def _is_written(self, option: str) -> object:
        engine = self.target.engine
        if self.wrote(option) is not None:
            return True
        if engine.missing:
            return Undetermined((f"whether {unseen(engine.missing)} sets {option}",), (False, True))
        return False

    def wrote(self, option: str) -> Written | None:
        """The setting that the user wrote for an option, whether it arrives or not (the last one)."""
        if "." in option:
            fact = self.target.engine.facts.get(option)
            return fact.written if fact else None
        if self._by_option is None:
            engine = self.target.engine
            options = engine.options if isinstance(engine, Engine) else ()
            self._by_option = by_option([Setting(self.source, self.target, written) for written in options])
        return self._by_option.get(option)

    def option_of(self, written: Written) -> str:
        return Setting(self.source, self.target, written).option


FUNCTIONS: dict[str, Callable[..., object]] = {
    "crosses": Context._crosses,
    "refused_since": Context._refused_since,
    "framework": lambda context: unfit.text if (unfit := context.unfit()) is not None else "",
    "lost_model": Context._lost_model,
    "written": Context._is_written,
    "from_set": lambda context, option: context.source.call("set", [option]),
    "from_since": lambda context, release: context.source.call("since", [release]),
}


# What every rule of a kind is asked of, whatever options it names.
BY_ITSELF = ("default", "remark", "key", "refusal")
STEPS_A_FINDING = 100  # of those that a file has


def judge(engine: Subject, source: View, target: View, knowledge: Knowledge) -> list[Firing]:
    """Every finding of every rule on one engine or program; one that a default of the shell leads to says so, and its fix is for
    review. Raises Unreadable("too-much").
    """
    if isinstance(engine, Program):
        return _of_program(engine, source, target, knowledge)
    assert isinstance(engine, Engine)
    found = _of_cores(engine, source, target, knowledge)
    assumed = engine.assumed
    if not assumed and not engine.origin.unread_variables:
        return found
    opened = engine.opened()
    before, after = (View(opened, v.release, v.catalog, knowledge, v.is_source) for v in (source, target))
    sure = {identity(other): other for other in _of_cores(opened, before, after, knowledge)}
    settles = _naming(assumed, _reasons(before)) or assumed
    return [_as_assumed(firing, sure.get(identity(firing)), assumed, settles) for firing in found]


def _naming(assumed: Sequence[Written], reasons: Sequence[str]) -> list[Written]:
    """The assumed settings that reasons name."""
    return [written for written in assumed if any(written.key in reason for reason in reasons)]


def _as_assumed(found: Firing, sure: Firing | None, assumed: Sequence[Written], settles: Sequence[Written]) -> Firing:
    """A finding on an engine whose settings are partly assumed. sure: the same where nothing is; settles: what decides the core."""
    if sure is not None and (sure.depends_on, sure.severity) == (found.depends_on, found.severity):
        safe = sure.fix is not None and sure.fix.safety == "safe"
        return found if safe else found._replace(fix=_reviewed(found.fix))
    if not assumed:
        depends_on = sure.depends_on if sure is not None else ()
        unread = f"what {' and '.join(found.engine.origin.unread_variables)} sets" if found.engine is not None else ""
        return found._replace(depends_on=depends_on or (*found.depends_on, unread), fix=_reviewed(found.fix))
    by = [written for written in assumed if written.key == found.key]
    by = by or _naming(assumed, sure.depends_on if sure is not None else ()) or list(settles)
    reasons = tuple(f"what the caller sets in place of {written.assumed}" for written in by)
    return found._replace(depends_on=(*found.depends_on, *reasons), fix=_reviewed(found.fix))


def _reviewed(fix: Fix | None) -> Fix | None:
    """A fix that nobody applies blind."""
    return fix._replace(safety="review", with_version="review") if fix is not None and fix.safety == "safe" else fix


def _of_cores(engine: Engine, source: View, target: View, knowledge: Knowledge) -> list[Firing]:
    """Every finding on an engine.

    Where the files leave open which core ran at the source, each is judged by itself: what both lead to is one finding, the
    milder of the two; what V1 leads to alone depends on it; what V0 leads to alone is named by rules with `each: branch`.
    """
    if set(source.cores()) != {"v0", "v1"}:
        return _of_engine(engine, source, target, knowledge)
    old = {identity(found): found for found in _of_engine(engine, source.at_core("v0"), target, knowledge)}
    new = _of_engine(engine, source.at_core("v1"), target, knowledge)
    reasons = _reasons(source)
    # What holds at the target whichever ran is found there without looking at the source.
    held = {identity(found) for found in _of_engine(engine, target, target, knowledge)}
    out = [_of_both(found, old.pop(identity(found), None), identity(found) in held, reasons) for found in new]
    whole = Context(source, target, follows=tuple(old.values()))
    # Which core ran matters where one of them leads to more than a note for people.
    decides = any(found.kind != CHECKLIST for found in old.values())
    branched = [rule for rule in knowledge.in_order if rule.each == "branch"] if decides else []
    return [*out, *(_finding(rule, whole, True) for rule in branched if rule.when.evaluate(whole) is True)]


def _reasons(source: View) -> tuple[str, ...]:
    core = source.value("engine").value
    return core.reasons if isinstance(core, Undetermined) else ()


def _of_both(found: Firing, other: Firing | None, held: bool, reasons: tuple[str, ...]) -> Firing:
    """A finding that V1 leads to. other: what V0 leads to; as severe as the milder one then, its pins for review.

    held: it holds at the target whichever ran; otherwise, where V0 does not lead to it, whether it holds depends on `reasons`.
    """
    if other is None:
        return found if held else _of_one(found, reasons)
    milder = min(found.severity, other.severity, key=SEVERITIES.index)
    same_effect = found.fix == other.fix and found.depends_on == other.depends_on
    fix = found.fix
    if (
        fix is not None
        and fix.safety == "safe"
        and not (same_effect and not any(action.pins for action in fix.actions))
    ):
        fix = _reviewed(fix)
    return found._replace(severity=milder, fix=fix)


def _of_one(found: Firing, reasons: tuple[str, ...]) -> Firing:
    """A finding that V1 leads to alone: whether it holds depends on which core ran."""
    milder = min(found.severity, SEVERITIES[1], key=SEVERITIES.index)
    depends_on = tuple(dict.fromkeys((*found.depends_on, *reasons)))
    return found._replace(severity=milder, fix=_reviewed(found.fix), depends_on=depends_on)


def _of_engine(engine: Engine, source: View, target: View, knowledge: Knowledge) -> list[Firing]:
    """Every finding on an engine. Derived rules come last, and say nothing of settings others spoke of."""
    settings = [Setting(source, target, written) for written in engine.options]
    written = by_option(settings)
    whole = Context(source, target, None, written)
    # What the framework declares and never reads is a setting to speak of, and sets nothing.
    dead = [Setting(source, target, setting) for setting, _ in engine.dead]
    contexts = [Context(source, target, setting, written) for setting in [*settings, *dead]]
    diagnosed = [context for context in contexts if context.setting is not None and not context.setting.quiet]
    by_kind = {"engine": [whole], "setting": diagnosed}
    out: list[Firing] = []
    covered: set[tuple[str, int] | str] = set()
    back = _goes_back(source, target)
    for rule in knowledge.in_order:
        if back and not rule.backward:
            continue
        each = rule.each
        asked = by_kind.get(each)
        if asked is None or (each == "setting" and rule.options):
            asked = _asked(rule, whole, contexts)
            if each in BY_ITSELF:
                by_kind[each] = asked
        for context in asked:
            test = _holds(rule, context)
            if test is False:
                continue
            spend(STEPS_A_FINDING)
            finding = _finding(rule, context, test)
            if finding.severity == "info" and _hangs_on_unread(finding, engine):
                continue
            # A default has no place of its own, and keys of one text may have one place: their option tells them apart.
            subject = (
                finding.option
                if each in ("default", "key", "refusal")
                else (finding.spot.file.path, finding.spot.start)
            )
            if not (rule.derived and subject in covered):
                out.append(finding)
                covered.add(finding.option)
                if each not in ("engine", "default"):
                    covered.add(subject)
    return out


def _of_program(program: Program, source: View, target: View, knowledge: Knowledge) -> list[Firing]:
    """Every finding on the uses of a program. Derived rules come last, and are silent about a place others spoke of."""
    contexts: dict[str, list[Context]] = {}
    for use in program.uses:
        context = Context(source, target)
        context.using = Using(use, program, source, target)
        contexts.setdefault(use.name, []).append(context)
    out: list[Firing] = []
    covered: set[int] = set()
    back = _goes_back(source, target)
    for rule in knowledge.in_order:
        for part in (rule, *rule.also) if rule.backward or not back else ():
            names = part.options if part.each == "use" else ()
            for context in [context for name in names for context in contexts.get(name, ())]:
                test = _holds(part, context)
                if test is False:
                    continue
                spend(STEPS_A_FINDING)
                finding = _finding(part, context, test)
                if not (rule.derived and finding.spot.start in covered):
                    out.append(finding)
                    covered.add(finding.spot.start)
    return out


def _hangs_on_unread(finding: Firing, engine: Subject) -> bool:
    """Whether nothing but what an unread input may set makes the finding possible."""
    hidden = f"whether {unseen(engine.missing)} sets "
    return bool(engine.missing and finding.depends_on) and all(why.startswith(hidden) for why in finding.depends_on)


def _goes_back(source: View, target: View) -> bool:
    """Whether the target is older than the source: then nothing is pinned, and rules speak that say so (`backward`)."""
    ordinal = target.catalog.ordinal
    return ordinal(source.release) > ordinal(target.release)


def _asked(rule: Rule, whole: Context, contexts: list[Context]) -> list[Context]:
    """What a rule is asked of, that names options or is about defaults, remarks or facts."""
    if rule.each == "setting":
        return [
            context for context in contexts if context.setting is not None and context.setting.option in rule.options
        ]
    source, target = whole.source, whole.target
    if rule.each == "default":
        if not any(target.catalog.is_added(release) for release in (source.release, target.release)):
            return []  # rules of their own know what shipped releases changed; tests/rules/test_default.py holds that
        from vllm_migrate.rules.default import moved

        changed = moved(target.catalog, target.knowledge, source.release, target.release)
        return [Context(source, target, default=default) for default in changed]
    engine = target.engine
    if rule.each == "remark":
        remarks = engine.remarks if isinstance(engine, Engine) else ()
        return [Context(source, target, Setting(source, target, remark)) for remark in remarks]
    if rule.each == "key":
        if not (isinstance(engine, Engine) and engine.inner):
            return []
        from vllm_migrate.rules.inner import inner_settings

        return [Context(source, target, setting) for setting in inner_settings(source, target)]
    if rule.each == "refusal":
        return list(_refusals(source, target)) if isinstance(engine, Engine) else []
    if rule.each not in ("fact", "written"):
        return []
    names = rule.options or [name for name in engine.facts if name.startswith("env.")]
    facts = [engine.facts[name] for name in names if name in engine.facts]
    options = contexts if rule.each == "written" else []
    return options + [
        Context(source, target, Setting(source, target, fact.written)) for fact in facts if fact.written is not None
    ]


def _refusals(source: View, target: View) -> Iterator[Context]:
    """The combinations that the target refuses and the source does not, under whatever message: one over some of the same settings,
    or over more, is the same to whoever wrote them."""
    from vllm_migrate.resolve.refusals import refused

    found = refused(target)
    before = refused(source) if found and source.release != target.release else []
    known = {one.id for one in before}
    for one in found:
        names = one.settings.keys()
        if one.id not in known and not any(names <= b.settings.keys() or b.settings.keys() <= names for b in before):
            context = Context(source, target)
            context.refusal = one
            yield context


def _holds(rule: Rule, context: Context) -> object:
    """The rule's condition: False where it does not hold, Undetermined where it may and where that makes a difference."""
    test = rule.when.evaluate(context)
    if not isinstance(test, Undetermined):
        return bool(test)
    return (
        False
        if unmoved(rule.when, context, lambda name: resolves_alike(name, context.source, context.target))
        else test
    )


def _finding(rule: Rule, context: Context, test: object) -> Firing:
    """What a rule says of a context in which its condition holds, or may hold."""
    reasons = test.reasons if isinstance(test, Undetermined) else ()
    severity, more = _severity(rule, context)
    reader = (READER,) if context.target.engine.dialect.own_format is not None else ()
    reasons = tuple(dict.fromkeys((*reasons, *more, *reader)))
    if reasons and severity == "error":
        severity = SEVERITIES[1]  # what depends on the unseen is never an error
    spot, key = _where(rule, context)
    layer = context.default.layer if context.default is not None else rule.layer
    option = rule.option or context.option
    old = _side(rule.old, rule.old_of, context, context.source, option)
    new = _side(rule.new, rule.new_of, context, context.target, option)
    finding = Firing(
        *(rule.code, rule.name, severity, layer, "", spot, context.target.engine, option, key),
        old=_decided(old),
        new=_decided(new),
        depends_on=reasons,
    )
    variant = _variant(rule, context)
    words = {"old": show(old), "new": show(new)}
    finding = finding._replace(
        message=_fill(variant.message or rule.message, finding, context, words),
        why=_fill(variant.why or rule.why, finding, context, words),
        advice=_fill(variant.advice or rule.advice, finding, context, words),
        fix=_fix(rule, context, finding, words),
    )
    if rule.checklist.evaluate(context) is True:
        finding = finding._replace(kind=CHECKLIST)
    if _written_elsewhere(finding):
        return finding._replace(spot=context.target.engine.spot(), key=context.target.engine.site_path)
    return finding


def _written_elsewhere(finding: Firing) -> bool:
    """Whether what a finding points at stands in a parent, and its pin goes to another file: each child has its own then."""
    engine, fix = finding.engine, finding.fix
    if engine is None or engine.file is finding.spot.file:
        return False
    home, pins = engine.home(), fix is not None and any(action.pins for action in fix.actions)
    return pins and home is not None and home.file is not finding.spot.file


def _variant(rule: Rule, context: Context) -> Variant:
    """The first variant of what the rule says that certainly holds; one that says nothing where none does."""
    return next((v for v in rule.variants if v.when.evaluate(context) is True), Variant(NEVER))


def _severity(rule: Rule, context: Context) -> tuple[str, tuple[str, ...]]:
    """The rule's severity, or that of the first context that holds, and what cases that may hold depend on.

    A rule with `joint_depends: false` does not depend on what only its severity depends on.
    """
    severity: str = rule.severity
    reasons: list[str] = []
    for case in rule.severity_when:
        test = case.when.evaluate(context)
        if isinstance(test, Undetermined):
            reasons.extend(test.reasons)
        elif test:
            severity = case.severity
            break
    return severity, tuple(reasons) if rule.joint_depends else ()


def _where(rule: Rule, context: Context) -> tuple[Spot, str]:
    """The place of a finding: the setting at hand, else the first of `at` that is written, else the engine."""
    engine = context.target.engine
    written = context.written
    if written is None:
        for option in rule.at:
            if option == FRAMEWORK and engine.dialect.framework in context.target.situation.frameworks:
                return _pinned(context.target.situation.frameworks[engine.dialect.framework]), option
            written = context.wrote(option)
            if written is not None:
                break
    if context.using is not None:
        return context.using.use.spot, context.using.path
    if written is not None:
        return written.spot, f"{engine.site_path}.{written.key}".lstrip(".")
    return engine.spot(), engine.site_path


def _pinned(known: Known) -> Spot:
    """The line that pins a release, in a file that is not read again."""
    assert known.pinned is not None
    return Spot(File.bare(Source(os.path.relpath(known.pinned.path), b"", "", False, "\n")), known.pinned.line, 1)


def _side(fixed: object, computed: Condition | None, context: Context, view: View, option: str) -> object:
    if fixed is not None:
        return fixed
    if computed is not None:
        value = computed.evaluate(context)
    elif context.using is not None:
        return None
    elif context.written is not None and first_diagnostic(view, context.written) is None:
        value = context.written.value
    elif option and context.written is None:
        value = view.name(option)
    else:
        return None
    return value


def _decided(value: object) -> object:
    return None if isinstance(value, (Undetermined, Unknown)) else value


def _fill(text: str, finding: Firing, context: Context, sides: dict[str, str]) -> str:
    if "{" not in text:
        return text
    diagnostic = first_diagnostic(context.target, context.written) if context.written else None
    passed_over = diagnostic is not None and diagnostic.kind == "dead"
    words = {
        **sides,
        "from": context.source.release,
        "to": context.target.release,
        "nor": f", nor does {context.source.release}" if context.source.release != context.target.release else "",
        "option": finding.option.removeprefix("sampling.").removeprefix("env."),
        "key": (context.written.key or "the argument without an option") if context.written else finding.option,
        "value": show(context.written.value) if context.written else "",
        "why": diagnostic.text if diagnostic else "",
        "refusal": context.refusal.text if context.refusal is not None else "",
        "settings": _settings(context.refusal) if context.refusal is not None else "",
        "upgrade": f". {upgrade}" if (upgrade := context.target.engine.dialect.upgrade) else "",
        "off": _off(context),
        "reads": _reads(context),
        "engine": context.target.engine.id,
        "dialect": context.target.engine.dialect.id,
        "refuses": "ignores" if passed_over else "rejects",
        "dies": PASSED_OVER
        if passed_over
        else KEYWORD
        if diagnostic is not None and diagnostic.text.startswith("unexpected keyword")
        else OPTION,
    }
    if "{framework}" in text and (unfit := context.unfit()) is not None:
        words["framework"] = unfit.text
    if "{because}" in text:
        because = context.source.value(finding.option).because
        words["because"] = f" ({because})" if because else ""
    if context.follows:
        words["follows"] = ", ".join(sorted({f"{found.code} {found.name}" for found in context.follows}))
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    if context.setting is not None and "{" in text:
        text = _fill_life(text, context.setting)
    if context.using is not None and "{" in text:
        text = text.replace("{gone}", context.using.gone()).replace("{home}", context.using.home())
        text = text.replace("{method}", context.using.method()).replace("{successor}", context.using.successor())
        text = text.replace("{class}", context.using.use.function)
        if "{taken}" in text:
            text = text.replace("{taken}", context.using.taken())
        if "{refused}" in text:
            text = text.replace("{refused}", context.using.refuses(context.target.release))
        if "{unfit}" in text:
            text = text.replace("{unfit}", context.using.unfit())
    if context.default is not None:
        text = text.replace("{since}", context.default.since)
    return " ".join(text.split())


def _fill_life(text: str, setting: Setting) -> str:
    """The placeholders that ask the catalog: what became of the setting, and what takes its place."""
    rename = setting.rename() if "{renamed}" in text or "{note}" in text or "{instead}" in text else None
    new = (rename.new or "").rpartition(".")[2] if rename else setting._renamed() if "{instead}" in text else ""
    lives: dict[str, Callable[[], str]] = {
        "removed_in": lambda: f" in {gone}" if (gone := setting.removed_in()) else "",
        "hint": setting.hint,
        "candidates": setting.candidates,
        "deprecated": setting.deprecation,
        "renamed": lambda: new if "_" in setting.written.key else new.replace("_", "-"),
        "instead": lambda: f"; use {new} instead" if new else "",
        "note": lambda: f" ({rename.note})" if rename and rename.note else "",
    }
    for word, value in lives.items():
        if "{" + word + "}" in text:
            text = text.replace("{" + word + "}", value())
    return text


def _settings(refusal: Refused) -> str:
    """The settings of a combination that have a value, with it."""
    written = ((name, value) for name, value in refusal.settings.items() if value is not None)
    return ", ".join(f"{name.removeprefix('sampling.')} {show(value)}" for name, value in written)


def _off(context: Context) -> str:
    """How the dialect switches the option at hand off where a plain false does not arrive."""
    key = context.written.key if context.written else ""
    option = context.setting.option if context.setting is not None else ""
    text: str = context.target.engine.dialect.switch_off
    return text.replace("{key}", key).replace("{option}", option)


def _reads(context: Context) -> str:
    """What to know of the launcher's own reading of a key: of launchers of the time when vLLM had the option."""
    if context.setting is None or context.setting.fact("existed") is not True:
        return ""
    note = context.target.engine.dialect.reads.get(context.setting.written.key.replace("_", "-"), "")
    return f" ({note})" if note else ""


def show(value: object) -> str:
    """A value as a person writes it in a configuration."""
    if value is None:
        return "unset"
    if isinstance(value, Undetermined):
        return "an unknown value"
    if isinstance(value, bool):
        return "true" if value else "false"
    return (value.text or "its value") if isinstance(value, Unknown) else str(value)


def _fix(rule: Rule, context: Context, finding: Firing, words: dict[str, str]) -> Fix | None:
    """The fix that a rule proposes; None where there is nothing to write."""
    fix = rule.fix
    if fix is None or fix.unless.evaluate(context) is True:
        return None
    actions = tuple(action for entry in fix.do for action in _actions(entry, context))
    if _goes_back(context.source, context.target) and any(action.pins for action in actions):
        return None
    if not actions or any(map(_replaces_unknown, actions)):
        return None
    safety: str = fix.safety
    lowered = fix.review_when.evaluate(context)
    if safety == "safe" and (finding.depends_on or lowered is True or isinstance(lowered, Undetermined)):
        safety = "review"
    needs = _needs(fix.needs, actions, context)
    conflicts = _conflicts(needs, context)
    origin = context.target.engine.origin
    moves = any(action.kind != "drop" for action in actions) and not runs(origin, context.target.release)
    if moves:  # what is written is spelled for the release of the framework that runs with the target
        framework = origin.situation.frameworks[origin.dialect.framework]
        conflicts = (*conflicts, *([framework.pinned] if framework.pinned is not None else []))
    alone = "review" if (conflicts or moves) and safety == "safe" else safety
    title = _fill(fix.title, finding, context, {**words, "edit": _edit(actions, context)})
    made = Fix(title, alone, actions, needs, fix.with_rules, conflicts, safety)
    gone = fix.drop_when
    if gone is None or not any(action.pins for action in actions):
        return made
    return made._replace(cost=fix.cost, drop_when=(gone.since, gone.because))


def _edit(actions: tuple[Action, ...], context: Context) -> str:
    """What a fix does to the setting at hand, as a title."""
    key = context.written.key if context.written is not None else context.option
    writes = []
    for action in actions:
        if action.kind in ("set", "respell"):
            option = action.option if "_" in key else action.option.replace("_", "-")
            writes.append(option if isinstance(action.value, (dict, list)) else f"{option}: {show(action.value)}")
    return f"replace {key} with {' and '.join(writes)}" if writes else f"drop {key}"


def _replaces_unknown(action: Action) -> bool:
    """Whether an action writes a value of its own over one that only a run decides (a variable, an expression)."""
    here = action.written
    if action.kind != "respell" or not isinstance(here, Written) or action.value is here.value:
        return False
    return isinstance(here.value, Unknown | Undetermined)


def _needs(least: str, actions: tuple[Action, ...], context: Context) -> str:
    """The first release that has every option the actions write, and no older one than the rule says; "" for any."""
    catalog = context.target.catalog
    firsts = [catalog.life("engine", action.option)[:1] for action in actions if action.kind in ("set", "respell")]
    oldest = catalog.releases[0]
    known = [release for life in firsts for release, _, _ in life if release != oldest]
    return max([*known, least] if least else known, key=catalog.ordinal, default="")


def _conflicts(needs: str, context: Context) -> tuple[PinnedAt, ...]:
    """What in the engine's own project installs a release that refuses what is written."""
    source, catalog = context.target.engine.situation.source, context.target.catalog
    if not needs or source.pinned is None or catalog.ordinal(source.value) >= catalog.ordinal(needs):
        return ()
    return (source.pinned,)


def _actions_on_use(entry: ActionSpec, context: Context, using: Using) -> Iterator[Action]:
    """Changes of a call: a keyword gets a value, or goes."""
    name = entry.argument or using.use.key
    if entry.of:
        for other in using.named(entry.of):
            if other.arguments.get(name) != entry.to:
                yield Action("set", name, entry.to, other)
        return
    if entry.succeed:
        from vllm_migrate.rules.successors import keyword

        new = keyword(using)
        if new is not None:
            yield Action("drop", name, None, using.use) if new.value is None else Action("respell", *new, using.use)
    elif entry.remove:
        yield Action("drop", name, None, using.use)
    elif entry.text:
        yield Action("set", name, Unknown(entry.text.replace("{value}", using.text)), using.use)
    elif entry.argument:
        yield Action("set", name, _value(entry, context), using.use)


def _value(entry: ActionSpec, context: Context) -> object:
    """What an action sets something to; Undetermined where the files do not decide it."""
    return entry.to if entry.to_of is None else entry.to_of.evaluate(context)


def _actions(entry: ActionSpec, context: Context) -> Iterator[Action]:
    if entry.when.evaluate(context) is not True:
        return
    written = context.written
    if context.using is not None:
        yield from _actions_on_use(entry, context, context.using)
        return
    if entry.set:
        value = _value(entry, context)
        option = context.option if entry.set in ("setting", "default") else entry.set
        here = written if entry.in_place else context.wrote(option)
        if not isinstance(value, Undetermined):
            yield Action("set" if here is None else "respell", option, value, here)
    elif entry.drop:
        at_hand = entry.drop == "setting"
        target = written if at_hand else context.wrote(entry.drop)
        if target is not None:
            yield Action("drop", context.option_of(target) if at_hand else entry.drop, None, target)
    elif entry.respell and written is not None:
        yield Action("respell", context.option_of(written), written.value, written)
    elif entry.rename and context.setting is not None:
        rename = context.setting.rename()
        if rename is not None and rename.new is not None and rename.polarity == "same":
            from vllm_migrate.rules.successors import renamed_keys

            option = rename.new.lstrip("-").replace("-", "_")
            value = renamed_keys(context.source, context.target, option, context.setting.written.value)
            yield Action("respell", option, value, written)
    elif entry.succeed and context.setting is not None:
        from vllm_migrate.rules import successors

        yield from successors.actions(context.source, context.target, context.setting)
    elif entry.core:
        yield Action("core", "engine", "v1")

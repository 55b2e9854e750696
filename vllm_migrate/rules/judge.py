"""Evaluate the compiled rules on an engine and a pair of releases. Knows no rule by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vllm_migrate.dialects.hydra import unseen
from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, evaluate
from vllm_migrate.knowledge.load import Knowledge, Record
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import SEVERITIES, Action, Finding, Fix
from vllm_migrate.rules.setting import Setting, by_option, first_diagnostic
from vllm_migrate.rules.unmoved import steady, unmoved

# What becomes of a setting that the target does not know, as an option of a command line or as a keyword.
OPTION = "the server does not start: the parser exits with 2 on an option it does not know"
KEYWORD = "the engine is not built: a keyword that vLLM does not know raises TypeError"


if TYPE_CHECKING:
    from vllm_migrate.rules.default import Default
    from vllm_migrate.rules.using import Using


class Context:
    """The environment of a rule's conditions: both views of an engine, and the setting at hand if there is one.

    from.X, to.X: effective values at the two releases; X alone: at the target. from.release, to.release.
    setting.key, .option, .value: the setting at hand, an option or an environment variable; .before, .after: its
    option's effective values; .diagnostic, .was: what became of it at the target and at the source (dropped; or refused:
    unknown, ambiguous, value, choice, missing, refused; "" when it arrives); .existed, .exists: whether the source, the
    target has the option; .ever: any release; .renamed, .polarity: its curated successor between the releases ("" when
    none) and how it relates (same, inverted, value, nested, split, deleted); .deprecated: what the target says of it (""
    when nothing); .switched: whether the key names another option at the target.
    default.option, .key, .layer, .since: the option at hand of a rule for each changed default; .old, .new: its declared
    defaults; .before, .after: its effective values; .unset: neither the user nor the framework sets it; .accepted: the
    target takes the old default.
    set('x') at the target; from_set('x'); written('x'): by the user; crosses('0.14.0'): the change lies between.
    exists('x'), since('0.14.0'), key('x', 'k') at the target, from_exists(...) and so on at the source; known(x);
    starts(): whether the release accepts all that is written;
    maybe(x): x, or True where it is not known (for what makes a finding matter, not true);
    rounds(x, dtype): whether storing the number x in bfloat16 or float16 changes it.
    use.*, and functions of a use: see rules/using.py.
    """

    __slots__ = ("_by_option", "default", "setting", "source", "target", "using")

    def __init__(
        self,
        source: View,
        target: View,
        setting: Setting | None = None,
        by_option: dict[str, Written] | None = None,
        default: Default | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.setting = setting
        self.using: Using | None = None
        self.default = default
        self._by_option = by_option

    @property
    def written(self) -> Written | None:
        """The setting, or the use, at hand."""
        return self.setting.written if self.setting is not None else self.using.use if self.using is not None else None

    @property
    def option(self) -> str:
        """The option at hand, "" where a rule is asked of the whole engine."""
        if self.setting is not None:
            return self.setting.option
        return self.default.option if self.default is not None else ""

    def name(self, dotted: str) -> object:
        head, _, rest = dotted.partition(".")
        if head == "from":
            return self.source.release if rest == "release" else self.source.name(rest)
        if head == "to":
            return self.target.release if rest == "release" else self.target.name(rest)
        if head == "setting":
            assert self.setting is not None, "setting.* is for rules with each: setting or given"
            return self.setting.fact(rest)
        if head == "use":
            assert self.using is not None, "use.* is for rules with each: use"
            return self.using.fact(rest)
        if head == "default":
            assert self.default is not None, "default.* is for rules with each: default"
            return self.default.fact(rest, self.source, self.target)
        return self.target.name(dotted)

    def call(self, function: str, args: list[object]) -> object:
        if function == "crosses":
            ordinal = self.target.catalog.ordinal
            at = ordinal(str(args[0]))
            return ordinal(self.source.release) < at <= ordinal(self.target.release)
        if function == "written":
            return self._is_written(str(args[0]))
        if self.using is not None and function in self.using.functions:
            return self.using.call(function, args)
        if function in ("from_set", "from_exists", "from_since", "from_key"):
            return self.source.call(function[5:], args)
        if function == "effective":
            return self.target.name(str(args[0]))
        return self.target.call(function, args)

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
            given = self.target.engine.given.get(option)
            return given.written if given else None
        if self._by_option is None:
            self._by_option = by_option([Setting(self.source, self.target, w) for w in self.target.engine.options])
        return self._by_option.get(option)

    def option_of(self, written: Written) -> str:
        return Setting(self.source, self.target, written).option


def judge(engine: Engine, source: View, target: View, knowledge: Knowledge) -> list[Finding]:
    """Every finding of every rule on one engine. Derived rules come last, and say nothing of settings others spoke of."""
    if engine.uses:
        return _of_program(source, target, knowledge)
    settings = [Setting(source, target, written) for written in engine.options]
    written = by_option(settings)
    whole = Context(source, target, None, written)
    # What the framework declares and never reads is a setting to speak of, and sets nothing.
    dead = [Setting(source, target, setting) for setting, _ in engine.dead]
    contexts = [Context(source, target, setting, written) for setting in [*settings, *dead]]
    uneasy = [context for context in contexts if context.setting is not None and not context.setting.quiet]
    by_kind = {"engine": [whole], "setting": uneasy}
    out: list[Finding] = []
    said: set[tuple[str, int] | str] = set()
    for rule in knowledge.in_order:
        each, options = str(rule.get("each", "engine")), rule.get("options")
        asked = by_kind.get(each)
        if asked is None or (each == "setting" and isinstance(options, list)):
            asked = _asked(each, options if isinstance(options, list) else None, whole, contexts)
        for context in asked:
            test = _holds(rule, context)
            if test is False:
                continue
            finding = _finding(rule, context, test)
            # A default has no place of its own: its option tells whether it was spoken of.
            subject = finding.option if each == "default" else (finding.spot.file.path, finding.spot.start)
            if not (rule.get("derived") and subject in said):
                out.append(finding)
                said.add(finding.option)
                if each not in ("engine", "default"):
                    said.add(subject)
    return out


def _of_program(source: View, target: View, knowledge: Knowledge) -> list[Finding]:
    """Every finding on the uses of a program. Derived rules come last, and are silent about a place others spoke of."""
    from vllm_migrate.rules.using import Using

    contexts: dict[str, list[Context]] = {}
    for use in target.engine.uses:
        context = Context(source, target)
        context.using = Using(use, source, target)
        contexts.setdefault(use.name, []).append(context)
    out: list[Finding] = []
    said: set[int] = set()
    for rule in knowledge.in_order:
        for part in [rule, *_parts(rule)]:
            names = part.get("options") if part.get("each") == "use" else None
            for context in (
                [context for name in names for context in contexts.get(str(name), ())]
                if isinstance(names, list)
                else []
            ):
                test = _holds(part, context)
                if test is False:
                    continue
                finding = _finding(part, context, test)
                if not (rule.get("derived") and finding.spot.start in said):
                    out.append(finding)
                    said.add(finding.spot.start)
    return out


def _parts(rule: Record) -> list[Record]:
    """What else a rule is asked of, each part whole: what it does not say, the rule says for it."""
    parts = rule.get("also")
    return parts if isinstance(parts, list) else []


def _asked(each: str, options: list[str] | None, whole: Context, contexts: list[Context]) -> list[Context]:
    """What a rule is asked of, that names options or is about defaults, remarks or facts."""
    if each == "setting":
        return [
            context for context in contexts if context.setting is not None and context.setting.option in (options or ())
        ]
    source, target = whole.source, whole.target
    if each == "default":
        if not any(target.catalog.is_added(release) for release in (source.release, target.release)):
            return []  # rules of their own know what shipped releases changed; tests/rules/test_default.py holds that
        from vllm_migrate.rules.default import moved

        changed = moved(target.catalog, target.knowledge, source.release, target.release)
        return [Context(source, target, default=default) for default in changed]
    if each == "remark":
        return [Context(source, target, Setting(source, target, remark)) for remark in target.engine.remarks]
    if each != "given":
        return []
    given = target.engine.given
    names = options if options is not None else [name for name in given if name.startswith("env.")]
    facts = [given[name] for name in names if name in given]
    return [
        Context(source, target, Setting(source, target, fact.written)) for fact in facts if fact.written is not None
    ]


def _holds(rule: Record, context: Context) -> object:
    """The rule's condition: False where it does not hold, Undetermined where it may and where that makes a difference."""
    test = evaluate(rule["when"], context)
    if not isinstance(test, Undetermined):
        return bool(test)
    return False if unmoved(rule["when"], context, lambda name: steady(name, context.source, context.target)) else test


def _finding(rule: Record, context: Context, test: object) -> Finding:
    """What a rule says of a context in which its condition holds, or may hold."""
    reasons = test.reasons if isinstance(test, Undetermined) else ()
    severity, more = _severity(rule, context)
    reasons = tuple(dict.fromkeys((*reasons, *more)))
    if reasons and severity == "error":
        severity = SEVERITIES[1]  # what depends on the unseen is never an error
    spot, key = _where(rule, context)
    layer = context.default.layer if context.default is not None else str(rule["layer"])
    finding = Finding(str(rule["code"]), str(rule["name"]), severity, layer, "", spot, context.target.engine)
    finding.key = key
    finding.option = str(rule.get("option", "")) or context.option
    finding.old = _side(rule, "old", context, context.source, finding.option)
    finding.new = _side(rule, "new", context, context.target, finding.option)
    finding.depends_on = reasons
    said = _variant(rule, context)
    finding.message = _fill(str(said.get("message", rule["message"])), finding, context)
    finding.why = _fill(str(said.get("why", rule["why"])), finding, context)
    finding.advice = _fill(str(said.get("advice", rule.get("advice", ""))), finding, context)
    finding.fix = _fix(rule, context, finding)
    if _written_elsewhere(finding):
        finding.spot, finding.key = context.target.engine.spot(), context.target.engine.site_path
    return finding


def _written_elsewhere(finding: Finding) -> bool:
    """Whether what a finding points at stands in a parent, and its pin goes to another file: each child has its own then."""
    fix, home = finding.fix, finding.engine.home() if finding.engine is not None else None
    pins = fix is not None and any(action.pins for action in fix.actions)
    return pins and home is not None and home.file is not finding.spot.file


def _variant(rule: Record, context: Context) -> Record:
    """The first variant of what the rule says that certainly holds."""
    variants = rule.get("variants")
    for variant in variants if isinstance(variants, list) else []:
        if evaluate(variant["when"], context) is True:
            assert isinstance(variant, dict)
            return variant
    return {}


def _severity(rule: Record, context: Context) -> tuple[str, tuple[str, ...]]:
    """The rule's severity, or that of the first context that holds, and what cases that may hold depend on.

    A rule with `joint_depends: false` does not depend on what only its severity depends on.
    """
    cases = rule.get("severity_when")
    reasons: list[str] = []
    for entry in cases if isinstance(cases, list) else []:
        test = evaluate(entry["when"], context)
        if isinstance(test, Undetermined):
            reasons.extend(test.reasons)
        elif test:
            return str(entry["severity"]), tuple(reasons) if rule.get("joint_depends", True) else ()
    return str(rule["severity"]), tuple(reasons) if rule.get("joint_depends", True) else ()


def _where(rule: Record, context: Context) -> tuple[Spot, str]:
    """The place of a finding: the setting at hand, else the first of `at` that is written, else the engine."""
    engine = context.target.engine
    written = context.written
    if written is None:
        places = rule.get("at")
        for option in places if isinstance(places, list) else []:
            written = context.wrote(str(option))
            if written is not None:
                break
    if context.using is not None:
        return context.using.use.spot, context.using.path
    if written is not None:
        return written.spot, f"{engine.site_path}.{written.key}".lstrip(".")
    return engine.spot(), engine.site_path


def _side(rule: Record, side: str, context: Context, view: View, option: str) -> object:
    if side in rule:
        return rule[side]
    if f"{side}_of" in rule:
        value = evaluate(rule[f"{side}_of"], context)
    elif context.using is not None:
        return None
    elif context.written is not None and first_diagnostic(view.delivery, context.written) is None:
        value = context.written.value
    elif option and context.written is None:
        value = view.name(option)
    else:
        return None
    return None if isinstance(value, (Undetermined, Unknown)) else value


def _fill(text: str, finding: Finding, context: Context) -> str:
    if "{" not in text:
        return text
    diagnostic = first_diagnostic(context.target.delivery, context.written) if context.written else None
    words = {
        "old": show(finding.old),
        "new": show(finding.new),
        "from": context.source.release,
        "to": context.target.release,
        "nor": f", nor does {context.source.release}" if context.source.release != context.target.release else "",
        "option": finding.option.removeprefix("sampling.").removeprefix("env."),
        "key": context.written.key if context.written else finding.option,
        "value": show(context.written.value) if context.written else "",
        "why": diagnostic.text if diagnostic else "",
        "upgrade": str(context.target.engine.dialect.get("upgrade", "")),
        "off": _off(context),
        "reads": _reads(context),
        "engine": context.target.engine.id,
        "dies": KEYWORD if diagnostic is not None and diagnostic.text.startswith("unexpected keyword") else OPTION,
    }
    if "{because}" in text:
        because = context.source.value(finding.option).because
        words["because"] = f" ({because})" if because else ""
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    if context.setting is not None and "{" in text:
        text = _fill_life(text, context.setting)
    if context.using is not None and "{" in text:
        text = text.replace("{gone}", context.using.gone()).replace("{home}", context.using.home())
    if context.default is not None:
        text = text.replace("{since}", context.default.since)
    return " ".join(text.split())


def _fill_life(text: str, setting: Setting) -> str:
    """The placeholders that ask the catalog: what became of the setting, and what takes its place."""
    rename = setting.rename() if "{renamed}" in text or "{note}" in text or "{instead}" in text else None
    new = (rename.new or "") if rename else ""
    lives: dict[str, Callable[[], str]] = {
        "removed_in": lambda: f" in {gone}" if (gone := setting.removed_in()) else "",
        "hint": setting.hint,
        "candidates": setting.candidates,
        "deprecated": setting.deprecation,
        "renamed": lambda: new if "_" in setting.written.key else new.replace("_", "-"),
        "instead": lambda: f"; {new} takes its place" if new else "",
        "note": lambda: f" ({rename.note})" if rename and rename.note else "",
    }
    for word, value in lives.items():
        if "{" + word + "}" in text:
            text = text.replace("{" + word + "}", value())
    return text


def _off(context: Context) -> str:
    """How the dialect switches the option at hand off where a plain false does not arrive."""
    key = context.written.key if context.written else ""
    option = context.setting.option if context.setting is not None else ""
    text = str(context.target.engine.dialect.get("switch_off", "write no-{key}: true"))
    return text.replace("{key}", key).replace("{option}", option)


def _reads(context: Context) -> str:
    reads = context.target.engine.dialect.get("reads")
    key = context.written.key if context.written else ""
    note = reads.get(key.replace("_", "-"), "") if isinstance(reads, dict) else ""
    return f" ({note})" if note else ""


def show(value: object) -> str:
    """A value as a person writes it in a configuration."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return (value.text or "its value") if isinstance(value, Unknown) else str(value)


def _fix(rule: Record, context: Context, finding: Finding) -> Fix | None:
    """The fix that a rule proposes; None where there is nothing to write."""
    fix = rule.get("fix")
    if not isinstance(fix, dict):
        return None
    if evaluate(fix.get("unless", False), context) is True:
        return None
    actions = tuple(action for entry in fix.get("do", []) for action in _actions(entry, context))
    if not actions:
        return None
    safety = str(fix["safety"])
    lowered = evaluate(fix.get("review_when", False), context)
    if safety == "safe" and (finding.depends_on or lowered is True or isinstance(lowered, Undetermined)):
        safety = "review"
    needs = str(fix.get("needs", ""))
    return Fix(_fill(str(fix["title"]), finding, context), safety, actions, needs, tuple(fix.get("with_rules", ())))


def _actions_on_use(entry: Record, context: Context, using: Using) -> Iterator[Action]:
    """Changes of a call: a keyword gets a value, or goes."""
    name = str(entry.get("argument", "")) or using.use.key
    if "of" in entry:
        for other in using.named(str(entry["of"])):
            if other.arguments.get(name) != entry.get("to"):
                yield Action("set", name, entry.get("to"), other)
        return
    if entry.get("remove"):
        yield Action("drop", name, None, using.use)
    elif "text" in entry:
        yield Action("set", name, Unknown(str(entry["text"]).replace("{value}", using.text)), using.use)
    elif "argument" in entry:
        value = evaluate(entry["to_of"], context) if "to_of" in entry else entry.get("to")
        yield Action("set", name, value, using.use)


def _actions(entry: Record, context: Context) -> Iterator[Action]:
    test = evaluate(entry.get("when", True), context)
    if test is not True:
        return
    written = context.written
    if context.using is not None:
        yield from _actions_on_use(entry, context, context.using)
        return
    if "set" in entry:
        option = str(entry["set"])
        value = evaluate(entry["to_of"], context) if "to_of" in entry else entry.get("to")
        if option in ("setting", "default"):
            option = context.option
        here = written if entry.get("in_place") else context.wrote(option)
        if not isinstance(value, Undetermined):
            yield Action("set" if here is None else "respell", option, value, here)
    elif "drop" in entry:
        option = str(entry["drop"])
        target = written if option == "setting" else context.wrote(option)
        if target is not None:
            yield Action("drop", context.option_of(target) if option == "setting" else option, None, target)
    elif entry.get("respell") and written is not None:
        yield Action("respell", context.option_of(written), written.value, written)
    elif entry.get("rename") and context.setting is not None:
        rename = context.setting.rename()
        if rename is not None and rename.new is not None and rename.polarity == "same":
            yield Action("respell", rename.new.lstrip("-").replace("-", "_"), context.setting.written.value, written)
    elif entry.get("core"):
        yield Action("core", "engine", "v1")

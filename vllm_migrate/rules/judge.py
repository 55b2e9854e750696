"""Evaluate the compiled rules on an engine and a pair of releases. Knows no rule by name."""

from __future__ import annotations

from collections.abc import Iterator

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.deliver import Trouble
from vllm_migrate.dialects.flags import destinations
from vllm_migrate.dialects.model import Engine, Spot, Written
from vllm_migrate.effective.view import View
from vllm_migrate.knowledge.expr import Unsure, evaluate
from vllm_migrate.knowledge.load import Knowledge, Record
from vllm_migrate.rules.finding import SEVERITIES, Act, Finding, Proposal


class Case:
    """The environment of a rule's conditions: both views of an engine, and the setting at hand if there is one.

    from.X, to.X: effective values at the two releases; X alone: at the target. from.release, to.release.
    setting.key, .option, .value: the setting at hand; .before, .after: its option's effective values; .trouble, .was: what became of it at the target and at
    the source (dropped, refused kinds unknown, ambiguous, value, choice, missing; "" when it arrives).
    set('x') at the target; from_set('x'); written('x'): by the user; crosses('0.14.0'): the change lies between.
    """

    def __init__(self, source: View, target: View, written: Written | None = None) -> None:
        self.source = source
        self.target = target
        self.written = written

    def name(self, dotted: str) -> object:
        head, _, rest = dotted.partition(".")
        if head == "from":
            return self.source.release if rest == "release" else self.source.name(rest)
        if head == "to":
            return self.target.release if rest == "release" else self.target.name(rest)
        if head == "setting":
            return self._setting(rest)
        return self.target.name(dotted)

    def call(self, function: str, args: list[object]) -> object:
        if function == "crosses":
            ordinal = self.target.catalog.ordinal
            at = ordinal(str(args[0]))
            return ordinal(self.source.release) < at <= ordinal(self.target.release)
        if function == "written":
            return self._is_written(str(args[0]))
        if function == "from_set":
            return self.source.call("set", args)
        if function in ("from_exists", "from_since", "from_key"):
            return self.source.call(function[5:], args)
        if function == "effective":
            return self.target.name(str(args[0]))
        if function == "known":
            return not isinstance(args[0], Unsure)
        return self.target.call(function, args)

    def _is_written(self, option: str) -> object:
        engine = self.target.engine
        if self.wrote(option) is not None:
            return True
        if engine.missing:
            names = ", ".join(missing.name for missing in engine.missing)
            return Unsure((f"whether a parent that was not found ({names}) sets {option}",), (False, True))
        return False

    def wrote(self, option: str) -> Written | None:
        """The setting that the user wrote for an option, whether it arrives or not (the last one)."""
        if "." in option:
            given = self.target.engine.given.get(option)
            return given.written if given else None
        found = None
        for written in self.target.engine.options:
            names = (self.target.delivery.named.get(written.number), self.source.delivery.named.get(written.number))
            if option in names or option == written.option:
                found = written
        return found

    def _setting(self, name: str) -> object:
        written = self.written
        assert written is not None, "setting.* is for rules with each: setting"
        if name == "key":
            return written.key
        if name == "option":
            return self.option_of(written)
        if name == "value":
            return Unsure((f"the value of {written.key}",)) if _undecided(written) else written.value
        if name == "trouble":
            return _kind(self.trouble(self.target, written))
        if name == "was":
            return _kind(self.trouble(self.source, written))
        if name == "before":
            return self.source.name(self.option_of(written))
        if name == "after":
            return self.target.name(self.option_of(written))
        if name == "existed":
            return _exists(self.source.catalog, self.option_of(written), self.source.release)
        if name == "exists":
            return _exists(self.target.catalog, self.option_of(written), self.target.release)
        raise KeyError(name)

    def option_of(self, written: Written) -> str:
        source, target = self.source.delivery.named, self.target.delivery.named
        found = source.get(written.number) or target.get(written.number)
        if found:
            return found
        trouble = self.trouble(self.source, written) or self.trouble(self.target, written)
        return trouble.option if trouble else written.key.replace("-", "_")

    @staticmethod
    def trouble(view: View, written: Written) -> Trouble | None:
        for trouble in view.delivery.troubles:
            if trouble.written is written:
                return trouble
        return None


def _undecided(written: Written) -> bool:
    from vllm_migrate.documents.interface import Unknown

    return isinstance(written.value, Unknown)


def _kind(trouble: Trouble | None) -> str:
    return trouble.kind if trouble else ""


def _exists(catalog: Catalog, option: str, release: str) -> bool:
    return option in catalog.names("engine", release) or option in destinations(catalog, release)


def judge(engine: Engine, source: View, target: View, knowledge: Knowledge) -> list[Finding]:
    """Every finding of every rule on one engine."""
    out: list[Finding] = []
    for rule in knowledge.rules:
        each = rule.get("each", "engine")
        if each == "engine":
            out.extend(_apply(rule, Case(source, target)))
        elif each == "setting":
            for written in engine.options:
                case = Case(source, target, written)
                if _concerns(rule, case, written):
                    out.extend(_apply(rule, case))
        elif each == "given":
            out.extend(_given(rule, engine, source, target))
    return out


def _given(rule: Record, engine: Engine, source: View, target: View) -> Iterator[Finding]:
    """Rules about environment variables and the like: one finding for each that is written."""
    options = rule.get("options")
    for name in options if isinstance(options, list) else []:
        given = engine.given.get(name)
        if given is not None and given.written is not None:
            yield from _apply(rule, Case(source, target, given.written))


def _concerns(rule: Record, case: Case, written: Written) -> bool:
    option = case.option_of(written)
    options = rule.get("options")
    if isinstance(options, list):
        return option in options
    claimed = rule.get("claimed")
    return not (isinstance(claimed, list) and option in claimed and rule.get("when") is not None and _derived(rule))


def _derived(rule: Record) -> bool:
    return bool(rule.get("claimed"))


def _apply(rule: Record, case: Case) -> Iterator[Finding]:
    test = evaluate(rule["when"], case)
    if test is False or (not isinstance(test, Unsure) and not test):
        return
    reasons = test.reasons if isinstance(test, Unsure) else ()
    severity = _severity(rule, case, bool(reasons))
    spot, key = _where(rule, case)
    finding = Finding(str(rule["code"]), str(rule["name"]), severity, str(rule["layer"]), "", spot, case.target.engine)
    finding.key = key
    finding.option = str(rule.get("option", "")) or (case.option_of(case.written) if case.written else "")
    finding.old = _side(rule, "old", case, case.source, finding.option)
    finding.new = _side(rule, "new", case, case.target, finding.option)
    finding.depends_on = reasons
    finding.message = _fill(str(rule["message"]), finding, case)
    finding.why = _fill(str(rule["why"]), finding, case)
    finding.advice = _fill(str(rule.get("advice", "")), finding, case)
    finding.proposal = _proposal(rule, case, finding)
    yield finding


def _severity(rule: Record, case: Case, depends: bool) -> str:
    """The rule's severity; a case that holds replaces it; what depends on the unseen is never an error."""
    severity = str(rule["severity"])
    cases = rule.get("severity_when")
    for entry in cases if isinstance(cases, list) else []:
        if evaluate(entry["when"], case) is True:
            severity = str(entry["severity"])
            break
    if depends and severity == "error":
        severity = SEVERITIES[1]
    return severity


def _where(rule: Record, case: Case) -> tuple[Spot, str]:
    """The place of a finding: the setting at hand, else the first of `at` that is written, else the engine."""
    engine = case.target.engine
    written = case.written
    if written is None:
        places = rule.get("at")
        for option in places if isinstance(places, list) else []:
            written = case.wrote(str(option))
            if written is not None:
                break
    if written is not None:
        return written.spot, f"{engine.site_path}.{written.key}".lstrip(".")
    return engine.spot(), engine.site_path


def _side(rule: Record, side: str, case: Case, view: View, option: str) -> object:
    if side in rule:
        return rule[side]
    if f"{side}_of" in rule:
        value = evaluate(rule[f"{side}_of"], case)
    elif case.written is not None and case.trouble(view, case.written) is None:
        value = case.written.value
    elif option and case.written is None:
        value = view.name(option)
    else:
        return None
    return None if isinstance(value, Unsure) else value


def _fill(text: str, finding: Finding, case: Case) -> str:
    if "{" not in text:
        return text
    trouble = case.trouble(case.target, case.written) if case.written else None
    words = {
        "old": show(finding.old),
        "new": show(finding.new),
        "from": case.source.release,
        "to": case.target.release,
        "option": finding.option.removeprefix("sampling.").removeprefix("env."),
        "key": case.written.key if case.written else finding.option,
        "value": show(case.written.value) if case.written else "",
        "why": trouble.text if trouble else "",
        "upgrade": str(case.target.engine.dialect.get("upgrade", "")),
        "reads": _reads(case),
        "engine": case.target.engine.id,
    }
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return " ".join(text.split())


def _reads(case: Case) -> str:
    reads = case.target.engine.dialect.get("reads")
    key = case.written.key if case.written else ""
    note = reads.get(key.replace("_", "-"), "") if isinstance(reads, dict) else ""
    return f" ({note})" if note else ""


def show(value: object) -> str:
    """A value as a person writes it in a configuration."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _proposal(rule: Record, case: Case, finding: Finding) -> Proposal | None:
    fix = rule.get("fix")
    if not isinstance(fix, dict):
        return None
    if evaluate(fix.get("unless", False), case) is True:
        return None
    acts = [act for entry in fix.get("do", []) for act in _acts(entry, case)]
    if not acts:
        return None
    safety = str(fix["safety"])
    lowered = evaluate(fix.get("review_when", False), case)
    if safety == "safe" and (finding.depends_on or lowered is True or isinstance(lowered, Unsure)):
        safety = "review"
    needs = str(fix.get("needs", ""))
    return Proposal(_fill(str(fix["title"]), finding, case), safety, acts, needs, tuple(fix.get("with_rules", ())))


def _acts(entry: Record, case: Case) -> Iterator[Act]:
    test = evaluate(entry.get("when", True), case)
    if test is not True:
        return
    written = case.written
    if "set" in entry:
        option = str(entry["set"])
        value = evaluate(entry["to_of"], case) if "to_of" in entry else entry.get("to")
        if not isinstance(value, Unsure):
            yield Act("set", option, value, case.wrote(option))
    elif "drop" in entry:
        option = str(entry["drop"])
        target = written if option == "setting" else case.wrote(option)
        if target is not None:
            yield Act("drop", case.option_of(target) if option == "setting" else option, None, target)
    elif entry.get("respell") and written is not None:
        yield Act("set", case.option_of(written), written.value, written)
    elif entry.get("core"):
        yield Act("core", "engine", "v1")

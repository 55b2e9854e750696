"""The VM9xx rules: what is said of a file that could not be analysed, or not wholly. They are about reading, not about vLLM."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.knowledge.records import NEVER, Explain, Rule, RulePage, Severity


class FileRule(NamedTuple):
    """silent: when it does not fire; reasons: the slugs under which a parser raises it (none: the run itself finds it); milder:
    those for which it is an info; checklist: people settle it elsewhere; no_edit: why nothing is written.
    """

    code: str
    name: str
    severity: Severity
    title: str
    why: str
    write: str
    silent: str
    reasons: tuple[str, ...] = ()
    milder: tuple[str, ...] = ()
    checklist: bool = False
    no_edit: str = "it is about how the file can be read, and not about a setting in it"


FILE_RULES = (
    FileRule(
        "VM900",
        "not-analysed",
        "warning",
        "A file could not be analysed",
        "what it sets is not known",
        "see the message",
        "every file can be analysed, or one of the rules below says why not",
    ),
    FileRule(
        "VM901",
        "no-engine-recognised",
        "info",
        "No vLLM engine was recognised in a file you named",
        "a file of an unsupported framework must not look clean",
        "`vllm-migrate dialects` lists what is recognised",
        "an engine or a program that uses vLLM is recognised in the file, or the file was found in a folder and not named",
        no_edit="without an engine there is no setting to write",
    ),
    FileRule(
        "VM902",
        "parent-not-found",
        "info",
        "A parent configuration was not found",
        "the parent's settings may change the findings of its children; findings that depend on it say so",
        "lint it together with its configuration folder",
        "every parent that a configuration names is found, or the name depends on something that no file shows",
        checklist=True,
    ),
    FileRule(
        "VM903",
        "does-not-parse",
        "warning",
        "A file does not parse",
        "nothing in it was judged, except engines of a script in which only placeholders are wrong",
        "fix the syntax, or run vllm-migrate with the Python version that the file is written for",
        "the file parses; of files that were not named, those that show no sign of vLLM are not parsed",
        ("syntax",),
        ("placeholders",),
    ),
    FileRule(
        "VM904",
        "not-utf8",
        "warning",
        "A file is not UTF-8",
        "nothing in it was judged",
        "save it as UTF-8",
        "the file is UTF-8; of files that were not named, those that show no sign of vLLM are not read as text",
        ("not-utf8",),
    ),
    FileRule(
        "VM905",
        "template",
        "info",
        "A file is a template, which is only YAML once rendered",
        "nothing in it was judged",
        "lint the rendered file",
        "the file is YAML as it stands",
        ("template",),
        checklist=True,
    ),
    FileRule(
        "VM906",
        "too-large",
        "warning",
        "A file is too large",
        "nothing in it was judged",
        "exclude or split it",
        "the file is no larger than what is read",
        ("too-large",),
    ),
    FileRule(
        "VM907",
        "too-deep",
        "warning",
        "A file nests too deeply",
        "nothing in it was judged",
        "exclude it",
        "the file does not nest too deep, nor does it contain itself",
        ("too-deep", "circle"),
    ),
    FileRule(
        "VM908",
        "alias-bomb",
        "warning",
        "A file expands to too much data, or takes too many steps to judge",
        "nothing in it was judged, or not all of it",
        "exclude it, or divide it: one file may have some thousands of engines or findings",
        "anchors and merges of the file expand to a bounded amount of data, and it has fewer engines",
        ("alias-bomb", "too-much"),
    ),
    FileRule(
        "VM909",
        "unreadable-file",
        "warning",
        "A file cannot be read",
        "nothing in it was judged",
        "check that it exists, is text and is readable",
        "the file exists, is text and is readable",
        ("vanished", "unreadable", "binary"),
    ),
    FileRule(
        "VM910",
        "unused-suppression",
        "info",
        "A suppression comment hides nothing",
        "it would hide a finding that comes back later",
        "remove the comment, or correct it",
        "the comment hides a finding, or the rule that it names was not selected in this run",
        no_edit="no file shows whether the comment is superfluous or names the wrong rule",
    ),
    FileRule(
        "VM911",
        "outside-project",
        "info",
        "A link or a parent leads outside the project",
        "it was not read, and its settings may change the findings; findings that depend on it say so",
        "if it may be read, name it on the command line, or its folder with --allow-outside DIR or VLLM_MIGRATE_ALLOW_OUTSIDE",
        "every link and parent lies inside the project, or in a folder that may be read",
        ("outside",),
    ),
    FileRule(
        "VM912",
        "release-beyond-catalog",
        "warning",
        "A release is newer than the catalog",
        "the newest known release stands in for it, so what changed after that is not reported",
        "`vllm-migrate catalog add` adds a release from its sdist, wheel, source tree or interpreter",
        "the catalog has the release that the project pins, or one that is newer",
        no_edit="the pin is right, and what is missing is in the catalog",
    ),
)


def for_reason(reason: str) -> FileRule:
    """The rule for a reason why a file could not be read."""
    milder = next((rule for rule in FILE_RULES if reason in rule.milder), None)
    if milder is not None:
        return milder._replace(severity="info")
    return next((rule for rule in FILE_RULES if reason in rule.reasons), FILE_RULES[0])


def named(name: str) -> FileRule:
    return next(rule for rule in FILE_RULES if rule.name == name)


def as_rules() -> tuple[Rule, ...]:
    """In the form of the rules that are judged, for lists."""
    return tuple(
        Rule(rule.code, rule.name, rule.title, "broken-config", rule.severity, NEVER, rule.title, rule.why)
        for rule in FILE_RULES
    )


def page_of(name: str) -> RulePage:
    """What `explain` tells of one of these rules."""
    from vllm_migrate.knowledge.page import sentence

    rule = named(name)
    what, why, write, silent = map(sentence, (rule.title, rule.why, rule.write, rule.silent))
    return RulePage(silent, Explain(what, why, write), (), rule.no_edit)

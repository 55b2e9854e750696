"""Every rule's own examples, through the whole way: files to findings, findings to fixes, fixed files to findings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.report.wording import faults
from tests.rules.forks import forked
from tests.situations import move
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.situation import Situate
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.apply import Fixer, fix_all
from vllm_migrate.knowledge.build import RuleFile, read_rules, rules_folder
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Example, Rule
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.findings import finding_of
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.judging import Run
from vllm_migrate.run.versions import find_releases

RULES = read_rules(rules_folder())


class Linted(NamedTuple):
    situate: Situate
    findings: list[Firing]
    fixer: Fixer

    def of(self, rule: Rule) -> list[Firing]:
        return [finding for finding in self.findings if finding.name == rule.name]


def lint(folder: Path, example: Example, rule: Rule) -> Linted:
    """All files of an example, as one run of the linter judges them."""
    # The framework that the example's own requirements pin, as a session takes it.
    frameworks = {pin.package: pin.version for pin in find_releases(str(folder)) if pin.exact}
    situate = move(example.source, example.target, example.from_engine, example.gpu, frameworks)
    paths = [str(folder / name) for name in example.files]
    workspace = Workspace(paths, situate=situate)
    catalog = forked(load_catalog(), example.target, example.fork) if example.fork else load_catalog()
    run = Run(catalog, load_knowledge().asking(lambda code, name: name == rule.name), workspace)
    for path in paths:
        run.judge_file(path)
    result = run.finish()
    assert not result.problems, [problem.message for problem in result.problems]
    return Linted(situate, result.findings, Fixer(catalog, load_knowledge(), situate=situate))


def write(folder: Path, example: Example) -> None:
    for name, text in example.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def unplanned(fired: Firing) -> Finding:
    return finding_of(fired, None)


def fix(linted: Linted, findings: list[Firing]) -> dict[str, str]:
    """Write every fix that proves; the new text of each edited file."""
    outcome = fix_all(findings, linted.fixer, unsafe=True)
    out = {}
    for file, edits in outcome.edits.items():
        out[file.path] = apply_edits(file.source.text, edits)
        Path(file.path).write_text(out[file.path], encoding="utf-8")
    return out


def cases(kind: str) -> list[object]:
    return [
        pytest.param(file.rule, example, id=f"{file.rule.name}-{example.title.replace(' ', '_')}")
        for file in RULES
        for example in getattr(file.examples, kind)
    ]


@pytest.mark.parametrize(("rule", "example"), cases("fires"))
def test_fires(rule: Rule, example: Example, tmp_path: Path) -> None:
    write(tmp_path, example)
    linted = lint(tmp_path, example, rule)
    found = linted.of(rule)
    assert found, [f.name for f in linted.findings]
    finding = found[0]
    assert finding.severity == (example.severity or rule.severity)
    if example.line:
        assert finding.spot.file.source.position(finding.spot.start).line == example.line
    if example.depends is not None:
        assert bool(finding.depends_on) is example.depends, finding.depends_on
    if example.says:
        assert example.says in " ".join((finding.message, finding.why, finding.advice))
    plan = linted.fixer.plan(finding)
    template = Path(rules_folder(), f"{rule.name}.yaml").read_text(encoding="utf-8").partition("\nexamples:")[0]
    assert faults([finding_of(finding, plan), *map(unplanned, found[1:])], template) == []
    if example.safety is not None:
        offered = finding_of(finding, plan).fix
        assert (offered.safety if offered else "none") == example.safety, plan
    if example.after:
        _check_fix(rule, example, linted, tmp_path)


def _check_fix(rule: Rule, example: Example, linted: Linted, folder: Path) -> None:
    texts = fix(linted, linted.of(rule))
    lines = [line.strip() for text in texts.values() for line in text.splitlines()]
    assert example.after in lines, texts
    again = lint(folder, example, rule)
    assert not again.of(rule), "the rule fires on what it fixed"
    # Together with the fixes of every other rule.
    write(folder, example)
    assert fix(linted, linted.findings)
    again = lint(folder, example, rule)
    assert not again.of(rule), "the rule fires on what was fixed together"
    assert fix(again, again.findings) == {}, "a second fix changes something"


@pytest.mark.parametrize(("rule", "example"), cases("silent"))
def test_silent(rule: Rule, example: Example, tmp_path: Path) -> None:
    write(tmp_path, example)
    linted = lint(tmp_path, example, rule)
    assert not linted.of(rule), [(f.severity, f.message) for f in linted.of(rule)]


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.rule.name)
def test_a_rule_is_whole(file: RuleFile) -> None:
    """Evidence, an explanation in three parts, one example that fires and two that do not."""
    assert file.examples.fires and len(file.examples.silent) >= 2
    assert file.page.evidence
    explain = file.page.explain
    assert all(part.strip() for part in (explain.what, explain.why, explain.write))
    assert os.path.exists(rules_folder() / f"{file.rule.name}.yaml"), "one file a rule, called by its name"

"""rules/ is checked when it is compiled, the mistakes are named with file and field, and the compiled file is fresh."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge.build import compile_all, main, read_dialects, read_rules, render, rules_folder, stale
from vllm_migrate.knowledge.load import COMPILED, Knowledge, dialect_page, load, rule_page

Change = Callable[[dict[str, object]], None]


def test_the_compiled_files_are_fresh() -> None:
    assert stale(rules_folder()) == [], "run python -m vllm_migrate.knowledge.build"


def test_the_same_rules_give_the_same_bytes() -> None:
    code = "from vllm_migrate.knowledge.build import render, rules_folder; print(render(rules_folder()))"
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        for seed in ("1", "2")
    ]
    assert texts[0].stdout == texts[1].stdout


def test_every_record_has_a_line_of_its_own() -> None:
    """So that branches conflict only where they change the same rule, dialect or entry."""
    lines = render(rules_folder())[COMPILED].splitlines()
    found = [json.loads("{" + line.rstrip(",") + "}") for line in lines if line.startswith('"') and line[-1] in "},"]
    knowledge = load()
    assert len(found) == sum(
        map(len, (knowledge.rules, knowledge.dialects, knowledge.effective, knowledge.gpus, knowledge.models))
    )
    assert json.loads(render(rules_folder())[COMPILED]).keys() == {"dialects", "effective", "gpus", "models", "rules"}


def test_what_is_told_and_examples_are_no_part_of_what_a_lint_reads() -> None:
    read, told = compile_all(rules_folder())
    for kind in ("rules", "dialects", "effective"):
        assert read[kind].keys() == told[kind].keys()
        for name, fields in read[kind].items():
            assert not {"examples", "evidence", "about", "explain", "silent_when"} & fields.keys()
            assert told[kind][name]["evidence"]


def test_what_is_loaded_is_what_was_read() -> None:
    knowledge = load()
    assert [rule.code for rule in knowledge.rules] == [file.rule.code for file in read_rules(rules_folder())]
    for file in read_rules(rules_folder()):
        assert rule_page(file.rule.name) == file.page
    for dialect in read_dialects(rules_folder()):
        assert dialect_page(dialect.dialect.id) == dialect.page


def test_a_part_of_a_rule_has_what_the_rule_has() -> None:
    rule = load().rule("inflight-weight-update")
    assert rule is not None
    assert len(rule.also) > 2
    for part in rule.also:
        assert (part.code, part.name, part.layer) == (rule.code, rule.name, rule.layer)
        assert part.each == "use" and part.options and part.message != rule.message


def test_a_rule_is_found_by_code_in_any_case_and_by_name() -> None:
    knowledge = Knowledge(json.loads(render(rules_folder())[COMPILED]))
    rule = knowledge.rule("logprobs-semantics")
    assert rule is not None
    assert knowledge.rule("vm401") is rule
    assert knowledge.rule("no-such-rule") is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of rules/ with one rule in it."""
    source, target = rules_folder(), tmp_path / "rules"
    target.mkdir()
    for name in ("dialects", "effective", "predicates"):
        shutil.copytree(source / name, target / name)
    shutil.copy(source / "multi-step.yaml", target)
    return target


def edit(path: Path, change: Change) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rule: rule.update(severity="fatal"), "severity"),
        (lambda rule: rule.pop("evidence"), "evidence"),
        (lambda rule: rule.update(evidence=[]), "evidence"),
        (lambda rule: rule.update(code="VM1"), "code"),
        (lambda rule: rule.update(colour="red"), "colour"),
        (lambda rule: rule["explain"].pop("why"), "explain.why"),
        (lambda rule: rule["examples"].update(silent=rule["examples"]["silent"][:1]), "examples.silent"),
        (lambda rule: rule.update(when="setting.existed and ("), "when"),
        (lambda rule: rule["fix"].update(review_when="a.b()"), "fix.review_when"),
        (lambda rule: rule["fix"]["do"].append({"set": "seed", "to_of": "1 +"}), "fix.do[1].to_of"),
        (lambda rule: rule.update(name="multi-steps"), "name"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_and_field(folder: Path, change: Change, said: str) -> None:
    edit(folder / "multi-step.yaml", change)
    with pytest.raises(VllmMigrateError) as error:
        compile_all(folder)
    assert error.value.message.startswith("rules/multi-step.yaml:")
    assert said in error.value.message


def test_a_file_that_is_no_yaml_is_named(folder: Path) -> None:
    (folder / "multi-step.yaml").write_text("code: [", encoding="utf-8")
    with pytest.raises(VllmMigrateError, match=r"multi-step\.yaml: "):
        compile_all(folder)


def test_two_rules_of_one_code_are_named(folder: Path) -> None:
    text = (folder / "multi-step.yaml").read_text(encoding="utf-8")
    (folder / "single-step.yaml").write_text(text.replace("name: multi-step", "name: single-step"), encoding="utf-8")
    with pytest.raises(
        VllmMigrateError,
        match=r"single-step\.yaml:\d+: code: VM203 is the rule of rules/multi-step\.yaml; the next free one is VM\d+$",
    ):
        compile_all(folder)


def test_a_code_outside_the_families_is_refused_in_words(folder: Path) -> None:
    rule = folder / "multi-step.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("code: VM203", "code: VM923"), encoding="utf-8")
    with pytest.raises(VllmMigrateError, match=r"multi-step\.yaml:1: code: 'VM923' is no code: .*docs/rules/README"):
        compile_all(folder)


def test_an_unknown_option_writes_nothing() -> None:
    with pytest.raises(SystemExit):
        main(["--chek"])


def test_a_condition_of_a_dialect_is_named(folder: Path) -> None:
    edit(folder / "dialects" / "pipelinerl.yaml", lambda raw: raw["transport"][0].update(when="fact.launcher =="))
    with pytest.raises(VllmMigrateError, match=r"rules/dialects/pipelinerl\.yaml:\d+: transport\[0\]\.when: "):
        compile_all(folder)


def test_a_mistake_in_effective_is_named(folder: Path) -> None:
    path = folder / "effective" / "engine.yaml"
    edit(path, lambda raw: raw["cases"][0].update(when="env.X =="))
    with pytest.raises(VllmMigrateError, match=r"rules/effective/engine\.yaml:\d+: cases\[0\]\.when: "):
        compile_all(folder)


def test_check_only_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from vllm_migrate.knowledge import build

    target = tmp_path / "knowledge.json"
    monkeypatch.setattr(build, "COMPILED", str(target))
    monkeypatch.setattr(build, "PAGES", str(tmp_path / "pages.json"))
    assert build.main(["--check"]) == 1
    assert not target.exists()
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    target.write_text("{}", encoding="utf-8")
    assert build.main(["--check"]) == 1
    assert target.read_text(encoding="utf-8") == "{}"
    assert "stale" in capsys.readouterr().out

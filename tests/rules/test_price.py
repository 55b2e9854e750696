"""What pins cost and when they can go; why rules that only advise write nothing."""

from __future__ import annotations

import json
import re

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.cli.main import main
from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.knowledge.reading import as_rules, page_of
from vllm_migrate.knowledge.records import Rule

RULES = load().rules
AT_HAND = ("setting", "default")


def fixes(rule: Rule) -> bool:
    return any(part.fix is not None for part in (rule, *rule.also))


def pins(rule: Rule) -> bool:
    """Whether a rule's fix writes an option of its own choice, or the source's default, where none is written."""
    actions = rule.fix.do if rule.fix is not None else ()
    return any(
        (action.set and action.set not in AT_HAND and not action.in_place) or action.set == "default"
        for action in actions
    )


@pytest.mark.parametrize("rule", [rule for rule in RULES if not fixes(rule)], ids=lambda rule: rule.name)
def test_a_rule_that_only_advises_says_why(rule: Rule, capsys: pytest.CaptureFixture[str]) -> None:
    reason = rule_page(rule.name).no_edit
    assert len(reason) > 20 and not reason.endswith(".")
    assert main(["explain", rule.code]) == 0
    assert "Why there is no edit" in capsys.readouterr().out


def test_only_those_say_it() -> None:
    told = {rule.name for rule in RULES if rule_page(rule.name).no_edit}
    assert told == {rule.name for rule in RULES if not fixes(rule)}
    assert all(page_of(rule.name).no_edit for rule in as_rules())


@pytest.mark.parametrize("rule", [rule for rule in RULES if pins(rule)], ids=lambda rule: rule.name)
def test_a_pin_has_a_price_and_an_end(rule: Rule, capsys: pytest.CaptureFixture[str]) -> None:
    assert rule.fix is not None and rule.fix.cost and rule.fix.drop_when is not None
    assert rule.fix.drop_when.because
    since = rule.fix.drop_when.since
    assert not since or (since in load_catalog().releases and since in rule.fix.drop_when.because)
    assert main(["explain", rule.code]) == 0
    shown = capsys.readouterr().out
    assert "What the pin costs" in shown and "When the pin can go" in shown


def test_the_list_of_rules_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--output-format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rules"]}
    assert rows["cascade-attn-default"]["drop_when"]["since"] == "0.18.0"
    assert rows["cascade-attn-default"]["cost"] and rows["cascade-attn-default"]["no_edit"] is None
    assert rows["engine-seed-default"]["no_edit"] and rows["engine-seed-default"]["cost"] is None
    assert all((row["fix"] == "none") is bool(row["no_edit"]) for row in rows.values())


@pytest.mark.parametrize("rule", [*RULES, *as_rules()], ids=lambda rule: rule.name)
def test_a_page_has_its_severities_and_its_fixes(rule: Rule, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of its further parts, too; and no name has a capital that it does not have."""
    assert main(["explain", rule.code]) == 0
    shown = capsys.readouterr().out
    parts = (rule, *rule.also)
    head = shown.splitlines()[1]
    assert head.startswith(rule.severity)
    assert all(part.severity in head and all(c.severity in head for c in part.severity_when) for part in parts)
    assert shown.count("\nFix: ") == sum(part.fix is not None for part in parts)
    assert ("Why there is no edit" in shown) is not fixes(rule)
    assert not re.search(r"\b(VLLM|Verl|RLLM|Dtype)\b(?!_)", shown.replace("VLLM_", ""))


def test_each_rule_about_files_says_why_in_its_own_words() -> None:
    reasons = {
        name: page_of(name).no_edit for name in ("does-not-parse", "unused-suppression", "release-beyond-catalog")
    }
    assert len(set(reasons.values())) == 3

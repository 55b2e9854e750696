"""Rules come and go, their codes do not: codes.txt lists every code there ever was, with the name of its rule."""

from __future__ import annotations

from vllm_migrate.knowledge.build import rules_folder
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.reading import as_rules
from vllm_migrate.run.select import Selection

LISTED = [line.split() for line in (rules_folder() / "codes.txt").read_text(encoding="utf-8").splitlines()]
RULES = {rule.code: rule for rule in load().rules + as_rules()}


def test_every_rule_is_listed_under_its_code_for_good() -> None:
    """A new rule adds a line. A rule that is removed keeps its line, with `removed` and the release behind its name."""
    names = {code: name for code, name, *_ in LISTED}
    assert len(names) == len(LISTED), "a code is listed once"
    assert list(names) == sorted(names)
    assert {code: rule.name for code, rule in RULES.items()}.items() <= names.items(), "codes are never used again"


def test_what_is_listed_exists_or_says_when_it_went() -> None:
    gone = {code: rest for code, _, *rest in LISTED if rest}
    assert all(rest[0] == "removed" and len(rest) == 2 for rest in gone.values())
    assert {code for code, *_ in LISTED} - gone.keys() == RULES.keys()


def test_a_rule_in_preview_speaks_only_where_it_is_selected_itself() -> None:
    chosen = {
        (): False,
        ("ALL",): False,
        ("VM1",): False,
        ("VM101",): True,
        ("prefix-caching-default",): True,
        ("VM1", "vm101"): True,
    }
    for selectors, speaks in chosen.items():
        selection = Selection(None, extend_select=selectors, preview=["VM101"])
        assert selection.selects("VM101", "prefix-caching-default") is speaks, selectors
        assert selection.selects("VM102", "async-scheduling-default")
    ignored = Selection(["VM101"], ["VM101"], preview=["VM101"])
    assert not ignored.selects("VM101", "prefix-caching-default")


def test_every_rule_says_which_release_brought_it() -> None:
    assert all(rule.since[:1].isdigit() for rule in RULES.values())
    assert [rule.name for rule in RULES.values() if rule.status != "stable"] == ["stale-pin"]

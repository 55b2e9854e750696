"""docs/rules/ is made from the rule files, and is fresh."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from vllm_migrate.knowledge.build import RuleFile, read_rules, rules_folder
from vllm_migrate.knowledge.docs import evidence, index, main, pages, table
from vllm_migrate.knowledge.page import rule_page, safety
from vllm_migrate.knowledge.reading import FILE_RULES, as_rules, page_of
from vllm_migrate.knowledge.records import Evidence
from vllm_migrate.report.history import rule_html, rule_markdown

RULES = read_rules(rules_folder())
DOCS = rules_folder().parent / "docs" / "rules"


@pytest.mark.skipif(not DOCS.is_dir(), reason="an installation has no docs")
def test_the_pages_are_fresh() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    assert kept == pages(RULES), "run python -m vllm_migrate.knowledge.docs"
    assert main(["--check"]) == 0


def test_the_index_has_every_rule_once() -> None:
    text = index(RULES)
    for file in RULES:
        assert text.count(f"]({file.rule.name}.md)") == 1
    assert text.count("\n| VM") == len(RULES) + len(FILE_RULES)


def test_the_table_counts_examples_and_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--table"]) == 0
    text = capsys.readouterr().out
    assert text == table(RULES)
    known = next(file for file in RULES if file.rule.name == "logprobs-semantics")
    fires, silent = len(known.examples.fires), len(known.examples.silent)
    assert (
        f"VM401 logprobs-semantics: fires on {fires}, silent on {silent}; {len(known.page.evidence)} pieces of evidence"
        in text
    )
    assert text.count("\n  + ") == sum(len(file.examples.fires) for file in RULES)
    assert f"\n{len(RULES)} rules, " in text


def test_no_placeholder_is_left_in_a_page() -> None:
    for name, text in pages(RULES).items():
        said = text.partition("## What it says")[2].partition("## When it is silent")[0]
        assert "{from}" not in said and "{to}" not in said, name


def test_explain_shows_no_placeholder() -> None:
    """In every format; braces of the explanation itself are code."""
    written = re.compile(r"(?<![\w$({])\{[a-z_]+\}")
    for file in RULES:
        explain, silent = file.page.explain, file.page.silent_when
        own = set(written.findall(f"{explain.what} {explain.why} {explain.write} {silent}"))
        assert not own & {"{key}", "{from}", "{to}", "{value}"}, file.rule.code
        for text in (rule_page(file.rule, file.page), *map("".join, _as_html_and_markdown(file))):
            assert set(written.findall(text)) <= own, (file.rule.code, written.findall(text))


def _as_html_and_markdown(file: RuleFile) -> list[Iterable[str]]:
    return [rule_html(file.rule, file.page), rule_markdown(file.rule, file.page)]


def test_each_rule_about_files_says_when_itself_is_silent() -> None:
    pages = {rule.code: page_of(rule.name) for rule in as_rules()}
    assert len({page.silent_when for page in pages.values()}) == len(pages)
    assert "not named" in pages["VM901"].silent_when


def test_a_page_has_its_parts_and_no_place_or_time() -> None:
    made = pages(RULES)
    for file in RULES:
        text = made[f"{file.rule.name}.md"]
        for title in (
            "What it says",
            "What happens",
            "Why it matters to your loss",
            "What to write",
            "When it is silent",
            "Evidence",
        ):
            assert f"\n## {title}\n" in text
        assert file.rule.code in text
        assert text.count("```") == 2 * sum(
            len(example.files) for example in (*file.examples.fires, *file.examples.silent)
        )
        assert str(Path(__file__).resolve().parents[2]) not in text


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (Evidence(pr="vllm#21398"), "[vllm-project/vllm#21398](https://github.com/vllm-project/vllm/pull/21398)"),
        (Evidence(thread="a/b#5"), "[a/b#5](https://github.com/a/b/issues/5)"),
        (Evidence(measured="on a CPU"), "measured: on a CPU"),
        (
            Evidence(release="0.18.1", file="vllm/a.py", symbol="A.b", line=3),
            "vLLM 0.18.1: [`vllm/a.py`](https://github.com/vllm-project/vllm/blob/v0.18.1/vllm/a.py#L3), line 3, `A.b`",
        ),
        (Evidence(release="0.8.5", catalog="engine.swap_space"), "catalog, vLLM 0.8.5: engine `swap_space` there"),
        (
            Evidence(release="0.8.5", catalog="engine.seed", unset=True),
            "catalog, vLLM 0.8.5: engine `seed` default unset",
        ),
        (Evidence(release="0.18.0", catalog="engine.x", value=True), "catalog, vLLM 0.18.0: engine `x` default `true`"),
        (Evidence(release="0.11.0", catalog="engine.x", absent=True), "catalog, vLLM 0.11.0: engine `x` absent"),
        (
            Evidence(repository="a/b", commit="abc", file="c.py"),
            "a/b at abc: [`c.py`](https://github.com/a/b/blob/abc/c.py)",
        ),
        (Evidence(repository="a/b", symbol="d"), "a/b: `d`"),
    ],
)
def test_evidence_reads_as_a_line(item: Evidence, line: str) -> None:
    assert evidence(item) == line
    assert not re.search(r"\bNone\b", line)


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.rule.name)
def test_a_page_says_every_fix_that_a_part_of_its_rule_offers(file: RuleFile) -> None:
    fixes = [fix for fix in (file.rule.fix, *(part.fix for part in file.rule.also)) if fix is not None]
    said = rule_page(file.rule, file.page, width=10_000)
    assert ("Fix: " in said) is bool(fixes)
    safeties = {fix.safety for fix in fixes}
    assert safety(file.rule) == ("safe" if "safe" in safeties else "review" if safeties else "none")
    assert fixes or "Why there is no edit" in said

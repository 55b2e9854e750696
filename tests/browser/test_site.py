"""The documentation in a real browser: pages, search, addresses of rules, and that no page asks another host for anything."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Open
from vllm_migrate.catalog import store
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.reading import as_rules
from vllm_migrate.knowledge.site import SITE, rule_url


def test_every_rule_has_its_address(site: Path) -> None:
    for rule in (*load().rules, *as_rules()):
        path = rule_url(rule.name).removeprefix(SITE)
        assert rule.code in (site / path / "index.html").read_text(encoding="utf-8")
        assert f"../{rule.name}/" in (site / "rules" / rule.code / "index.html").read_text(encoding="utf-8")


def test_schemas_stand_at_their_address(site: Path) -> None:
    check = pytest.importorskip("jsonschema").Draft202012Validator
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (site / "schemas").glob("*.json")}
    for schema in found.values():
        check.check_schema(schema)
    assert check(found["config.json"]).is_valid({"from": "0.8.5", "to": "0.18.1"})
    assert not check(found["config.json"]).is_valid({"form": "0.8.5"})
    serve = {name for name in found if name.startswith("serve-")}
    assert serve == {f"serve-{release}.json" for release in store.load().shipped}
    assert check(found["serve-0.8.5.json"]).is_valid({"swap-space": 4})
    assert not check(found["serve-0.18.1.json"]).is_valid({"swap-space": 4})


def test_a_code_leads_to_the_page_of_its_rule(open_page: Open) -> None:
    page = open_page("rules/VM101/")
    page.wait_for_url("**/rules/prefix-caching-default/")
    assert page.inner_text("h1").startswith("VM101 prefix-caching-default")


def test_the_search_finds_a_rule(open_page: Open) -> None:
    page = open_page("", viewport={"width": 1280, "height": 800})
    page.locator("input.md-search__input").click()
    page.keyboard.type("prefix caching")
    found = page.locator(".md-search-result__item a").first
    found.wait_for()
    links = page.locator(".md-search-result__item a").evaluate_all("nodes => nodes.map((node) => node.href)")
    assert any(urlsplit(link).path.startswith("/rules/prefix-caching-default/") for link in links)


@pytest.mark.parametrize(
    "path", ["", "tutorial/", "rules/", "rules/logprobs-semantics/", "options-engine/", "dialects/", "commands/"]
)
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_is_wider_than_the_screen(open_page: Open, path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": 800})
    assert page.inner_text("h1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_playground_is_linked(open_page: Open) -> None:
    page = open_page("playground/index.html")
    page.locator("h1").wait_for()
    assert page.title() == "vllm-migrate playground"
    home = open_page("")
    assert home.locator("a", has_text="Playground").count() > 0

"""The pages that the site is made of; tests/browser/ builds and opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vllm_migrate.catalog import store
from vllm_migrate.knowledge.load import load
from website import assets, reference
from website.build import ROOT_PAGES

ROOT = Path(__file__).parents[2]


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [leaf for entry in (nav.values() if isinstance(nav, dict) else nav) for leaf in leaves(entry)]


def test_every_page_is_in_the_navigation() -> None:
    nav = leaves(yaml.safe_load((ROOT / "website" / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    generated = {name for name in reference.pages() if "/" not in name}
    assert sorted(nav) == sorted({*pages, *generated, *map(str.lower, ROOT_PAGES), "rules/README.md", "playground.md"})


def test_the_reference_names_everything() -> None:
    pages = reference.pages()
    assert all(f"`{dialect.id}`" in pages["dialects.md"] for dialect in load().dialects)
    assert all(f"| `{name}` |" in pages["options-engine.md"] for name in store.load().all_names("engine"))
    assert "| `async_scheduling` | since 0.10.0 | `false`<br>0.14.0: `null` |" in pages["options-engine.md"]
    assert "--fail-on" in pages["commands.md"]


def test_the_examples_of_the_playground_are_there() -> None:
    for example in assets.examples():
        assert example["files"] and all(file["text"] for file in example["files"])


def test_what_is_locked_names_no_host() -> None:
    lock = (ROOT / "website" / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in lock and "http" not in lock and "integrity" in lock

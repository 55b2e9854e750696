"""Patterns of places: what they find, and that a look at the text before the walk hides nothing."""

from __future__ import annotations

import pytest

from vllm_migrate.dialects.sites import sites
from vllm_migrate.dialects.tree import File, Tree, has_word, merge, tree_of
from vllm_migrate.dialects.workspace import parse
from vllm_migrate.documents.interface import decode


def tree(text: str) -> Tree:
    source = decode("a.yaml", text.encode())
    found = tree_of(File(source, parse(source), True))
    assert found is not None
    return found


TEXT = "spec:\n  containers:\n  - name: a\n  - spec: {x: 1}\nother:\n  spec:\n    y: 2\n"


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("", [""]),
        ("spec", ["spec"]),
        ("**.spec", ["spec", "spec.containers.1.spec", "other.spec"]),
        ("spec.containers.*", ["spec.containers.0", "spec.containers.1"]),
        ("*.spec", ["other.spec"]),
        ("**.none", []),
    ],
)
def test_patterns(pattern: str, paths: list[str]) -> None:
    assert [path for path, _ in sites(tree(TEXT), pattern)] == paths


@pytest.mark.parametrize("text", ['"sp\\x65c": {a: 1}\n', "'spec': {a: 1}\n", "? spec\n: {a: 1}\n", "{spec: {a: 1}}\n"])
def test_a_key_is_found_however_it_is_spelled(text: str) -> None:
    assert [path for path, _ in sites(tree(text), "**.spec")] == ["spec"]


def test_a_key_of_another_file_of_the_composition_is_found() -> None:
    whole = merge(tree("a: {spec: {b: 1}}\n"), tree("a: {c: 1}\n"))
    assert whole is not None
    assert [path for path, _ in sites(whole, "**.spec")] == ["a.spec"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("spec: 1", True), ("a specific_spec", False), ("specific\nspec", True), ("x_spec spec2 spec", True), ("", False)],
)
def test_words(text: str, found: bool) -> None:
    assert has_word(text, "spec") is found

"""What changed between two releases, for one option and for all."""

from __future__ import annotations

import json

import pytest

from vllm_migrate.catalog import changes, diff, store
from vllm_migrate.catalog.changes import Change, between


def one(cat: store.Catalog, section: str, name: str, old: str = "0.8.5", new: str = "0.18.1") -> Change:
    found = between(cat, section, name, old, new)
    assert len(found) == 1, found
    return found[0]


def test_removed(cat: store.Catalog) -> None:
    change = one(cat, "engine", "swap_space")
    assert change[:6] == ("removed", "engine", "swap_space", 4, None, "0.18.0")


def test_added(cat: store.Catalog) -> None:
    change = one(cat, "engine", "logprobs_mode")
    assert change[:6] == ("added", "engine", "logprobs_mode", None, "raw_logprobs", "0.10.0")


def test_renamed_names_one_successor_and_the_rest_in_a_note(cat: store.Catalog) -> None:
    change = one(cat, "engine", "task")
    assert (change.kind, change.replaced_by, change.since) == ("renamed", "runner", "0.13.0")
    assert change.note and "convert" in change.note
    assert one(cat, "cli", "--task").replaced_by == "--runner"
    assert one(cat, "llm", "task").since == "0.10.1"


def test_a_pair_is_no_rename_before_its_successor_exists(cat: store.Catalog) -> None:
    assert between(cat, "frontend", "--expand-tools-even-if-tool-choice-none", "0.9.2", "0.10.0")[0].kind == "removed"


def test_default_and_since(cat: store.Catalog) -> None:
    assert one(cat, "engine", "seed")[:6] == ("default", "engine", "seed", None, 0, "0.12.0")
    assert between(cat, "engine", "seed", "0.12.0", "0.18.1") == []


def test_the_way_back(cat: store.Catalog) -> None:
    assert one(cat, "engine", "swap_space", "0.18.1", "0.8.5").kind == "added"
    assert one(cat, "engine", "seed", "0.18.1", "0.8.5").since == "0.8.5"


def test_choices(cat: store.Catalog) -> None:
    found = {c.kind: c for c in between(cat, "cli", "--kv-cache-dtype", "0.8.5", "0.18.1")}
    assert "fp8" in found["choices"].new


def test_same_tells_booleans_from_numbers() -> None:
    assert changes.same(4, 4.0) and not changes.same(1, True) and not changes.same([0], [False])
    assert changes.same({"a": [1]}, {"a": [1.0]}) and not changes.same({"a": 1}, {"b": 1})


def test_abbreviations(cat: store.Catalog) -> None:
    flags = cat.flags("0.18.1")
    assert changes.abbreviation(flags, "--swap-space").kind == "unknown"
    assert changes.abbreviation(flags, "--seed").kind == "exact"
    assert changes.abbreviation(flags, "--tensor-p") == ("unique", ["--tensor-parallel-size"])
    assert changes.abbreviation(flags, "--max-num").kind == "ambiguous"


def test_nearest_names(cat: store.Catalog) -> None:
    assert changes.nearest(cat, "engine", "enable_prefix_cachin", "0.18.1")[0] == "enable_prefix_caching"
    assert "--max-num-seqs" in changes.nearest(cat, "cli", "--max-num-seq", "0.18.1")
    assert changes.nearest(cat, "engine", "zzzz", "0.18.1") == []


def test_refused_choice(cat: store.Catalog) -> None:
    closed = cat.get("cli", "--logprobs-mode", "0.18.1")
    opened = cat.get("engine", "tokenizer_mode", "0.18.1")
    assert closed and opened and opened.open
    assert changes.refused_choice(closed, "nonsense") and not changes.refused_choice(closed, "raw_logits")
    assert not changes.refused_choice(opened, "anything")


@pytest.fixture(scope="module")
def found(cat: store.Catalog) -> list[Change]:
    return diff.diff(cat, "0.8.5", "0.18.1")


def count(found: list[Change], section: str, *kinds: str) -> int:
    return sum(c.section == section and c.kind in kinds for c in found)


def test_headline_of_the_default_pair(found: list[Change]) -> None:
    gone = ("removed", "renamed")
    assert [count(found, "engine", *gone), count(found, "engine", "added"), count(found, "engine", "default")] == [
        29,
        102,
        12,
    ]
    flags = [sum(count(found, s, *k) for s in ("cli", "frontend")) for k in (gone, ("added",), ("default",))]
    assert flags == [31, 120, 13]
    assert [count(found, "env", *gone), count(found, "env", "added"), count(found, "env", "default")] == [19, 143, 5]


def test_resolves_differently_shows_what_the_fields_hide(found: list[Change]) -> None:
    resolves = {c.option: c for c in found if c.kind == "resolves" and c.section == "engine"}
    assert "max_num_seqs" in resolves and "enable_prefix_caching" in resolves and "enable_chunked_prefill" in resolves
    cat = store.load()
    gates = {c.option: c for c in diff.diff(cat, "0.15.1", "0.16.0") if c.section == "route" and c.kind == "resolves"}
    assert gates["POST /pause"].old == "always" and "DEV_MODE" in gates["POST /pause"].new


def test_a_flag_that_moves_between_sections_is_neither_gone_nor_new(cat: store.Catalog) -> None:
    moved = diff.diff(cat, "0.9.2", "0.10.0")
    assert not [c for c in moved if c.option == "--data-parallel-start-rank" and c.kind in ("removed", "added")]


def test_json_is_the_contract(found: list[Change]) -> None:
    body = json.loads(diff.as_json("0.8.5", "0.18.1", found))
    assert {"schema": 1, "from": "0.8.5", "to": "0.18.1"}.items() <= body.items()
    for change in body["changes"]:
        assert set(change) - {"note"} == {"kind", "section", "option", "old", "new", "since", "replaced_by"}
        assert change["kind"] in changes.KINDS and change["section"] in store.SECTIONS
        assert not change["option"].rpartition(".")[2].startswith("_")
    keys = [(c["kind"], c["section"], c["option"]) for c in body["changes"]]
    assert len(keys) == len(set(keys))


def test_filters(found: list[Change]) -> None:
    assert {c.kind for c in diff.select(found, kinds=["renamed"])} == {"renamed"}
    assert {c.option for c in diff.select(found, option="swap-space")} >= {"swap_space", "--swap-space"}
    rl = diff.select(found, rl=True)
    assert 50 < len(rl) < len(found) / 2
    assert any(c.option == "logprobs_mode" for c in rl) and not any(c.option == "--ssl-ciphers" for c in rl)
    assert {c.option for c in diff.select(found, layer="semantic")} >= {"logprobs_mode", "seed"}
    assert any(c.option == "tokenizer_pool_size" for c in diff.select(found, layer="broken-config"))


def test_tables_for_a_terminal(found: list[Change]) -> None:
    import io

    from rich.console import Console

    from vllm_migrate.catalog import tables

    out = io.StringIO()
    few = diff.select(found, option="swap_space") + diff.select(found, kinds=["default"], option="hf_overrides")
    tables.show("0.8.5", "0.18.1", few, Console(file=out, width=110))
    page = out.getvalue()
    assert "Removed (" in page and "swap_space" in page and "null -> {}" in page


def test_text_and_markdown(found: list[Change]) -> None:
    few = diff.select(found, option="swap_space") + diff.select(
        found, kinds=["renamed"], option="guided_decoding_backend"
    )
    text = diff.as_text("0.8.5", "0.18.1", few)
    assert "Removed" in text and "0.18.0" in text and "-> structured_outputs_config" in text
    page = diff.as_markdown("0.8.5", "0.18.1", few)
    assert "| 0.18.0 | engine | `swap_space` |" in page
    assert all(line.count("|") - line.count("\\|") == 5 for line in page.splitlines() if line.startswith("|"))


def test_what_is_shown_of_two_values_differs(cat: store.Catalog) -> None:
    """A pair that is cut before it differs says that nothing changed."""
    for old, new in (("0.8.5", "0.18.1"), ("0.10.2", cat.releases[-1])):
        for change in diff.diff(cat, old, new):
            text = diff.describe(change)
            for mark in (" -> ", "; now "):
                was, found, now = text.removeprefix("no longer ").partition(mark)
                if found and change.kind in ("default", "resolves"):
                    assert not now.startswith(was.removesuffix("...")) or not was.endswith("..."), text
                    assert len(text) < 200, text
    assert diff.distinct("b" * 70, "a" * 70, 60) == ("b" * 57 + "...", "a" * 57 + "...")


@pytest.mark.parametrize("length", [0, 1, 40, 56, 57, 58, 70, 400])
@pytest.mark.parametrize("shared", ["a", "word ", "long_name(of, a, call) "])
@pytest.mark.parametrize("rest", ["", " and more", " and much more" * 20])
def test_two_values_that_begin_alike_are_shown_where_they_differ(shared: str, length: int, rest: str) -> None:
    lead = (shared * length)[:length]
    one, other = diff.distinct(f"{lead}1{rest}", f"{lead}2{rest}", 60)
    assert one != other and max(len(one), len(other)) <= 60
    assert "1" in one and "2" in other


def test_choices_say_what_comes_and_what_goes() -> None:
    for old, new, said in (
        (["a", "b"], ["b", "c"], "removes a; adds c"),
        (["a"], None, '["a"] -> any value'),
        (None, ["a"], 'any value -> ["a"]'),
    ):
        assert diff.describe(Change("choices", "engine", "x", old, new, "0.18.1")) == said


def test_what_is_cut_is_told_where_to_read() -> None:
    for expression, cut in (("short", False), ("a_name " * 40, True)):
        change = Change("default", "engine", "x", None, {"expr": expression}, "0.18.1")
        for show in (diff.as_text, diff.as_markdown):
            assert ("vllm-migrate explain" in show("0.8.5", "0.18.1", [change])) is cut


def test_the_default_of_what_is_gone_is_called_so() -> None:
    gone = Change("removed", "engine", "swap_space", True, None, "0.18.0")
    assert diff.describe(gone) == "its default was true"

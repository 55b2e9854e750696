"""The store's API, on a small catalog built by hand and on the shipped one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.catalog import intervals, store

RELEASES = ["1.0.0", "1.1.0", "1.1.0.post1", "1.2.0"]
SWITCH = {"a": "bool_optional", "d": None}
STATES: list[dict[str, dict[str, Any]]] = [
    {"engine": {"x": {"d": 1}, "old": {"d": 0}}, "cli": {"--x": {"d": 1, "t": "int", "f": ["-x"]}, "--on": SWITCH}},
    {"engine": {"x": {"d": 1}}, "cli": {"--x": {"d": 1, "t": "int", "f": ["-x"]}, "--on": SWITCH}},
    {"engine": {"x": {"d": 2}}, "cli": {"--x": {"d": 2, "t": "int"}, "--on": SWITCH}},
    {
        "engine": {"x": {"d": 1}},
        "cli": {"--x": {"d": 1, "t": "int", "c": [1, 2]}, "--on": SWITCH, "--only": {"D": "o"}},
    },
]


def small() -> store.Catalog:
    pool = intervals.Pool()
    sections = intervals.merge(STATES, pool)
    return store.Catalog({"releases": RELEASES, "version": "t", "sections": sections, "facts": pool.values})


def test_intervals_open_close_and_reopen() -> None:
    pool = intervals.Pool()
    found = intervals.merge([{"s": {"a": 1}}, {"s": {"a": 1}}, {"s": {}}, {"s": {"a": 2}}], pool)
    assert found == {"s": {"a": [[0, 2, 0], [3, -1, 1]]}}
    assert pool.values == [1, 2]


def test_get_names_and_life() -> None:
    cat = small()
    assert cat.get("engine", "x", "1.1.0.post1").default == 2
    assert cat.get("engine", "old", "1.1.0") is None
    assert cat.names("engine", "1.0.0") == {"x", "old"}
    assert [(since, until, f.default) for since, until, f in cat.life("engine", "x")] == [
        ("1.0.0", "1.1.0.post1", 1),
        ("1.1.0.post1", "1.2.0", 2),
        ("1.2.0", None, 1),
    ]
    assert cat.life("engine", "never") == []
    assert cat.sections_of("--x") == ["cli"]


@pytest.mark.parametrize("spelling", ["1.1.0.post1", "v1.1.0.post1", "1.1.0-post1", "1.1.post1", " 1.1.0.post1 "])
def test_a_release_in_any_spelling(spelling: str) -> None:
    assert small().ordinal(spelling) == 2


@pytest.mark.parametrize(
    ("release", "nearest"),
    [
        ("1.1.1", ("1.1.0.post1", "1.2.0")),
        ("0.9", ("1.0.0",)),
        ("2.0", ("1.2.0",)),
        ("1.2.0.dev3", ("1.1.0.post1", "1.2.0")),
    ],
)
def test_an_unknown_release_names_its_neighbours(release: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(store.UnknownRelease) as error:
        small().ordinal(release)
    assert error.value.nearest == nearest
    assert all(one in str(error.value) for one in nearest)
    assert not small().knows(release)


def test_what_is_no_version_is_unknown_too() -> None:
    with pytest.raises(store.UnknownRelease):
        small().ordinal("latest")


def test_the_flag_table_holds_every_spelling() -> None:
    flags = small().flags("1.0.0")
    assert flags["-x"] is not flags["--x"] and flags["-x"].name == "--x" and flags["-x"].dest == "x"
    assert flags["--no-on"].negative and flags["--no-on"].dest == "on" and not flags["--on"].negative
    assert not flags["--on"].takes_value and flags["--x"].takes_value
    assert "-x" not in small().flags("1.2.0") and small().flags("1.2.0")["--x"].choices == [1, 2]
    assert small().flags("1.2.0")["--only"].dest == "o"
    assert flags["--help"].action == "help"
    assert sorted(small().flags("1.2.0").matching("--o")) == ["--on", "--only"]


def test_a_release_of_the_user_takes_its_place(own_cache: Path) -> None:
    folder = own_cache / "catalog"
    folder.mkdir(parents=True)
    added = {"schema": 1, "release": "0.18.2", "sections": {"engine": {"only_mine": {"d": 7}}}}
    (folder / "0.18.2.json").write_text(json.dumps(added))
    (folder / "broken.json").write_text("{")
    (folder / "other.json").write_text('{"schema": 9}')
    cat = store.load()
    assert cat.ordinal("0.18.2") == cat.ordinal("0.18.1") + 1
    assert cat.is_added("0.18.2") and not cat.is_added("0.18.1")
    assert [(since, until) for since, until, _ in cat.life("engine", "only_mine")] == [("0.18.2", "0.19.0")]
    assert cat.life("engine", "seed")[-1][0] == "0.19.0"  # the added release does not have it
    assert store.load() is cat


def test_the_hot_path_imports_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); "
        "from vllm_migrate.catalog import store; cat = store.load(); "
        "cat.flags('0.18.1'); cat.get('engine', 'seed', 'v0.8.5'); cat.renames; "
        "print(*sorted(set(sys.modules) - before))"
    )
    root = Path(store.__file__).parents[2]
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"packaging", "pydantic", "dataclasses", "pathlib", "ast", "inspect", "yaml", "difflib"}


ADDED: dict[str, Any] = {
    "schema": 1,
    "release": "9.9.9",
    "sections": {"engine": {"seed": {"d": 0}}},
    "details": {},
    "origin": {},
}
NOT_RELEASES: tuple[object, ...] = ("junk", "", 9, None, [], "9" * 5000 + ".1")
NOT_TABLES: tuple[object, ...] = (None, 1, [], "x")
JUNK: tuple[object, ...] = (
    *(None, [], 1, "x", {}, {"schema": 2}),
    *({**ADDED, "release": value} for value in NOT_RELEASES),
    *({**ADDED, key: value} for key in ("sections", "details", "origin") for value in NOT_TABLES),
    *({**ADDED, "sections": {"engine": value}} for value in (*NOT_TABLES, {"seed": 1}, {"seed": None})),
    {**ADDED, "details": {"engine": 1}},
)


@pytest.mark.parametrize("number", range(len(JUNK)))
def test_a_file_that_is_no_added_release_is_passed_over(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(tmp_path))
    folder = tmp_path / "catalog"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps({**ADDED, "release": "9.9.8"}))
    (folder / "x.json").write_text(json.dumps(JUNK[number]))
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "others.json").write_text(json.dumps({**ADDED, "release": "9.9.7"}))
    (folder / "others.json").chmod(0o666)
    store.forget()
    catalog = store.load()
    store.forget()
    assert [release for release in catalog.releases if release.startswith("9")] == ["9.9.8"]

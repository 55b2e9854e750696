"""The shipped data: all 45 releases, and what is known about them from elsewhere."""

from __future__ import annotations

import json
import os
import re

import pytest

from vllm_migrate.catalog import details, diff, relevance, store

COUNTS = {  # EngineArgs without private names, option entries, SamplingParams, envs.py
    "0.8.5": (104, 137, 30, 109),
    "0.18.1": (177, 226, 31, 233),
    "0.33.0": (257, 320, 39, 318),
}


def test_all_releases_in_order(cat: store.Catalog) -> None:
    assert len(cat.releases) == 45
    assert cat.releases[0] == "0.8.5" and cat.releases[-1] == "0.33.0"
    assert cat.releases.index("0.9.0") < cat.releases.index("0.10.0") < cat.releases.index("0.10.1.1")
    assert re.fullmatch(r"0\.33\.0\.[0-9a-f]{8}", cat.version)


@pytest.mark.parametrize("release", COUNTS)
def test_counts(cat: store.Catalog, release: str) -> None:
    engine = [n for n in cat.names("engine", release) if not cat.get("engine", n, release).extra("async_only")]
    flags = len(cat.names("cli", release)) + len(cat.names("frontend", release))
    found = len(engine), flags, len(cat.names("sampling", release)), len(cat.names("env", release))
    assert found == COUNTS[release]


@pytest.mark.parametrize(
    ("section", "name", "release", "default"),
    [
        ("engine", "seed", "0.8.5", None),
        ("engine", "seed", "0.18.1", 0),
        ("engine", "async_scheduling", "0.13.0", False),
        ("engine", "async_scheduling", "0.14.0", None),
        ("engine", "max_logprobs", "0.18.1", 20),
        ("engine", "gpu_memory_utilization", "0.18.1", 0.9),
        ("cli", "--enable-lora", "0.18.1", None),
        ("engine", "enable_lora", "0.18.1", False),
        ("llm", "disable_log_stats", "0.18.1", True),
        ("engine", "disable_log_stats", "0.18.1", False),
        ("sampling", "top_k", "0.8.5", -1),
        ("sampling", "top_k", "0.18.1", 0),
        ("env", "VLLM_USE_V1", "0.8.5", True),
        ("config", "CompilationConfig.level", "0.8.5", 0),
    ],
)
def test_known_defaults(cat: store.Catalog, section: str, name: str, release: str, default: object) -> None:
    facts = cat.get(section, name, release)
    assert facts is not None and facts.default == default


def test_variables_outside_envs(cat: store.Catalog) -> None:
    has = [r for r in cat.releases if cat.get("env_other", "VLLM_BATCH_INVARIANT", r)]
    assert has[0] == "0.12.0" or "0.12.0" in has
    assert cat.get("env_other", "VLLM_BATCH_INVARIANT", "0.18.1") is not None


def test_gates_of_the_weight_update_routes(cat: store.Catalog) -> None:
    gates = {r: cat.get("route", "POST /pause", r) for r in ("0.11.2", "0.12.0", "0.15.1", "0.16.0", "0.33.0")}
    assert gates["0.11.2"] is None
    assert gates["0.12.0"].extra("gate") is None and gates["0.15.1"].extra("gate") is None
    for release in ("0.16.0", "0.33.0"):
        assert gates[release].extra("gate") == "envs.VLLM_SERVER_DEV_MODE"


def test_o_is_the_compilation_config_and_later_the_optimization_level(cat: store.Catalog) -> None:
    assert cat.flags("0.11.2")["-O"].name == "--compilation-config"
    assert cat.flags("0.12.0")["-O"].name == "--optimization-level"
    assert cat.flags("0.12.0")["-cc"].name == "--compilation-config"


def test_every_curated_pair_agrees_with_the_catalog(cat: store.Catalog) -> None:
    assert len(cat.renames) > 100
    for pair in cat.renames:
        life = cat.life(pair.section, pair.old)
        assert life, pair.old
        assert life[-1][1] == pair.since, pair.old
        if pair.new is not None:
            homes = [cat.life(section, pair.new) for section in (pair.section, "engine")]
            assert any(homes), (pair.old, pair.new)
        else:
            assert pair.polarity == "deleted" and pair.note


def test_disable_log_requests_is_deleted_never_renamed(cat: store.Catalog) -> None:
    for pair in cat.renames:
        if "disable" in pair.old and "log" in pair.old and "request" in pair.old:
            assert pair.new is None
    found = [c for c in diff.diff(cat, "0.8.5", "0.18.1") if "disable-log-requests" in c.option]
    assert [(c.kind, c.section, c.since) for c in found] == [("removed", "frontend", "0.17.0")]


def test_each_release_names_its_source(cat: store.Catalog) -> None:
    origins = details.load(cat).origins
    for release in cat.releases:
        origin = origins[release]
        assert release in origin["artefact"]
        assert re.fullmatch(r"[0-9a-f]{64}", origin["artefact_sha256"])
        assert re.fullmatch(r"[0-9a-f]{64}", origin["tree_sha256"])


def test_rl_names_exist(cat: store.Catalog) -> None:
    known = {n for s in store.SECTIONS for n in cat.all_names(s)}
    tails = {n.rpartition(".")[2] for n in known}
    unknown = [n for n in relevance.layers() if n not in known and n not in tails]
    assert unknown == []


def test_no_text_of_the_data_names_a_machine() -> None:
    for name in ("catalog.json", "surface.json", "details.json"):
        with open(f"{store.DATA}/{name}", encoding="utf-8") as stream:
            text = stream.read()
        json.loads(text)
        home = os.path.expanduser("~")
        assert home == "/" or f"{home}/" not in text, "a path of the machine that built it"

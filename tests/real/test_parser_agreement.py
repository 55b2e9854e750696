"""Our simulation of the parser says what the releases' own parsers said (serve_config_spellings.json)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oracles import spellings
from oracles.client import RELEASES

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects import argv
from vllm_migrate.dialects.deliver import deliver
from vllm_migrate.dialects.discover import fill
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.tree import tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.load import load as load_knowledge

CATALOG = load_catalog()
PROFILE = next(p for p in load_knowledge().dialects if p["id"] == "vllm-serve-config")
IN_FILE = ["serve", "m", "--config", "F.yaml"]

# What the simulation does not do yet: (why, releases, cases). A line that explains nothing any more must go.
OPEN: list[tuple[str, tuple[str, ...], str]] = [
    ("dotted keys are unknown to 0.8.5", ("0.8.5",), r"--[\w-]+\.|^[\w-]+\.[\w.]+:"),
    ("0.8.5 writes lists and mappings as Python text", ("0.8.5",), r": \[|:\n  "),
    ("0.8.5 takes image=2", ("0.8.5",), r"limit-mm-per-prompt.*image=2"),
    ("0.8.5 reads this one with Python's literals", ("0.8.5",), r"use_inductor"),
    ("every occurrence of an appending option counts", RELEASES, r"middleware|ignore-patterns"),
    ("LoRA modules have a parser of their own", RELEASES, r"lora-modules"),
    ("keys of a configuration class are checked", ("0.18.1",), r"(compilation|attention)-config"),
    ("whole numbers in words, or auto", ("0.18.1",), r"max-model"),
    ("JSON objects", ("0.18.1",), r"hf[-_]overrides|additional-config|extra-config"),
    ("only one-letter options take a value glued on", RELEASES, r"^-tp2$"),
    ("-O3 is rewritten to --optimization-level 3", ("0.18.1",), r"^-O"),
    ("a key that begins with a dash", RELEASES, r"^--?t.*: 2"),
    ("the model after the options", RELEASES, r"^--seed 1 m$"),
]


def simulated_file(text: str, release: str) -> dict[str, object] | None:
    """{option: value} that reaches the engine from a config file; None: the parser refuses."""
    file = Workspace(["F.yaml"], {"F.yaml": text}).load("F.yaml")
    assert file is not None
    engine = Engine("serve", "serving", PROFILE, PROFILE["engines"][0], file)
    engine.root = engine.site = tree_of(file, 0)
    fill(engine)
    delivery = deliver(engine, CATALOG, release)
    if any(trouble.kind != "dropped" for trouble in delivery.troubles):
        return None
    return {option: arrived.value for option, arrived in delivery.values.items()}


def simulated_command(arguments: list[str], release: str) -> dict[str, object] | None:
    """{dest: value} that the parser stores; None: it refuses."""
    tokens = [argv.Token(text, number) for number, text in enumerate(arguments)]
    parsed = argv.parse(tokens, CATALOG.flags(release))
    if parsed.refusals or parsed.positional:
        return None
    return {arrival.dest: arrival.value for arrival in parsed.arrivals}


def alike(simulated: dict[str, object] | None, real: dict[str, Any]) -> bool:
    if simulated is None or "given" not in real:
        return simulated is None and "given" not in real
    given = {k: v for k, v in real["given"].items() if k not in ("model", "model_tag")}
    got = {k: v for k, v in simulated.items() if k != "model"}
    return set(got) == set(given) and all(same(got[k], given[k]) for k in given)


def same(simulated: object, real: object) -> bool:
    """Equal, types and all; of a configuration object only that it arrives."""
    if "__class__" in str(real):
        return True
    return simulated == real and type(simulated) is type(real)


def comparable(case: dict[str, Any], release: str) -> bool:
    """Not the older entry point, nor `m --model other`, nor a failure that is no refusal (`--help`, no mapping)."""
    if "entry" in case or "env" in case or any(a.partition("=")[0] == "--model" for a in case["argv"]):
        return False
    return case[release].get("exit") in (None, 2)


def unexplained(differing: list[str], release: str, every: list[str]) -> list[str]:
    """Differing cases that no line of OPEN explains, and lines of OPEN that match cases but explain none."""
    lines = [(why, pattern) for why, releases, pattern in OPEN if release in releases]
    left = [text for text in differing if not any(re.search(p, text) for _, p in lines)]
    for why, pattern in lines:
        if any(re.search(pattern, t) for t in every) and not any(re.search(pattern, t) for t in differing):
            left.append(f"agrees by now, remove from OPEN: {why}")
    return left


@pytest.mark.parametrize("release", RELEASES)
def test_simulation_agrees(release: str) -> None:
    every: list[str] = []
    differing: list[str] = []
    for case in spellings.load():
        if not comparable(case, release):
            continue
        if case["argv"] == IN_FILE:
            text = case["files"]["F.yaml"]
            got = simulated_file(text, release)
        elif "files" not in case and case["argv"][1:2] == ["m"]:
            text = " ".join(case["argv"][2:])
            got = simulated_command(case["argv"][2:], release)
        else:
            continue
        every.append(text)
        if not alike(got, case[release]):
            differing.append(text)
    assert len(every) > 400
    assert unexplained(differing, release, every) == []

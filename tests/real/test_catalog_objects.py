"""The catalog against real objects: what was read from source is what the imported release holds.

Beside the two releases of the fixtures, VLLM_MIGRATE_REAL_MORE=0.12.0=PYTHON:0.24.0=PYTHON names others.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog import changes, store

ACTIONS = {
    "_StoreAction": "store",
    "_StoreTrueAction": "store_true",
    "_StoreFalseAction": "store_false",
    "BooleanOptionalAction": "bool_optional",
    "_AppendAction": "append",
}
# two Literals in one Union: which of them becomes the choices depends on the process's hash seed
SEEDED = {("0.8.5", "--guided-decoding-backend")}
MORE = dict(pair.split("=", 1) for pair in os.environ.get("VLLM_MIGRATE_REAL_MORE", "").split(":") if "=" in pair)


def pythons(request: pytest.FixtureRequest, release: str) -> str:
    if release in MORE:
        return MORE[release]
    return str(request.getfixturevalue({"0.8.5": "vllm_py_085", "0.18.1": "vllm_py_0181"}[release]))


@pytest.fixture(params=["0.8.5", "0.18.1", *MORE])
def release(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """(release, what its own objects hold)."""
    return request.param, run_oracle(pythons(request, request.param), "catalog_facts.py", [{}])[0]


def has_object(value: Any) -> bool:
    """True when some part of a real value has no JSON form."""
    if isinstance(value, dict):
        return set(value) == {"object"} or any(has_object(v) for v in value.values())
    return isinstance(value, list) and any(has_object(v) for v in value)


class Tally:
    def __init__(self) -> None:
        self.equal = 0
        self.undecided: list[str] = []
        self.wrong: list[str] = []

    def judge(self, what: str, mine: Any, real: Any) -> None:
        if isinstance(mine, dict) and set(mine) == {"expr"}:
            self.undecided.append(what)
        elif changes.same(mine, real):
            self.equal += 1
        else:
            self.wrong.append(f"{what}: catalog {mine!r}, real {real!r}")

    def __str__(self) -> str:
        return f"{self.equal} equal, {len(self.undecided)} undecided, {len(self.wrong)} wrong"


@pytest.mark.parametrize("section", ["engine", "sampling", "llm", "config", "env"])
def test_defaults(release: tuple[str, dict[str, Any]], section: str) -> None:
    name, answer = release
    cat, tally = store.load(), Tally()
    real = {n: v for n, v in answer[section].items() if not n.rpartition(".")[2].startswith("_")}
    for option, value in real.items():
        facts = cat.get(section, option, name)
        assert facts is not None, f"{name} {section} {option} is not in the catalog"
        if section == "env" and isinstance(value, str):
            value = value.replace(answer["home"], "~")
        if has_object(value) and not facts.decided:
            tally.undecided.append(option)
        else:
            tally.judge(f"{section} {option}", changes.declared_default(facts), value)
    print(f"{name} {section}: {tally}")
    assert tally.wrong == []
    extra = {n for n in cat.names(section, name) - set(real) if not cat.get(section, n, name).extra("forced")}
    assert extra == set()
    assert tally.equal > len(real) * 0.9


def test_flags(release: tuple[str, dict[str, Any]]) -> None:
    name, answer = release
    cat, tally = store.load(), Tally()
    table = cat.flags(name)
    spelled_out = {o for n in cat.names("cli", name) for o in cat.get("cli", n, name).extra("spelled_out") or ()}
    assert set(table) - spelled_out == set(answer["flags"])
    for option, real in answer["flags"].items():
        flag = table[option]
        if flag.action == "help":
            continue
        raw = cat.get(flag.section, flag.name, name).raw
        tally.judge(f"{option} dest", flag.dest, real["dest"])
        tally.judge(f"{option} action", flag.action, ACTIONS.get(real["action"], real["action"]))
        tally.judge(f"{option} default", flag.default, real["default"])
        if (name, option) in SEEDED and set(real["choices"]) <= set(raw["c"]):
            continue
        tally.judge(f"{option} choices", raw.get("c"), real["choices"])
        if flag.takes_value:
            tally.judge(f"{option} nargs", flag.nargs, real["nargs"])
            tally.judge(f"{option} const", flag.const, real["const"])
    print(f"{name} flags: {len(answer['flags'])} options, {tally}")
    assert tally.wrong == []

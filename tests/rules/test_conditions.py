"""Every name and function that a condition in rules/ uses exists: a mistyped one would be silent for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import OptionFacts
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.model import Engine, Program, Use, Written
from vllm_migrate.knowledge.load import Record, load
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.default import Default
from vllm_migrate.rules.judge import Context
from vllm_migrate.rules.setting import Setting
from vllm_migrate.rules.using import Using

KNOWLEDGE = load()
CONDITIONS = ("when", "review_when", "unless", "to_of", "value_of", "old_of", "new_of")
# Facts that no option, sampling parameter or variable is: what a dialect can say of an engine.
FACTS = {fact for dialect in KNOWLEDGE.dialects for fact in dialect.get("given", ())}  # type: ignore[attr-defined]
OF_THE_ENGINE = {"engine", "role", "dialect", "entrypoint", "executor"}
CATALOG = load_catalog()
OPTIONS = {name for section in ("engine", "llm") for name in CATALOG.all_names(section)}
SAMPLING = set(CATALOG.all_names("sampling")) | {"via", "echo"}
# What dialects written in Python call the uses of vLLM's interfaces.
USES = {use["name"] for dialect in KNOWLEDGE.dialects for use in dialect.get("uses", ())}  # type: ignore[attr-defined]
VARIABLES = {name for section in ("env", "env_other") for name in CATALOG.all_names(section)}


def conditions(node: object, key: str = "") -> Iterator[object]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from conditions(value, name)
    elif key in CONDITIONS and isinstance(node, list):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from conditions(item)


def leaves(code: object) -> Iterator[list[object]]:
    """Names and calls of a compiled condition."""
    if isinstance(code, list):
        if code[0] in ("name", "call"):
            yield code
        for part in code[1:]:
            yield from leaves(part)


def known(dotted: str) -> bool:
    for side in ("from.", "to."):
        if dotted.startswith(side):
            dotted = dotted.removeprefix(side)
            break
    head, _, rest = dotted.partition(".")
    if not rest:
        return dotted in OPTIONS or dotted in OF_THE_ENGINE or dotted == "release"
    if head == "sampling":
        return rest in SAMPLING
    if head == "env":
        return rest in VARIABLES
    # A key of an option that is a mapping, or of what a dialect or the user tells.
    return (
        head in ("default", "gpu", "model", "setting", "use")
        or head in OPTIONS
        or dotted in FACTS
        or dotted == "config.core"
    )


SOURCES: list[tuple[str, Record]] = [(str(rule["name"]), rule) for rule in KNOWLEDGE.rules]
SOURCES += [(f"effective {name}", entry) for name, entry in KNOWLEDGE.effective.items()]


@pytest.mark.parametrize(("where", "record"), SOURCES, ids=[where for where, _ in SOURCES])
def test_names_are_known(where: str, record: Record) -> None:
    strangers = []
    for code in conditions(record):
        for leaf in leaves(code):
            if leaf[0] == "name" and not known(str(leaf[1])):
                strangers.append(leaf[1])
            names_option = leaf[1] in ("set", "from_set", "written", "exists", "from_exists", "key", "from_key")
            if names_option and leaf[2] != ["name", "default.option"] and not known(str(leaf[2])):
                strangers.append(leaf[2])
            if leaf[1] in ("since", "from_since", "crosses") and not CATALOG.knows(str(leaf[2])):
                strangers.append(leaf[2])
    assert strangers == []


@pytest.fixture(scope="module")
def case(
    tmp_path_factory: pytest.TempPathFactory,
    read_engine: Callable[[Path, str], Engine],
    view_both: Callable[[Engine, str, str], tuple[View, View]],
) -> Context:
    path = tmp_path_factory.mktemp("case") / "serve.yaml"
    engine = read_engine(path, "model: Qwen/Qwen2.5-7B\nmax-model-len: 8192\n")
    source, target = view_both(engine, "0.8.5", "0.18.1")
    default = Default("engine", "seed", "semantic", facts("0.8.5"), facts("0.18.1"), "0.12.0")
    made = Context(source, target, Setting(source, target, engine.options[1]), default=default)
    spot = engine.spot()
    use = Use("pause", Written("engine.pause_generation", "use.pause", None, spot, spot), "update", section="api")
    made.using = Using(use, Program("program", engine.origin, {}, [use]), source, target)
    return made


def facts(release: str) -> OptionFacts:
    found = CATALOG.get("engine", "seed", release)
    assert found is not None
    return found


def _answers(env: Context | View, leaf: list[object]) -> None:
    if leaf[0] == "name":
        env.name(str(leaf[1]))
    else:
        env.call(str(leaf[1]), [part if not isinstance(part, list) else None for part in leaf[2:]])


@pytest.mark.parametrize(("where", "record"), SOURCES, ids=[where for where, _ in SOURCES])
def test_names_and_functions_answer(where: str, record: Record, case: Context) -> None:
    """Also behind an `and` that is never reached in an example."""
    env: Context | View = case.target if where.startswith("effective") else case
    for code in conditions(record):
        for leaf in leaves(code):
            _answers(env, leaf)


def test_options_that_rules_speak_of_exist() -> None:
    for rule in KNOWLEDGE.rules:
        options = rule.get("options", ())
        assert isinstance(options, (list, tuple))
        if rule.get("each") == "use":
            assert set(options) <= USES, rule["name"]
            continue
        for option in options:
            name = option.removeprefix("env.")
            assert name in (VARIABLES if option.startswith("env.") else OPTIONS), (rule["name"], option)


def test_uses_that_conditions_and_parts_ask_for_exist() -> None:
    for rule in KNOWLEDGE.rules:
        parts = rule.get("also", [])
        assert isinstance(parts, list)
        for part in parts:
            assert part["each"] != "use" or set(part["options"]) <= USES, rule["name"]
        for code in conditions(rule):
            for leaf in leaves(code):
                if leaf[0] == "call" and leaf[1] in ("anywhere", "earlier", "later", "nearest"):
                    assert set(leaf[2:]) <= USES, (rule["name"], leaf)


def test_places_exist() -> None:
    for rule in KNOWLEDGE.rules:
        places = rule.get("at", ())
        assert isinstance(places, (list, tuple))
        assert [p for p in places if not known(p)] == [], rule["name"]

"""The vocabulary is what conditions can be evaluated with: every word of it answers, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.catalog.store import OptionFacts
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.deliver import ReleaseEnv
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine, Program, Use, Written
from vllm_migrate.knowledge import vocabulary
from vllm_migrate.knowledge.expr import Condition, Env
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.record import Record
from vllm_migrate.knowledge.records import Case, Dialect
from vllm_migrate.knowledge.vocabulary import Term
from vllm_migrate.resolve import view
from vllm_migrate.resolve.refusals import Refused
from vllm_migrate.resolve.view import View
from vllm_migrate.rules import judge, using
from vllm_migrate.rules.default import Default
from vllm_migrate.rules.inner import inner_settings
from vllm_migrate.rules.judge import Context
from vllm_migrate.rules.setting import FACTS, Setting
from vllm_migrate.rules.using import Using

KNOWLEDGE = load()
CATALOG = load_catalog()
WORDS = (*vocabulary.NAMES, *vocabulary.FACTS, *vocabulary.FUNCTIONS)
# An argument of each kind.
SAMPLES: dict[str, object] = {
    "option": "seed",
    "release": "0.14.0",
    "specifier": ">=0.6.0",
    "path": "model",
    "text": "model",
    "use": "pause",
    "value": 1,
    "number": 0,
}


def declared(facts: str) -> OptionFacts:
    found = CATALOG.get("engine", "seed", facts)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, read_engine: Callable[[Path, str], Engine]) -> Engine:
    return read_engine(
        tmp_path_factory.mktemp("words") / "serve.yaml",
        "model: Qwen/Qwen2.5-7B\nmax-model-len: 8192\ncompilation-config: {lvl: 1}\n",
    )


@pytest.fixture(scope="module")
def environments(engine: Engine, view_both: Callable[[Engine, str, str], tuple[View, View]]) -> dict[str, Env]:
    """What conditions of each place are evaluated against."""
    source, target = view_both(engine, "0.8.5", "0.18.1")
    at_hand = Context(source, target, Setting(source, target, engine.options[1]))
    spot = engine.spot()
    use = Use("pause", Written("engine.pause_generation", "use.pause", None, spot, spot), "update", section="api")
    of_use = Context(source, target)
    of_use.using = Using(use, Program("program", engine.origin, {}, [use]), source, target)
    of_refusal = Context(source, target)
    of_refusal.refusal = Refused("a", "b", {"seed": 0}, engine.options[1], False, False)
    default = Default("engine", "seed", "semantic", declared("0.8.5"), declared("0.18.1"), "0.12.0")
    return {
        "engine": Context(source, target),
        "branch": Context(source, target),
        "refusal": of_refusal,
        **dict.fromkeys(("setting", "fact", "remark", "written"), at_hand),
        "key": Context(source, target, next(inner_settings(source, target))),
        "use": of_use,
        "default": Context(source, target, default=default),
        "effective": target,
        "dialect": DialectEnv(engine.origin, engine.facts, "0.18.1"),
        "transport": ReleaseEnv(engine.origin, engine.facts, CATALOG, "0.18.1"),
        "pin": DialectEnv(engine.origin, engine.facts, "0.18.1", {"value": 1, "option": "seed"}),
    }


def uses() -> Iterator[tuple[Term, str]]:
    for word in WORDS:
        for place in word.places:
            if place != vocabulary.NAMED:
                yield word, place


@pytest.mark.parametrize(("word", "place"), list(uses()), ids=lambda part: part if isinstance(part, str) else part.name)
def test_every_word_answers_where_it_is_valid(word: Term, place: str, environments: dict[str, Env]) -> None:
    env = environments[place]
    if word.arguments is None:
        env.name(f"to.{word.name}" if word.name == "release" and place in vocabulary.RULE else word.name)
        return
    for kinds in ([k for k in word.arguments if k[-1] not in "*?"], list(word.arguments)):
        env.call(word.name, [SAMPLES[kind.rstrip("*?")] for kind in kinds])


@pytest.mark.parametrize(("word", "place"), [(w, p) for w, p in uses() if w.values], ids=str)
def test_an_answer_is_one_of_those_that_are_listed(word: Term, place: str, environments: dict[str, Env]) -> None:
    if word.name in ("gpu.name", "release"):
        return
    env = environments[place]
    kinds = [kind for kind in word.arguments or () if kind[-1] not in "*?"]
    answer = env.name(word.name) if word.arguments is None else env.call(word.name, [SAMPLES[kind] for kind in kinds])
    options = getattr(answer, "options", (answer,))
    assert all(option in word.values for option in options), answer


def named(place: str) -> set[str]:
    return {word.name for word in vocabulary.FUNCTIONS if place in word.places}


def test_no_function_is_without_a_word() -> None:
    assert set(view.FUNCTIONS) == named("effective")
    assert {*view.FUNCTIONS, *judge.FUNCTIONS} == named("engine") == named("setting") == named("default")
    assert {*view.FUNCTIONS, *judge.FUNCTIONS, *using.FUNCTIONS} == named("use")
    assert set(DialectEnv.FUNCTIONS) == named("dialect") == named("pin")
    assert set(ReleaseEnv.FUNCTIONS) == named("transport")
    assert {f"setting.{name}" for name in FACTS} == {w.name for w in vocabulary.NAMES if w.name.startswith("setting.")}


def test_words_are_used_or_asked_of_everything() -> None:
    """A function that no condition uses is one too many."""
    asked: set[str] = set()
    for code in conditions((KNOWLEDGE.rules, KNOWLEDGE.dialects, tuple(KNOWLEDGE.effective.values()))):
        asked.update(str(part[1]) for part in code.parts("call"))
    assert {word.name for word in vocabulary.FUNCTIONS} - asked == set()


def conditions(node: Any) -> Iterator[Condition]:
    if isinstance(node, Condition):
        yield node
    elif isinstance(node, Record):
        for name in type(node).__annotations__:
            yield from conditions(getattr(node, name))
    elif isinstance(node, tuple):
        for part in node:
            yield from conditions(part)
    elif isinstance(node, dict):
        for part in node.values():
            yield from conditions(part)


def test_facts_that_dialects_give_are_words() -> None:
    words = {word.name for word in vocabulary.FACTS}
    given = {name for dialect in KNOWLEDGE.dialects for name in dialect.facts}
    assert {name for name in given if not name.startswith("env.")} <= words  # variables are checked against the catalog
    keys = (key.to for dialect in KNOWLEDGE.dialects for key in (*dialect.keys.values(), *dialect.absolute.values()))
    assert {to for to in keys if to.partition(".")[0] in ("rl", "loss", "pause", "config")} <= words


def test_a_definition_of_a_dialect_is_no_word() -> None:
    words = {word.name for word in WORDS}
    for dialect in KNOWLEDGE.dialects:
        assert isinstance(dialect, Dialect)
        assert words.isdisjoint(dialect.define), dialect.id
        assert all(isinstance(case, Case) for cases in dialect.define.values() for case in cases)

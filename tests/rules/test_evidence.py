"""What rules and effective values rest on, held against the catalog: options there or gone, and their defaults."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from vllm_migrate.catalog.store import SECTIONS, load
from vllm_migrate.knowledge.build import read_effective, read_rules, rules_folder
from vllm_migrate.knowledge.records import Evidence

CATALOG = load()
RULES = read_rules(rules_folder())


class Claim(NamedTuple):
    where: str
    evidence: Evidence


def claims() -> list[Claim]:
    owners = [(file.rule.name, file.page.evidence) for file in RULES]
    owners += [(file.entry.option, file.page.evidence) for file in read_effective(rules_folder())]
    return [Claim(name, evidence) for name, each in owners for evidence in each]


CLAIMS = claims()
IN_CATALOG = [claim for claim in CLAIMS if claim.evidence.catalog]


def ident(claim: Claim) -> str:
    return f"{claim.where}-{claim.evidence.catalog}-{claim.evidence.release}"


def test_there_is_something_to_check() -> None:
    assert len(IN_CATALOG) >= 30
    assert any(claim.evidence.absent for claim in IN_CATALOG)


@pytest.mark.parametrize("claim", IN_CATALOG, ids=ident)
def test_the_catalog_agrees(claim: Claim) -> None:
    evidence = claim.evidence
    assert evidence.release
    section, _, option = evidence.catalog.partition(".")
    assert section in SECTIONS
    facts = CATALOG.get(section, option, evidence.release)
    if evidence.absent:
        assert facts is None
        return
    assert facts is not None, f"{option} is not in {evidence.release}"
    if evidence.unset or evidence.value is not None:
        assert facts.default == evidence.value


def named(evidence: Evidence) -> tuple[str, str] | None:
    """The section and the option that a symbol of a release's source names, where the catalog knows that name at any release."""
    symbol = evidence.symbol
    head, _, field = symbol.partition(".")
    if evidence.file == "vllm/envs.py" and symbol.startswith("VLLM_"):
        found = ("env", symbol)
    elif head in ("EngineArgs", "SamplingParams") and field.islower():
        found = ("engine" if head == "EngineArgs" else "sampling", field)
    elif head.endswith("Config") and field:
        found = ("config", symbol)
    else:
        return None
    return found if any(CATALOG.get(*found, release) is not None for release in CATALOG.releases) else None


BY_SYMBOL = [claim for claim in CLAIMS if claim.evidence.release and named(claim.evidence) is not None]


def test_symbols_are_found_in_the_catalog() -> None:
    assert len(BY_SYMBOL) >= 10


@pytest.mark.parametrize("claim", BY_SYMBOL, ids=lambda claim: f"{claim.where}-{claim.evidence.symbol}")
def test_a_symbol_that_the_catalog_has_is_there_at_its_release(claim: Claim) -> None:
    found = named(claim.evidence)
    assert found is not None
    assert CATALOG.get(*found, claim.evidence.release) is not None


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.where)
def test_evidence_can_be_looked_up(claim: Claim) -> None:
    """A release that exists, a file with a symbol, a thread with its repository, a commit, or a measurement."""
    evidence = claim.evidence
    if evidence.release:
        assert CATALOG.knows(evidence.release)
        assert evidence.catalog or (evidence.file and evidence.symbol), "a file and symbol, or the catalog"
    if evidence.file and evidence.release:
        assert re.fullmatch(r"(vllm|csrc|tests)/[\w/.]+", evidence.file)
    for thread in (evidence.pr, evidence.thread):
        assert not thread or re.fullmatch(r"[\w./-]+#\d+", thread)
    named = evidence.repository and evidence.symbol  # what another project does, in every version of it
    assert evidence.release or evidence.pr or evidence.thread or evidence.commit or evidence.measured or named


def test_every_rule_rests_on_a_source_or_a_measurement() -> None:
    bare = [
        file.rule.name
        for file in RULES
        if not any(e.release or e.commit or e.repository or e.measured for e in file.page.evidence)
    ]
    assert bare == []


def test_codes_belong_to_their_families() -> None:
    """VM1xx a default, VM2xx removed or renamed, VM3xx does not arrive, VM4xx the contract, VM5xx environment."""
    for rule in (file.rule for file in RULES):
        each = rule.each
        if rule.code.startswith("VM5"):
            assert each == "fact"
        if rule.code.startswith("VM1"):
            assert each in ("engine", "default", "branch")
        if rule.code.startswith("VM4"):
            assert rule.layer in ("semantic", "weight-update", "numerics", "inference-path", "broken-config")

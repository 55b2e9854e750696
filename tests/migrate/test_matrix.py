"""Releases of frameworks against releases of vLLM: `dialects NAME --matrix`."""

from __future__ import annotations

import json

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.cli.main import main
from vllm_migrate.knowledge.load import load
from vllm_migrate.migrate.demands import matrix

DIALECTS = {dialect.id: dialect for dialect in load().dialects if dialect.requires}


def test_a_row_takes_what_its_requirement_says() -> None:
    rows = {row.framework: row for row in matrix(DIALECTS["verl"], load_catalog().releases)}
    assert rows["0.6.0"].releases[0] == "0.8.5" and rows["0.6.0"].releases[-1] == "0.9.1"
    assert "0.17.1" not in rows["0.9.0"].releases and "0.18.1" in rows["0.9.0"].releases


def test_one_release_that_is_pinned() -> None:
    rows = {row.framework: row for row in matrix(DIALECTS["openrlhf"], load_catalog().releases)}
    assert rows["0.8.5"].pinned and rows["0.8.5"].releases == ("0.9.1",)
    assert not rows["0.7.5"].pinned


@pytest.mark.parametrize("ident", sorted(DIALECTS))
def test_every_matrix_can_be_printed(ident: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dialects", ident, "--matrix"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(DIALECTS[ident].requires) + 1
    assert main(["dialects", ident, "--matrix", "--output-format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["matrix"]
    assert [row["framework"] for row in rows] == [
        row.framework for row in matrix(DIALECTS[ident], load_catalog().releases)
    ]


def test_a_dialect_that_asks_for_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dialects", "pipelinerl", "--matrix"]) == 2
    assert "does not say which vLLM" in capsys.readouterr().err

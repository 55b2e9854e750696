"""The JSON contract, against our own schema of it, and that its edits can be applied by another program."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.drafts import Draft, render
from vllm_migrate.documents.interface import Edit, Unknown, apply_edits
from vllm_migrate.report.findings import encodable

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "vllm_migrate/data/lint.schema.json").read_text(encoding="utf-8"))
KEYS = SCHEMA["$defs"]["finding"]["required"]


def loaded(report: Draft) -> Any:
    out = json.loads(render("json", report))
    jsonschema.validate(out, SCHEMA)
    return out


def test_the_contract(report: Draft) -> None:
    out = loaded(report)
    assert {k: out[k] for k in ("schema", "from", "to", "files")} == {
        "schema": 1,
        "from": "0.8.5",
        "to": "0.18.1",
        "files": 14,
    }
    assert list(out) == ["schema", "tool", "from", "to", "files", "projects", "findings"]
    first, second, third, fourth, last = out["findings"]
    assert list(second) == KEYS
    assert (second["line"], second["column"], second["end_line"], second["end_column"]) == (4, 1, 4, 12)
    assert second["engine"] == {"id": "actor", "role": "rl_rollout", "dialect": "pipelinerl"}
    assert (second["option"], second["old"], second["new"]) == ("logprobs_mode", "processed_logprobs", "raw_logprobs")
    assert second["fix"]["safety"] == "safe" and second["depends_on"] is None
    assert first["depends_on"] == "the model's generation_config.json, which may set top_p; the GPU (memory)"
    assert first["old"] is False and first["new"] is True
    assert third["fix"] is None
    assert fourth["fix"] == {
        "safety": "none",
        "title": "it is under a YAML anchor that other settings share",
        "needs": None,
        "conflicts": [],
        "edits": [],
    }
    assert (last["path"], last["line"], last["column"], last["engine"]) == ("conf/z.yaml", 3, 7, None)


def test_no_findings(empty: Draft) -> None:
    assert loaded(empty)["findings"] == []


def test_the_order_does_not_depend_on_how_findings_came(report: Draft) -> None:
    before = render("json", report)
    random.Random(1).shuffle(report.entries)
    assert render("json", report) == before


def test_columns_are_code_points(maker: Any, empty: Draft) -> None:
    make = maker("a.yaml", "a: {🚀é: 1, key: 2}\r\nb: 1\r\n")
    empty.add(make.finding("key"))
    finding = loaded(empty)["findings"][0]
    assert (finding["line"], finding["column"], finding["end_column"]) == (1, 12, 15)


def patched(text: str, edits: list[dict[str, Any]]) -> str:
    """Applies the contract's edits as a reader of the contract would: lines end at \\n, columns are code points."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans = [
        (
            starts[e["start_line"] - 1] + e["start_column"] - 1,
            starts[e["end_line"] - 1] + e["end_column"] - 1,
            e["text"],
        )
        for e in edits
    ]
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


@pytest.mark.parametrize("text", ["a: 1\nb: 多\nc: 3", "a: 1\r\nb: 🚀\r\nc: 3\r\n", "\na: 1\n\nb: 2\n\nc:\n"])
def test_edits_read_back(maker: Any, empty: Draft, text: str) -> None:
    make = maker("a.yaml", text)
    at = text.index("b")
    edits = [Edit(at, at + 4, "x: [1]"), Edit(len(text), len(text), "\nd: 4\n"), Edit(0, 0, "# first\n")]
    empty.add(*make.planned(make.finding("c"), *edits))
    fix = loaded(empty)["findings"][0]["fix"]
    assert patched(text, fix["edits"]) == apply_edits(text, edits)


def test_the_fingerprint_knows_no_line(make: Any, maker: Any, empty: Draft) -> None:
    moved = maker("./conf/base.yaml", "# one more line\n\n" + make.file.source.text)
    fields = {"key": "vllm_config", "old": "x"}
    empty.add(make.finding("vllm_config", **fields))
    empty.add(moved.finding("vllm_config", **fields))
    empty.add(make.finding("vllm_config", "VM402", **fields))
    empty.add(make.finding("vllm_config", key="other", old="x"))
    empty.add(make.finding("vllm_config", key="vllm_config", old="y"))
    prints = [finding["fingerprint"] for finding in loaded(empty)["findings"]]
    assert len(prints) == 5 and len(set(prints)) == 4


def test_an_absolute_path_below_here_has_the_fingerprint_of_a_relative_one(
    maker: Any, empty: Draft, tmp_path: Path
) -> None:
    empty.root = str(tmp_path)
    empty.add(maker("conf/a.yaml").finding("vllm_config"))
    empty.add(maker(str(tmp_path / "conf" / "a.yaml")).finding("vllm_config"))
    first, second = loaded(empty)["findings"]
    assert first["fingerprint"] == second["fingerprint"]
    assert {first["path"], second["path"]} == {"conf/a.yaml", str(tmp_path / "conf" / "a.yaml")}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, None),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        ((1, "a"), [1, "a"]),
        ({"b", "a"}, ["a", "b"]),
        ({1: {"x": (True,)}}, {"1": {"x": [True]}}),
        (Unknown("${x}"), {"expr": "${x}"}),
        (object, {"expr": "<class 'object'>"}),
    ],
)
def test_values(value: object, encoded: object) -> None:
    assert encodable(value) == encoded
    json.dumps(encoded, allow_nan=False)

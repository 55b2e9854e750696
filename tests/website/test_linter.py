"""What the playground's page asks of the linter, without a browser: tests/browser/ has the rest."""

from __future__ import annotations

import json
from typing import Any

from vllm_migrate import fix, lint
from website.playground import linter

TEXT = "# 🦙 a\nmodel: m  # 🦙\nswap-space: 4\ndisable-log-requests: true\n"


def asked(files: dict[str, str], **move: str) -> dict[str, Any]:
    request = {"files": files, "from": "", "to": "", "engine": "", "gpu": "", **move}
    found: dict[str, Any] = json.loads(linter.answer(json.dumps(request)))
    return found


def part(text: str, start: int, end: int) -> str:
    """A span that counts in UTF-16 code units, as JavaScript slices it."""
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def test_findings_and_texts_are_those_of_the_library() -> None:
    files = {"serve.yaml": TEXT}
    answer = asked(files)
    assert [found["code"] for found in answer["findings"]] == [found.code for found in lint(files=files).findings]
    assert answer["safe"] == fix(files=files).texts != files
    assert answer["all"] == fix(files=files, unsafe=True).texts


def test_places_count_as_javascript_does() -> None:
    findings = {found["code"]: found for found in asked({"serve.yaml": TEXT})["findings"]}
    assert part(TEXT, findings["VM202"]["start"], findings["VM202"]["end"]) == "swap-space"
    (edit,) = findings["VM204"]["fix"]["edits"]
    assert "disable-log-requests: true" in part(TEXT, edit["start"], edit["end"])


def test_releases_engine_and_gpu_are_passed_on() -> None:
    answer = asked({"serve.yaml": TEXT}, **{"from": "0.10.0", "to": "0.20.0", "engine": "v0", "gpu": "h100"})
    assert (answer["from"], answer["to"]) == ("0.10.0", "0.20.0")
    assert asked({"serve.yaml": TEXT}, gpu="abacus")["error"].startswith("--gpu: ")


def test_the_form_offers_the_newest_release_first() -> None:
    facts = json.loads(linter.facts())
    assert facts["releases"][-1] == "0.8.5" and "h100" in facts["gpus"]

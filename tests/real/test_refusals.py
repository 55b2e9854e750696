"""Every option that any release has, written for 0.18.1: what its own parser refuses is found, and nothing else.

VLLM_MIGRATE_REAL_MORE=0.12.0=PYTHON:0.24.0=PYTHON adds the pair from the first of them to the last.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.real.oracles.client import MORE, NOT_THE_PARSERS, RELEASES, agree, run_oracle
from tests.situations import move
from vllm_migrate.catalog.store import Flag
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.run.judging import Run

SOURCE, TARGET = RELEASES[0], RELEASES[-1]
PAIRS = [(SOURCE, TARGET), *([(next(iter(MORE)), next(reversed(MORE)))] if len(MORE) > 1 else [])]
WRITTEN_FOR = (SOURCE, "0.10.2", TARGET, "0.27.0", *MORE)
LEFT_OUT = ("-h", "--help", "-v", "--version", "--config")
# What the server refuses for what else is written, or not, beside the option.
TOGETHER = (
    "--chat-template",
    "--enable-auto-tool-cho",
    "--enable-log-outpu",
    "--data-parallel-multi-port-external",
    "-dpm",
    "-O",
)


def words_of(flag: Flag, name: str) -> list[list[str]]:
    """An option as one would write it, with values that are wrong, and abbreviated."""
    if not flag.takes_value:
        return [[name], [f"{name}=True"], [name, "False"], [name[:-2]]]
    kind = str(flag.type)
    named = [str(choice) for choice in flag.choices or () if choice not in (None, "None")]
    if named:
        value = named[0]
    elif "json" in kind or "dataclass" in kind or "dict" in kind:
        value = "{}"
    else:
        value = "1" if "int" in kind else "0.5" if "float" in kind else "x"
    out = [[name, value], [name[:-2], value]]
    out += [[name, "nonsense"]] if named else []
    out += [[name, "abc"]] if "int" in kind else []
    return out


def commands() -> list[list[str]]:
    catalog = load_catalog()
    seen: dict[str, list[list[str]]] = {}
    for release in WRITTEN_FOR:
        for name, flag in catalog.flags(release).items():
            if name not in LEFT_OUT and name not in seen:
                seen[name] = words_of(flag, name)
    return [words for each in seen.values() for words in each]


def refusals(path: Path, words: list[str], source: str, target: str) -> list[str]:
    """The names of the findings that say that the server does not start."""
    path.write_text(shlex.join(["vllm", "serve", "m", *words]) + "\n", encoding="utf-8")
    run = Run(load_catalog(), load_knowledge(), Workspace([str(path)], situate=move(source, target)))
    run.judge_file(str(path))
    return [f.name for f in run.finish().findings if f.layer == "broken-config" and f.name not in NOT_THE_PARSERS]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def differing(
    request: pytest.FixtureRequest, vllm_pythons: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[list[str], str]]:
    """Commands where we and the target's parser disagree, with the last line that it says."""
    source, target = request.param
    asked = commands()
    assert len(asked) > 1000
    answers = run_oracle(
        {**vllm_pythons, **MORE}[target], "serve_parser.py", [{"argv": ["serve", "m", *w]} for w in asked]
    )
    path = tmp_path_factory.mktemp("refusals") / "serve.sh"
    out = []
    for words, answer in zip(asked, answers, strict=True):
        found = refusals(path, words, source, target)
        if not agree(found, answer["ok"]):
            out.append((words, " ".join(answer["error"][-1:]) or f"accepted; we say {', '.join(found)}"))
    return out


def test_what_is_accepted_is_not_called_refused(differing: list[tuple[list[str], str]]) -> None:
    """Except an abbreviation that is accepted as another option than the one it was."""
    wrong = [(words, said) for words, said in differing if said.startswith("accepted")]
    assert [said for _, said in wrong] == ["accepted; we say ambiguous-abbreviation"] * len(wrong)
    assert [words[0] for words, _ in wrong] in (["--logits-processo"], [])


def test_what_is_refused_is_found(differing: list[tuple[list[str], str]]) -> None:
    missed = [(words, said) for words, said in differing if not said.startswith("accepted")]
    assert [pair for pair in missed if not pair[0][0].startswith(TOGETHER)] == []

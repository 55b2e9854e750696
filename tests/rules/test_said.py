"""What messages name: the edit of a fix, the new place of an import, the pin of a framework, a move back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.knowledge.load import load


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(capsys: pytest.CaptureFixture[str], text: str, *words: str, name: str = "serve.yaml") -> list[dict[str, str]]:
    Path(name).write_text(text, encoding="utf-8")
    main(["lint", "--isolated", "--no-cache", "--output-format", "json", *words, name])
    findings: list[dict[str, str]] = json.loads(capsys.readouterr().out)["findings"]
    return findings


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("generate", "replace task with runner: generate"),
        ("embed", "replace task with runner: pooling and convert: embed"),
        ("classify", "replace task with runner: pooling and convert: classify"),
        ("auto", "drop task"),
    ],
)
def test_a_fix_names_what_it_writes(value: str, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = (f for f in found(capsys, f"model: m\nmax-model-len: 512\ntask: {value}\n") if f["name"] == "arg-task")
    assert one["fix"]["title"] == title


@pytest.mark.parametrize(("source", "target", "back"), [("0.18.1", "0.8.5", True), ("0.8.5", "0.18.1", False)])
def test_a_move_back_says_what_is_reported(
    source: str, target: str, back: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("serve.yaml").write_text("model: m\nmax-model-len: 512\n", encoding="utf-8")
    main(["lint", "--isolated", "--no-cache", "--from", source, "--to", target, "serve.yaml"])
    assert (f"only what {target} rejects or drops is reported" in capsys.readouterr().out) is back


@pytest.mark.parametrize("source", ["0.8.5", "0.18.1"])
def test_a_launcher_is_spoken_of_where_it_can_be_that_old(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 4\n"
    said = json.dumps(found(capsys, text, "--from", source, "--to", "0.18.1", name="base.yaml"))
    assert "num-scheduler-steps" in said and ("of the 0.8.5 era" in said) is (source == "0.8.5")


def test_a_framework_is_named_by_its_pin(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text("verl==0.4.1\n", encoding="utf-8")
    command = "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n"
    (one,) = (f for f in found(capsys, command, name="run.sh") if f["code"] == "VM230")
    assert one["message"].startswith("requirements.txt:1 pins verl 0.4.1, which runs with vllm ")
    assert "`vllm-migrate dialects verl --matrix`" in one["advice"]
    main(["lint", "--isolated", "--no-cache", "--color", "never", "run.sh"])
    out = capsys.readouterr().out
    assert "applies to: run.sh" in out and "inherited by" not in out


def test_an_import_has_its_new_place(capsys: pytest.CaptureFixture[str]) -> None:
    text = "from vllm.utils import cdiv\nfrom vllm import LLM\nprint(cdiv(1, 2), LLM('m'))\n"
    (one,) = (f for f in found(capsys, text, name="use.py") if f["code"] == "VM715")
    assert one["message"].endswith("; import vllm.utils.math_utils.cdiv instead")


def test_no_reason_ends_in_a_full_stop(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a placeholder at its end is empty."""
    assert not [
        rule.name
        for rule in load().rules
        if any(text.endswith(".") and not text.endswith("...") for text in (rule.why, rule.advice))
    ]
    for role in ("serve.sh", "train.py"):
        text = {
            "serve.sh": "VLLM_USE_V1=0 vllm serve m\n",
            "train.py": "import vllm\nvllm.LLM('m', num_scheduler_steps=4)\n",
        }
        assert not [f["why"] for f in found(capsys, text[role], name=role) if f["why"].endswith(".")]

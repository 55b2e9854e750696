"""One line a check with its remedy, on interpreters that answer as they are reported to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.run.settings import Options
from vllm_migrate.verify.doctor import Line, examine, gpu_named, model_folder

ANSWER: dict[str, Any] = {
    "versions": {"vllm": "0.18.1", "torch": "2.10.0", "transformers": "4.57.6"},
    "python": "3.11.7",
    "plugins": {},
    "env": {"VLLM_USE_FLASHINFER_SAMPLER": "1"},
    "variables": ["VLLM_USE_FLASHINFER_SAMPLER", "VLLM_BATCH_INVARIANT"],
    "record": None,
    "error": "",
    "device": {"count": 8, "name": "NVIDIA H100 80GB HBM3", "memory_gib": 79.6, "cuda": "12.9"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / "run.sh").write_text("vllm serve m --max-model-len 4096\n")
    (tmp_path / "requirements.txt").write_text("vllm==0.18.1\n")
    return tmp_path


def lines(here: Path, **changes: Any) -> list[Line]:
    (here / "answer.json").write_text(json.dumps({**ANSWER, **changes}))
    py = here / "py"
    py.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {here / 'answer.json'}\n")
    py.chmod(0o755)
    return examine(Options(("run.sh",)), str(py))


def one(found: list[Line], word: str) -> Line:
    (line,) = [line for line in found if word in line.what]
    return line


def test_a_machine_that_fits(here: Path) -> None:
    found = lines(here)
    assert [line for line in found if line.state == "wrong"] == []
    assert "requirements.txt:1 pins it" in one(found, "judged at").what
    gpu = one(found, "H100")
    assert "lint --gpu h100 settles" in gpu.remedy and "max_num_batched_tokens" in gpu.remedy


def test_another_release_than_the_files_say(here: Path) -> None:
    line = one(lines(here, versions={**ANSWER["versions"], "vllm": "0.17.0"}), "run.sh is judged at")
    assert line.state == "wrong" and "vllm==0.18.1" in line.remedy


def test_packages_variables_and_plugins(here: Path) -> None:
    found = lines(
        here,
        versions={**ANSWER["versions"], "torch": "2.6.0"},
        env={"VLLM_USE_FLASHINFER_SAMPLR": "1", "VLLM_USE_V1": "1", "VLLM_SECRETS": "x"},
        plugins={"vllm.general_plugins": ["mine = a:b"], "vllm.io_processor_plugins": ["io = c:d"]},
    )
    assert one(found, "torch 2.6.0").state == "wrong" and "torch==" in one(found, "torch 2.6.0").remedy
    assert one(found, "SAMPLR").remedy == "did you mean VLLM_USE_FLASHINFER_SAMPLER?"
    assert "no longer" in one(found, "VLLM_USE_V1").what and "has no effect" in one(found, "VLLM_SECRETS").what
    assert one(found, "may rewrite settings: mine").state == "note" and one(found, "io processor").state == "ok"


def test_no_vllm_a_broken_one_and_one_between_releases(here: Path) -> None:
    assert one(lines(here, versions={}, variables=None), "has no vLLM").state == "wrong"
    line = one(lines(here, variables=None, error="ImportError: libcuda"), "does not import")
    assert line.state == "wrong" and "libcuda" in line.what
    dev = [line for line in lines(here, versions={"vllm": "0.18.2.dev1"}) if "0.18.2.dev1" in line.what]
    assert any("catalog add" in line.remedy for line in dev)


def test_the_device(here: Path) -> None:
    assert "no CUDA device" in one(lines(here, device={"count": 0}), "torch sees").what
    assert "--gpu NAME" in one(lines(here, device={"count": 1, "name": "NVIDIA X9"}), "X9").remedy
    assert gpu_named("NVIDIA A100-SXM4-40GB", 39.4) == "a100-40gb"
    assert gpu_named("NVIDIA A100-SXM4-80GB", 79.2) == "a100" and gpu_named("Tesla V100-SXM2-32GB", 32) == "v100"
    assert gpu_named("", None) is None


@pytest.mark.parametrize("vllm", [True, False])
@pytest.mark.parametrize("torch", [True, False])
@pytest.mark.parametrize("device", [{}, {"count": 0}, {"platform": "CpuPlatform", "name": "cpu"}])
def test_only_torch_that_is_there_sees_no_device(vllm: bool, torch: bool, device: dict[str, Any], here: Path) -> None:
    versions = {
        name: version for name, version in ANSWER["versions"].items() if {"vllm": vllm, "torch": torch}.get(name, True)
    }
    found = lines(here, versions=versions, device=device, variables=ANSWER["variables"] if vllm else None)
    line = one(found, "CUDA device" if torch and "count" in device else "the GPU is not known")
    assert ("torch sees" in line.what) is (torch and "count" in device)
    assert ("has no torch" in line.what) is not torch


def test_the_models_own_sampling(here: Path) -> None:
    assert "not on this machine" in one(lines(here), "generation_config").what
    folder = here / "hf" / "hub" / "models--org--m" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "generation_config.json").write_text('{"temperature": 0.6, "top_k": 20, "eos_token_id": 1}')
    assert model_folder("org/m") == str(folder)
    (here / "run.sh").write_text("vllm serve org/m\n")
    line = one(lines(here), "generation_config")
    assert "temperature=0.6, top_k=20" in line.what and str(folder) in line.remedy
    (here / "run.sh").write_text("vllm serve org/m --generation-config vllm\n")
    assert one(lines(here), "generation_config").state == "ok"


def test_the_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(here)
    assert main(["doctor", "run.sh", "--python", str(here / "py")]) == 0
    assert capsys.readouterr().out.startswith("ok     vLLM 0.18.1 in ")
    assert main(["doctor", "run.sh", "--python", str(here / "py"), "--output-format", "json"]) == 0
    assert {"state", "what", "remedy"} == set(json.loads(capsys.readouterr().out)["checks"][0])
    lines(here, versions={}, variables=None)
    assert main(["doctor", "run.sh", "--python", str(here / "py")]) == 1
    assert main(["doctor", "nowhere", "--python", str(here / "py")]) == 2


@pytest.mark.parametrize("answer", ["", "[]", "{}", "\\377\\376", "null", '{"variables": [], "x": 1}'])
def test_what_is_no_interpreter(here: Path, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    py = here / "py"
    py.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '{answer}'\n")
    py.chmod(0o755)
    assert main(["doctor", "run.sh", "--python", str(py)]) == 2
    error = capsys.readouterr().err
    assert "did not answer" in error and "internal" not in error


def test_files_without_an_engine_are_named_whatever_the_interpreter_has(here: Path) -> None:
    (here / "run.sh").write_text("echo nothing\n")
    for versions in (ANSWER["versions"], dict[str, str]()):
        assert one(lines(here, versions=versions), "no vLLM engine").state == "note"


def test_what_an_interpreter_printed_holds_no_secret(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    py = here / "py"
    py.write_text("#!/bin/sh\necho 'no module; OPENAI_API_KEY=sk-proj-4f9AbC77xyZ01234qQwW' >&2\nexit 3\n")
    py.chmod(0o755)
    assert main(["doctor", "run.sh", "--python", str(py)]) == 2
    printed = capsys.readouterr().err
    assert "did not answer" in printed and "OPENAI_API_KEY=***" in printed

"""What a release does not have is an error where no earlier release is compared, unless the program asks first."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vllm_migrate.catalog.modules import load as load_modules
from vllm_migrate.run.lint import lint
from vllm_migrate.run.settings import Options

TARGET = "0.18.1"
GUARDS = (
    "{}\n",
    "try:\n    {}\nexcept ImportError:\n    pass\n",
    "import vllm\nfrom packaging.version import Version\nif Version(vllm.__version__) < Version('0.10.0'):\n    {}\n",
)


def found(
    folder: Path, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch, target: str = TARGET
) -> dict[str, set[str]]:
    """The codes of errors by file, of a project that pins the target."""
    monkeypatch.chdir(folder)
    (folder / ".git").mkdir()
    for name, text in {**texts, "requirements.txt": f"vllm=={target}\n"}.items():
        (folder / name).write_text(text)
    out: dict[str, set[str]] = {}
    for finding in lint(Options((".",), isolated=True, target=target))[0].findings:
        if finding.severity == "error":
            out.setdefault(finding.path, set()).add(finding.code)
    return out


def test_imports_that_were_removed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = load_modules()
    at = known._position[TARGET]
    gone = [m for m, spans in known._data["modules"].items() if spans[0][0] < at and known.has(m, TARGET) is False]
    lost = [
        f"{module}.{name}"
        for module, names in known._data["lost"].items()
        for name in names
        if known.has(module, TARGET)
        and known.has(f"{module}.{name}", TARGET) is False
        and known.gone(f"{module}.{name}", "0.8.5", TARGET)
    ]
    drawn = random.Random(18)
    texts = {}
    for number, dotted in enumerate(drawn.sample(gone, 6) + drawn.sample(lost, 6)):
        module, _, name = dotted.rpartition(".")
        for way, guard in enumerate(GUARDS):
            texts[f"m{number}_{way}.py"] = guard.format(f"from {module} import {name}")
    errors = found(tmp_path, texts, monkeypatch)
    assert {path for path, codes in errors.items() if "VM715" in codes} == {
        path for path in texts if path.endswith("_0.py")
    }


USES = {
    "generate": ("out = LLM('m').generate(prompt_token_ids=[[1]])", "VM705"),
    "best_of": ("params = SamplingParams(best_of=4)", "VM701"),
    "guided": ("params = SamplingParams(guided_decoding=g)", "VM702"),
    "processors": ("params = SamplingParams(logits_processors=[f])", "VM703"),
}


def test_calls_that_an_earlier_release_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "from vllm import LLM, SamplingParams\n"
    texts = {f"{name}.py": f"{head}{line}\n" for name, (line, _) in USES.items()}
    texts["fits.py"] = f"{head}out = LLM('m').generate([{{'prompt_token_ids': [1]}}], SamplingParams(n=4))\n"
    errors = found(tmp_path, texts, monkeypatch)
    assert {path: codes & {code for _, code in USES.values()} for path, codes in errors.items()} == {
        f"{name}.py": {code} for name, (_, code) in USES.items()
    }


@pytest.mark.parametrize(("connector", "refused"), [("SharedStorageConnector", True), ("NixlConnector", False)])
def test_connectors_that_are_gone(
    connector: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'vllm serve m --kv-transfer-config \'{{"kv_connector": "{connector}", "kv_role": "kv_both"}}\'\n'
    assert ("VM228" in found(tmp_path, {"a.sh": text}, monkeypatch).get("a.sh", ())) == refused


@pytest.mark.parametrize(
    ("pin", "said"), [("verl==0.4.1", True), ("verl==0.9.0", False), ("verl", False), ("verl==9.1", False)]
)
@pytest.mark.parametrize("release", ["0.8.5", TARGET])
def test_a_framework_that_does_not_run_with_the_target(
    release: str, pin: str, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n"
    texts = {"requirements.txt": f"vllm=={release}\n{pin}\n", "a.sh": run, "b.sh": run, "serve.sh": "vllm serve m\n"}
    for name, text in texts.items():
        Path(name).write_text(text)
    findings = lint(Options((".",), isolated=True))[0].findings
    assert [(f.path, f.line) for f in findings if f.code == "VM230"] == [("requirements.txt", 2)] * said


def test_a_framework_is_not_held_against_its_own_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    Path("pyproject.toml").write_text('[project]\nname = "verl"\nversion = "0.9.0"\n')
    Path("Dockerfile").write_text("FROM python:3.12\nRUN pip install verl==0.6.0 vllm==0.12.0\n")
    Path("a.sh").write_text("python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n")
    assert "VM230" not in {finding.code for finding in lint(Options((".",), isolated=True))[0].findings}

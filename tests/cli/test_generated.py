"""Members of the kinds of hostile input, drawn anew from a seed: each must end cleanly, whatever it is."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

FINE = "vllm serve m --swap-space 4\n"
Ends = Callable[..., int]


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ends:
    """Run the command line in an empty folder, and give its exit code; it must not be an error of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str) -> int:
        try:
            code: str | int | None = main(list(words))
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        said = out + err
        assert "Traceback" not in said and "VM900" not in said and "internal error" not in said, said
        assert isinstance(code, int | None)
        return code or 0

    return run


# --- one barrier: values, keys and shapes that no reader expects, in every carrier

ODD = (
    "9" * 6000,
    "-" * 300,
    "\ud7ff",
    "[" * 400,
    "{" * 300,
    '"' * 301,
    "é" * 50,
    "\\" * 99,
    "0x" + "f" * 5000,
    ".inf",
    "~",
    "'",
)
CARRIERS = {
    "a.yaml": "vllm_config:\n  vllm_kwargs:\n    seed: {0}\n    {0}: 1\n",
    "b.yaml": "defaults:\n- {0}: x\n- {0}\nactor_rollout_ref: {{rollout: {{name: vllm, x: ${{{0}}}}}}}\n",
    "rl.toml": '[inference.model]\nname = "m"\n[inference.vllm]\nseed = {0}\n"{0}" = 1\n',
    "a.json": '{{"model": "m", "max-model-len": {0}, "{0}": [{0}]}}',
    "a.sh": "export VLLM_USE_V1={0}\nvllm serve m --seed {0} --{0} 1 --compilation-config {0}\n",
    "c.sh": "python -m verl.trainer.main_ppo actor_rollout_ref.rollout.x={0} +{0}=1 ~{0}\n",
    "a.py": "from vllm import LLM\nLLM('m', seed={0}, hf_overrides={{'{0}': {0}}})\n",
    "Dockerfile": "FROM vllm/vllm-openai:{0}\nENV A={0} {0}=1\nCMD --model m --seed {0}\n",
    "compose.yaml": "services:\n  {0}:\n    image: vllm/vllm-openai:{0}\n    command: [--model, {0}]\n",
    "requirements.txt": "vllm=={0}\nvllm @ {0}\n-r {0}\n",
    "pyproject.toml": '[project]\ndependencies = ["vllm=={0}"]\n[tool.vllm-migrate]\nexclude = ["{0}"]\n',
    "uv.lock": 'version = 1\n[[package]]\nname = "vllm"\nversion = "{0}"\n',
}


@pytest.mark.parametrize("name", CARRIERS)
def test_odd_values_end_in_findings(name: str, ends: Ends) -> None:
    chance = random.Random(name)
    for odd in chance.sample(ODD, 7):
        Path("fine.sh").write_text(FINE)
        Path(name).write_text(CARRIERS[name].format(odd))
        assert ends("lint", "--no-cache", "-j", "1", ".") in (0, 1, 2)
        assert ends("fix", "--unsafe", ".") in (0, 1, 2)


# --- every option that names a file, and what may stand there instead of one

OPTIONS = {
    "--config": ["lint", "--no-cache", "--config", "X", "a.sh"],
    "--baseline": ["lint", "--no-cache", "--baseline", "X", "a.sh"],
    "--model-config": ["lint", "--no-cache", "--model-config", "X", "a.sh"],
    "--diff": ["lint", "--no-cache", "--diff", "X", "a.sh"],
    "-o": ["lint", "--no-cache", "-o", "X", "a.sh"],
    "--patch": ["migrate", "--patch", "X", "a.sh"],
    "lock": ["lock", "--check", "-o", "X", "a.sh"],
    "--log": ["verify", "--log", "X", "a.sh"],
    "compare": ["smoke", "compare", "X", "X"],
    "PATH": ["effective", "X"],
}
PLACED: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a loop": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("nowhere/at/all"),
    "zeros": lambda path: path.write_bytes(b"\0" * 5000),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\xfd" * 99),
    "deep": lambda path: path.write_text("[" * 20_000),
    "a list": lambda path: path.write_text("[1, null, {}]\n"),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("option", OPTIONS)
def test_what_stands_where_a_file_should(option: str, ends: Ends) -> None:
    for kind, place in PLACED.items():
        Path("a.sh").write_text(FINE)
        place(Path("X"))
        assert ends(*OPTIONS[option]) in (0, 1, 2, 3, 4), kind
        if Path("X").is_dir() and not Path("X").is_symlink():
            Path("X").rmdir()
        else:
            Path("X").unlink(missing_ok=True)


# --- rows of a recording, of any shape

SCALARS: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    "",
    "x",
    "\u202e",
    [],
    {},
    [None],
    {"a": []},
    10**40,
)


def shape(chance: random.Random, depth: int = 0) -> object:
    if depth > 3 or chance.random() < 0.4:
        return chance.choice(SCALARS)
    if chance.random() < 0.5:
        return [shape(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    names = ("prompt", "token_ids", "logprobs", "kind", "schema", "sampling", "prompt_token_ids", "id", "logprobs_mode")
    return {chance.choice(names): shape(chance, depth + 1) for _ in range(chance.randint(0, 5))}


def test_rows_of_any_shape_are_errors_with_their_place(ends: Ends) -> None:
    chance = random.Random(3)
    for _ in range(60):
        rows = [json.dumps(shape(chance)) for _ in range(chance.randint(1, 4))]
        Path("a.jsonl").write_text("\n".join(rows))
        assert ends("smoke", "compare", "a.jsonl", "a.jsonl") in (1, 2, 4)


# --- the cache gives what a run without it gives, whatever changed in between

CHANGES: dict[str, Callable[[], object]] = {
    "the file": lambda: Path("a.sh").write_text("vllm serve m --num-scheduler-steps 8\n"),
    "a parent": lambda: Path("b.yaml").write_text("vllm_config: {vllm_kwargs: {swap-space: 8}}\n"),
    "a pin": lambda: Path("requirements.txt").write_text("vllm==0.9.2\n"),
    "a pin above": lambda: Path("uv.lock").write_text('[[package]]\nname = "vllm"\nversion = "0.9.1"\n'),
    "the configuration": lambda: Path("vllm-migrate.toml").write_text('ignore = ["VM2"]\n'),
    "a new file": lambda: Path("new.sh").write_text(FINE),
    "one file less": lambda: Path("a.sh").unlink(),
    "the same size and time": lambda: _in_place(Path("a.sh"), FINE.replace("4", "8")),
    "what git ignores": lambda: Path(".gitignore").write_text("a.sh\n"),
    "a model": lambda: Path("m").mkdir() or Path("m/config.json").write_text('{"model_type": "qwen2"}'),
}


def _in_place(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
def test_the_cache_sees_every_change(change: str, ends: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.sh").write_text(FINE)
    Path("c.yaml").write_text("defaults: [b]\nvllm_config: {vllm_kwargs: {seed: 1}}\n")
    Path("b.yaml").write_text("vllm_config: {vllm_kwargs: {swap-space: 4}}\n")
    call = ["lint", "-j", "1", "--output-format", "json", "-o", "out.json", "."]
    ends(*call)
    ends(*call)
    CHANGES[change]()
    ends(*call)
    cached = Path("out.json").read_text()
    ends("lint", "--no-cache", *call[1:])
    assert cached == Path("out.json").read_text()

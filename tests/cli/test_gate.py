"""No secret and nothing that acts on a terminal or a runner passes the command line, whatever the command and format."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.secret_contexts import Context, contexts, whole_files
from tests.secret_contexts_real import real_files
from vllm_migrate.cli.gate import harmless_commands, without_controls
from vllm_migrate.cli.main import main
from vllm_migrate.documents.text.finding_secrets import secrets_of
from vllm_migrate.documents.text.secrets import forget
from vllm_migrate.run.judging import Run

FORMATS = ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html"]
ALL = [*contexts(), *whole_files(), *real_files()]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    return tmp_path


@pytest.mark.parametrize("context", ALL, ids=lambda context: context.name)
def test_a_secret_is_found_in_every_place(context: Context) -> None:
    found = secrets_of(context.text, code=context.name.endswith((".py", ".ipynb")))
    assert any(context.secret in value or value in context.secret for value in found)


@pytest.mark.parametrize("context", ALL[::13], ids=lambda context: context.name)
def test_no_command_prints_it(context: Context, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / context.name).write_text(context.text)
    calls = [["lint", "--no-cache", "--output-format", FORMATS[len(context.text) % len(FORMATS)]]]
    for call in (*calls, ["fix", "--unsafe"], ["effective", "--all"]):
        main([*call, context.name])
        out, err = capsys.readouterr()
        assert context.secret not in out + err and "internal error" not in out + err


@pytest.mark.parametrize(
    "text",
    [
        "tokenizer: Qwen/Qwen3-0.6B\nmax_tokens: 4096\neos_token: <|im_end|>\n",
        "vllm serve m --tokenizer a/b-7B --max-num-batched-tokens 8192",
        "api_key: ${oc.env:HF_TOKEN}\nHF_TOKEN: $HF_TOKEN\nkey: reward_model_1\n",
        "headers = {'Authorization': f'Bearer {self.api_key}'}",
        'NAMES = ["password", "transfer_id_2", "timeout_s_3"]',
        "api_key: YOUR_API_KEY\nopenai_api_key: EMPTY\ncredentials: /etc/key1.json\n",
        "--hf-token --port 8000 --api-key \\\n  algorithm.tis_cap=2.0",
        "docker run -u 1000:1000 x\ngit push -u origin/feature-branch1:main\ncurl -u user:$PASS h\nsshpass -p $PASS ssh h",
        "token: # of the model below\n  name: qwen12345678\n",
        "tokenizer_key = x or 'Qwen/Qwen3-0.6B'\nlogin('https://host12345678901234567890')\nauth: none\n",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert secrets_of(text, code="f'" in text or "= [" in text) == ()


CANARY = "m\x1b]8;;http://x\x07\u202e[/INST][red]\x9b31m\u2028::error::x ##[error]y"


def test_a_canary_passes_no_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"#!/bin/bash\nvllm serve '{CANARY}' --swap-space 4 --num-scheduler-steps 1\n ::set-output name=x::y\n"
    (here / "a.sh").write_text(text)
    name = "b\x1b[31m\n::error::z\u202e.sh"
    (here / name).write_text(text)
    for path in ("a.sh", name):
        calls = [["lint", "--no-cache", "--output-format", f] for f in FORMATS]
        for call in (*calls, ["fix", "--unsafe"], ["effective", "--all"], ["effective", "--output-format", "json"]):
            main([*call, path])
            out, err = capsys.readouterr()
            controls = "\x1b\x07\u202e\x9b" + "\u2028" * (call[0] != "fix")
            assert not any(c in out + err for c in controls), call
            assert "##[error]" not in out + err or "github" in call, call
            assert "internal error" not in out + err, (call, err)
            if "github" not in call:
                assert not any(line.lstrip().startswith(("::error", "::set")) for line in out.split("\n")), call
            if call[-1] in ("json", "sarif", "gitlab"):
                json.loads(out)


@pytest.mark.parametrize("path", ["a.sh", "b\x1b[31m\n::error::z\u202e.sh"])
def test_a_canary_passes_no_command_about_runs_nor_side_file(
    path: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / path).write_text(f"vllm serve '{CANARY}' --swap-space 4\n")
    arguments = f"args: Namespace(model_tag={CANARY!r}, model='{CANARY}', max_num_seqs=64)"
    unknown = f"Unknown vLLM environment variable detected: VLLM_{CANARY}"
    (here / "log").write_text(f"INFO 04-30 09:00:00 [a.py:1] vLLM API server version 0.8.5\n{arguments}\n{unknown}\n")
    calls = [
        ["lock", "-o", "side", path],
        ["migrate", "--checklist", "side", path],
        ["diff", "0.8.5", "0.18.1", path],
        ["verify", path, "--log", "log", "--all"],
        ["effective", "--output-format", "markdown", path],
        ["smoke", "record", path, "--python", f"/no{CANARY}", "-o", "r"],
        ["explain", CANARY],
        ["lint", "--select", CANARY, path],
    ]
    for call in calls:
        main(call)
        out, err = capsys.readouterr()
        side = here / "side"
        text = out + err + (side.read_text() if side.exists() else "")
        assert not any(c in text for c in "\x1b\x07\u202e\x9b\u2028") and "internal error" not in text, call
        assert not any(line.lstrip().startswith("::error") for line in text.split("\n")), call
        side.unlink(missing_ok=True)


def test_the_gate_escapes_as_json_does() -> None:
    assert json.loads('"' + without_controls("a\x7fb\u202e\U000e0041") + '"') == "a\x7fb\u202e\U000e0041"
    assert without_controls("\x1b[31mx\x1b[0m\x1b[2J", colored=True) == "\x1b[31mx\x1b[0m\\u001b[2J"
    assert harmless_commands(" ::a::b\nx ::a::b\n##[group]") == " \\u003a:a::b\nx ::a::b\n\\u0023#[group]"


def test_an_error_in_one_file_is_its_own(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
    for name in ("a.yaml", "b.yaml"):
        (here / name).write_text(conf)
    judge = Run._judge_file

    def broken(self: Run, path: str, named: bool, data: bytes | None) -> None:
        if path == "a.yaml":
            raise KeyError("x")
        judge(self, path, named, data)

    monkeypatch.setattr(Run, "_judge_file", broken)
    assert main(["lint", "--no-cache", "--output-format", "json", "a.yaml", "b.yaml"]) == 1
    found = [(finding["path"], finding["code"]) for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert [code for path, code in found if path == "a.yaml"] == ["VM900"]
    assert any(path == "b.yaml" for path, _ in found)


def test_pipes_and_devices_as_files_of_ours(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yaml").write_text("vllm_config: {}\n")
    os.mkfifo(here / "pipe")
    os.symlink("/dev/zero", here / "zero")
    for name in ("pipe", "zero"):
        assert main(["lint", "--no-cache", "--baseline", name, "a.yaml"]) == 2
        assert capsys.readouterr().err.startswith(f"error: {name}")


def test_standard_input_that_is_closed(here: Path) -> None:
    words = f"{sys.executable} -m vllm_migrate lint - <&-"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr == "error: standard input is closed\n"


def test_a_token_in_a_requirement_is_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headline quotes the requirement."""
    token = "ghp_" + "aB3dE5fG7hJ9" * 3
    (tmp_path / "requirements.txt").write_text(f"vllm @ git+https://{token}@github.com/vllm-project/vllm@v0.8.5\n")
    (tmp_path / "serve.yaml").write_text("model: m\nmax-model-len: 5\nswap-space: 4\n")
    monkeypatch.chdir(tmp_path)
    for form in ("text", "html", "markdown", "json", "concise"):
        main(["lint", "--isolated", "--no-cache", "--output-format", form, "."])
        assert token not in capsys.readouterr().out, form


HARMLESS = (
    ("a.py", 'class SecretResolver(Base):\n    """A test resolver that returns a fixed key."""\n'),
    ("a.py", 'def image_pull_secrets(self, value):\n    """Sets the image_pull_secrets of this spec."""\n'),
    ("a.yaml", "api_key: insert server api key\n"),
    ("a.yaml", "WANDB_API_KEY: Weights & Biases logging\n"),
    ("a.sh", "key=$(awk '/api_key/{print $2; exit}' f)\n"),
    ("a.sh", "cd $PWD\nPWD=/work/project/folder1\n"),
    ("a.yaml", "max_new_tokens: 4096abcdef123456\n"),
    ("a.sh", "echo PASS: 4,789 anchor draws = 9,578 full completions\n"),
    ("a.json", '{"pass": 10, "total": 10, "latency": 0.23}'),
    (
        "a.py",
        'MARKERS = (\n    "-----BEGIN RSA PRIVATE KEY-----",\n    "-----BEGIN PRIVATE KEY-----",\n)\ndef digest(): ...\n',
    ),
    ("a.yaml", "keys: {prompt: question_text_field_1, answer: ground_truth_answer_2}\n"),
    ("a.yaml", "tokens:\n  train: 1_000_000_000_000\n  model: Qwen2-VL-7B-Instruct-2024\n"),
    ("a.yaml", "secrets:\n  - name: hf-secret-2024-production\n    key: hf\n"),
    ("a.yaml", "secrets:\n  HF_TOKEN: ${HF_TOKEN}\nauth: {type: kubernetes-service-account-v1}\n"),
    ("a.sh", "echo Qwen2.5-7B-Instruct > tokenizer_name.txt\necho step12345678 | tee login.log\n"),
    ("a.sh", "MODEL=Qwen2-7B-Instruct-2024\nexport API_KEY=$MODEL\n"),
    ("a.sh", "#   HF_TOKEN=           HuggingFace API token\n#   API_KEY = OpenRouter key of yours\n"),
    ("a.sh", "mysql -h host12345678 -P 3306\nredis-cli -h host12345678 -p 6379\nmachine host1 is faster\n"),
    ("a.sh", 'TOKENS=(1024 2048 4096)\nKEYS=("prompt_1" "response_2")\n'),
    ("a.sh", "the api_key num_scheduler_steps_v2 and the token is Qwen2-VL-7B-Instruct-2024\n"),
    ("a.py", "token = f'{prefix}model.layers.2.mlp.experts.{n}'\n"),
    ("a.py", "hmac.new(key, message, 'sha256')\njwt.decode(token, key, algorithms=['HS256'])\n"),
    ("a.py", "NAMES = [['token', 'prompt_token_ids_2']]\n"),
    *(("a.py", f"f({count}_prompt_adapter_token='removed in 0.10.0')\n") for count in ("max", "min", "num", "total")),
)


@pytest.mark.parametrize(("name", "text"), HARMLESS)
def test_words_are_no_secret(name: str, text: str) -> None:
    assert secrets_of(text, name.endswith(".py")) == ()


@pytest.mark.parametrize(
    "text",
    [
        "export token_v2s={}\n",
        "API_KEY_V3: {}\n",
        "wandb login {}\n",
        'run(["wandb", "login", "{}"])\n',
    ],
)
def test_short_keys_and_versions_of_names(text: str) -> None:
    secret = "abcd1234efgh5678"
    assert secret in secrets_of(text.format(secret), code=False)
    assert not secrets_of(text.format("$KEY"), code=False)
    assert not secrets_of("docker login registry-of-ours\nlogin with your account\n", code=False)


@pytest.mark.parametrize(
    "words",
    [
        ["lint", "serve.yaml"],
        ["lint", "--output-format", "json", "serve.yaml"],
        ["fix", "serve.yaml"],
        ["effective", "serve.yaml"],
        ["explain", "VM101"],
        ["explain", "swap_space", "--output-format", "html"],
        ["rules"],
        ["releases"],
        ["dialects"],
        ["diff", "0.18.0", "0.18.1"],
        ["diff", "0.18.0", "0.18.1", "--output-format", "json"],
        ["route", "serve.yaml"],
        ["migrate", "serve.yaml"],
        ["schema", "config"],
        ["smoke", "worker"],
        ["smoke", "--help"],
        ["--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_a_reader_that_goes_away_is_no_error(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `| head` does. Every command ends as a program that SIGPIPE ends, and says nothing."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return null

    (tmp_path / "serve.yaml").write_text("model: m\nguided-decoding-backend: xgrammar\nswap-space: 4\n")
    monkeypatch.chdir(tmp_path)
    null = os.open(os.devnull, os.O_WRONLY)
    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(words) == 141
    os.close(null)
    assert capsys.readouterr().err == ""

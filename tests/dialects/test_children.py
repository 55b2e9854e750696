"""What a program gives to what it starts: variables of an environment, arguments of a parser that is vLLM's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

OWN = [
    "env = os.environ.copy()",
    "env = dict(os.environ)",
    "env = {{**os.environ}}",
    "env: dict[str, str] = os.environ.copy()",
    "env = make()",  # handed over by its name
]
SET = [
    'env["{name}"] = "{value}"',
    'env.setdefault("{name}", "{value}")',
    'env.update({{"{name}": "{value}", "A": "b"}})',
    'env = {{**os.environ, "{name}": "{value}"}}',
    'env = dict(os.environ, {name}="{value}")',
    'env = {{"{name}": "{value}"}}',
]


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("setting", SET)
@pytest.mark.parametrize("start", ['subprocess.run(["bash", "a.sh"], env=env)', "subprocess.Popen(command, env=env)"])
def test_a_variable_of_a_childs_environment(own: str, setting: str, start: str, tmp_path: Path) -> None:
    line = setting.format(name="VLLM_ATTENTION_BACKEND", value="FLASH_ATTN")
    text = f"import os\nimport subprocess\n{own.format()}\n{line}\n{start}\n"
    codes = {found.code for found in Reading(tmp_path, {"a.py": text}).findings}
    assert "VM501" in codes


def test_a_variable_of_an_image_that_a_program_builds(tmp_path: Path) -> None:
    text = (
        "import modal\nimport vllm\nimage = modal.Image.debian_slim().env({'VLLM_ATTENTION_BACKEND': 'FLASH_ATTN'})\n"
    )
    assert "VM501" in {found.code for found in Reading(tmp_path, {"a.py": text}).findings}
    other = text.replace(".env(", ".labels(")
    assert "VM501" not in {found.code for found in Reading(tmp_path, {"b.py": other}).findings}


@pytest.mark.parametrize(
    "text",
    [
        'table["VLLM_ATTENTION_BACKEND"] = "FLASH_ATTN"\n',
        'import os\ncopy = dict(other, VLLM_ATTENTION_BACKEND="FLASH_ATTN")\n',
        'known = {"VLLM_ATTENTION_BACKEND": "FLASH_ATTN"}\nprint(known, env=1)\n',
        'import subprocess\nsubprocess.run(["ls"], env={"A": "VLLM_ATTENTION_BACKEND"})\n',
        'import os\nenv = os.environ.copy()\nother["VLLM_ATTENTION_BACKEND"] = "FLASH_ATTN"\n',
    ],
)
def test_what_is_no_environment(text: str, tmp_path: Path) -> None:
    assert not [found for found in Reading(tmp_path, {"a.py": text}).findings if found.code == "VM501"]


@pytest.mark.parametrize("program", ["sbatch", "srun -N 1", "nice sbatch"])
@pytest.mark.parametrize(
    "option",
    [
        "--export=ALL,{0}=FLASHINFER",
        "--export={0}=FLASHINFER,A=b",
        '--export="ALL,{0}=FLASHINFER"',
        "--export ALL,{0}=FLASHINFER",
    ],
)
def test_a_variable_that_a_job_gets(program: str, option: str, tmp_path: Path) -> None:
    text = f"submit() {{ {program} {option.format('VLLM_ATTENTION_BACKEND')} job.sh 2>&1; }}\nsubmit\n"
    findings = Reading(tmp_path, {"a.sh": text}).findings
    assert [found.code for found in findings if found.code == "VM501"] == ["VM501"]


def test_another_program_has_an_option_of_that_name(tmp_path: Path) -> None:
    findings = Reading(tmp_path, {"a.sh": "tool --export=ALL,VLLM_ATTENTION_BACKEND=FLASHINFER\n"}).findings
    assert not findings


PARSER = "from vllm.entrypoints.openai.cli_args import make_arg_parser\nparser = make_arg_parser(p)\n"


@pytest.mark.parametrize(
    "rest",
    [
        'args = parser.parse_args(["--model", m, "--max-num-seqs", "8", "--device", "cuda"])\n',
        'args = parser.parse_args(args=["--model", m, "--max-num-seqs", "8", "--device", "cuda"])\n',
        'argv = ["--model", m, "--max-num-seqs", "8"]\nargv += ["--device", "cuda"]\nargs = parser.parse_args(argv)\n',
        'argv = ["--model", m, "--max-num-seqs=8"]\nargv.extend(["--device", "cuda"])\nargs = parser.parse_args(argv)\n',
        'def f(m):\n    return make_arg_parser(p).parse_args(["--model", m, "--max-num-seqs", "8", "--device", "cuda"])\n',
    ],
)
def test_arguments_that_vllms_own_parser_reads(rest: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"a.py": PARSER + rest})
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8
    assert [found.code for found in reading.findings if found.option == "device"] == ["VM208"]
    plan = reading.fix()
    assert plan.applied
    assert "cuda" not in reading.text("a.py")


@pytest.mark.parametrize(
    "text",
    [
        'import argparse\np = argparse.ArgumentParser()\nargs = p.parse_args(["--model", "m", "--max-num-seqs", "8"])\n',
        PARSER + 'other = ["--model", m, "--max-num-seqs", "8"]\nargs = parser.parse_args()\n',
    ],
)
def test_arguments_of_another_parser(text: str, tmp_path: Path) -> None:
    assert not [engine for engine in Reading(tmp_path, {"a.py": text}).engines if "argv" in engine.id]

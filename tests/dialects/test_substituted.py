"""Servers whose start leaves what it prints in a variable: `ID=$(docker run ...)`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

OPTIONS = "--max-num-seqs 8 --swap-space 4"
STARTS = [
    f"docker run -d --gpus all vllm/vllm-openai:v0.8.5 --model a/b {OPTIONS}",
    f"sudo docker run -d vllm/vllm-openai:v0.8.5 --model a/b {OPTIONS}",
    f"podman run -d vllm/vllm-openai:v0.8.5 --model a/b {OPTIONS}",
    f"nohup vllm serve a/b {OPTIONS} > log 2>&1 & echo $!",
    f"vllm serve a/b \\\n  {OPTIONS} | tail -n 1",
    f"python -m vllm.entrypoints.cli.main serve a/b {OPTIONS}",
]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "assigned", ["ID=$({0})\n", 'ID="$({0})"\n', "f() {{\n  local ID=$({0})\n}}\nf\n", "ID=$( {0} )\n"]
)
def test_the_start_in_a_substitution(start: str, assigned: str, tmp_path: Path) -> None:
    text = "set -e\n" + assigned.format(start) + 'echo "$ID"\n'
    reading = Reading(tmp_path, {"a.sh": text})
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8
    finding = next(found for found in reading.findings if found.option == "swap_space")
    assert text[finding.spot.start : finding.spot.end].startswith("--swap-space")
    plan = reading.fix()
    assert plan.applied
    after = reading.text("a.sh")
    assert "async-scheduling" in after and after.count("$(") == text.count("$(") and after.endswith('echo "$ID"\n')


@pytest.mark.parametrize("array", [f"ARGS=(--model a/b {OPTIONS})\n", f"ARGS=(--model a/b)\nARGS+=({OPTIONS})\n"])
def test_an_array_of_the_script_around_it(array: str, tmp_path: Path) -> None:
    text = array + 'ID=$(docker run -d vllm/vllm-openai:v0.8.5 "${ARGS[@]}")\n'
    reading = Reading(tmp_path, {"a.sh": text})
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8
    reading.fix()  # what stands outside of the substitution is not written from inside of it
    assert reading.text("a.sh") == text


@pytest.mark.parametrize("quoted", ['"${CMD[@]}"', "${CMD[@]}", "$ONE", "${ONE}"])
@pytest.mark.parametrize("start", STARTS[:4])
def test_a_start_that_an_array_or_a_variable_brings(start: str, quoted: str, tmp_path: Path) -> None:
    start = start.partition(" > ")[0]
    text = f'CMD=({start})\nONE="{start}"\nprintf "%q " "${{CMD[@]}}"\nID=$({quoted} 2>err.log)\n'
    reading = Reading(tmp_path, {"a.sh": text})
    assert len(reading.engines) == 1
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8


@pytest.mark.parametrize("start", STARTS[:4])
@pytest.mark.parametrize(
    "before",
    ["echo {}", "printf '%s ' {}", "pkill -f {}", "log {}", "[ {} ]", "if pgrep -f {}; then :; fi", "echo $({})"],
)
def test_what_is_printed_or_looked_for_starts_nothing(before: str, start: str, tmp_path: Path) -> None:
    start = start.partition(" > ")[0].replace("sudo ", "")
    reading = Reading(tmp_path, {"a.sh": before.replace("{}", start) + "\n"})
    assert not reading.engines


@pytest.mark.parametrize(
    "text",
    [
        "VERSION=$(vllm --version)\n",
        'HELP=$(docker run --rm vllm/vllm-openai:v0.8.5 --help)\nOTHER=$(echo "vllm serve a/b --swap-space 4")\n',
        "ID='$(vllm serve a/b --swap-space 4)'\n",
        "# ID=$(vllm serve a/b --swap-space 4)\necho vllm\n",
    ],
)
def test_what_starts_no_server(text: str, tmp_path: Path) -> None:
    assert not [found for found in Reading(tmp_path, {"a.sh": text}).findings if found.option == "swap_space"]


@pytest.mark.parametrize(
    "text",
    [
        "vllm serve m \\\n  --max-num-seqs 64  # enough\necho\n",
        "vllm serve m --max-num-seqs 64  # like C:\\\necho done\n",
    ],
)
def test_a_comment_that_loses_nothing(text: str, tmp_path: Path) -> None:
    assert not [found for found in Reading(tmp_path, {"a.sh": text}).findings if found.code == "VM601"]

"""Where each flag has a line of its own, a new one gets one, and one that goes takes its line with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing

FLAGS = ("--max-num-seqs 8", "--swap-space 4", "--seed 1")
BACK = " \\"
COMPOSE = "services:\n  vllm:\n    image: vllm/vllm-openai:v0.8.5\n"
POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: vllm/vllm-openai:v0.8.5\n"
    '    command: ["/bin/sh", "-c"]\n    args:\n'
)


def _lines(indent: str, end: str) -> str:
    return f"{end}\n".join(indent + flag for flag in FLAGS)


def _pairs(indent: str, end: str = ",") -> str:
    return f"{end}\n".join(indent + ", ".join(f'"{word}"' for word in flag.split()) for flag in FLAGS)


# A file and what stands around the flags there, each on a line of its own.
LAYOUTS = {
    "script": ("a.sh", f"vllm serve m \\\n{_lines('    ', BACK)}\n"),
    "in the background": ("a.sh", f"vllm serve m \\\n{_lines('  ', BACK)} > log 2>&1 &\n"),
    "array": ("a.sh", f'ARGS=(\n{_lines("  ", "")}\n)\nvllm serve m "${{ARGS[@]}}"\n'),
    "quoted script": ("a.sh", f'bash -c "vllm serve m \\\n{_lines("  ", BACK)}"\n'),
    "folded": ("compose.yaml", f"{COMPOSE}    command: >\n      --model m\n{_lines('      ', '')}\n"),
    "folded, stripped": (
        "compose.yaml",
        f"{COMPOSE}    command: >-\n      --model m\n{_lines('      ', '')}\n    tty: true\n",
    ),
    "literal": ("compose.yaml", f"{COMPOSE}    command: |\n      --model m\n{_lines('      ', '')}\n\n"),
    "plain": ("compose.yaml", f"{COMPOSE}    command: --model m\n{_lines('      ', '')}\n"),
    "single quotes": ("compose.yaml", f"{COMPOSE}    command: '--model m\n{_lines('      ', '')}'\n"),
    "double quotes": ("compose.yaml", f'{COMPOSE}    command: "--model m\n{_lines("      ", "")}"\n'),
    "flow list": ("compose.yaml", f'{COMPOSE}    command: ["--model", "m",\n{_pairs("      ")}]\n'),
    "flow list, closed below": (
        "compose.yaml",
        f'{COMPOSE}    command: [\n      "--model", "m",\n{_pairs("      ")},\n      ]\n',
    ),
    "folded script": ("pod.yaml", f"{POD}    - >\n      vllm serve m\n{_lines('      ', '')}\n"),
    "literal script": ("pod.yaml", f"{POD}    - |\n      vllm serve m \\\n{_lines('        ', BACK)}\n"),
    "plain script": ("pod.yaml", f"{POD}    - vllm serve m\n{_lines('      ', '')}\n"),
    "image": ("Dockerfile", f'FROM vllm/vllm-openai:v0.8.5\nCMD ["--model", "m", \\\n{_pairs("     ", "," + BACK)}]\n'),
    "image's script": (
        "Dockerfile",
        f"FROM vllm/vllm-openai:v0.8.5\nENTRYPOINT vllm serve m \\\n{_lines('    ', BACK)}\n",
    ),
}


@pytest.mark.parametrize(("name", "text"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_new_flag_has_a_line_of_its_own(name: str, text: str, tmp_path: Path) -> None:
    file = Changing(tmp_path, name, text)
    changed = file.set("max_model_len", 64)
    before, after = text.splitlines(), changed.splitlines()
    (new,) = (line for line in after if "--max-model-len" in line)
    assert len(after) == len(before) + 1
    assert len(new) - len(new.lstrip()) == next(len(line) - len(line.lstrip()) for line in before if "--seed" in line)
    assert [line for line in after if "--seed" not in line and line != new] == [
        line for line in before if "--seed" not in line
    ]
    assert file.read_back()["max_model_len"] == 64


@pytest.mark.parametrize("flag", [flag.partition(" ")[0] for flag in FLAGS])
@pytest.mark.parametrize(("name", "text"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_flag_goes_with_its_line(name: str, text: str, flag: str, tmp_path: Path) -> None:
    file = Changing(tmp_path, name, text)
    changed = file.drop(flag)
    redirected = flag == "--seed" and "&" in text
    assert len(changed.splitlines()) == len(text.splitlines()) - (not redirected)
    assert flag not in changed
    left = file.read_back()
    assert [left.get(key) for key in ("max_num_seqs", "seed")] == [
        None if flag == "--max-num-seqs" else 8,
        None if flag == "--seed" else 1,
    ]

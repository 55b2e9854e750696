"""A command that a script keeps in a variable or an array and adds to: the arguments are those that bash gives to the program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.dialects.reading import Reading

BASH = shutil.which("bash")
PROGRAM = "#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[2:]))\n"

STRINGS = [
    'CMD="$CMD --max-num-seqs 8"',
    'CMD="${CMD} --max-num-seqs 8"',
    'CMD=$CMD" --max-num-seqs 8"',
    "CMD+=' --max-num-seqs 8'",
    'CMD="$CMD \\\n  --max-num-seqs 8"\nCMD+=" --seed 1"',
    'if true; then\n  CMD="$CMD --max-num-seqs 8"\nfi\nCMD="$CMD --seed 1"',
    'if true; then CMD+=" --seed 1"; fi\nif true; then CMD+=" --max-num-seqs $((4 + 4))"; fi',
    'true && CMD="$CMD --max-num-seqs 8"',
    'N="8"\nFLAG="--max-num-seqs $N"\nCMD="$CMD $FLAG"',
]
STRING_RUNS = [
    "$CMD",
    "exec $CMD",
    "nohup $CMD",
    'eval "$CMD"',
    "eval $CMD",
    'bash -c "$CMD"',
    'bash -lc "exec $CMD"',
    'eval "exec $CMD"',
]
ARRAYS = [
    "CMD+=(--max-num-seqs 8)",
    'CMD=("${CMD[@]}" --max-num-seqs 8)',
    "if true; then CMD+=(--max-num-seqs 8); fi\nCMD+=(--seed 1)",
    'EXTRA=(--max-num-seqs 8)\nCMD+=("${EXTRA[@]}")',
    'N=8\nCMD+=(--max-num-seqs "$N")',
]
ARRAY_RUNS = [
    '"${CMD[@]}"',
    'exec "${CMD[@]}"',
    'eval "${CMD[@]}"',
    'eval "${CMD[*]}"',
    'bash -c "${CMD[*]}"',
    "exec ${CMD[*]}",
]

SCRIPTS = [
    *(f'CMD="vllm serve org/m"\n{more}\n{run}\n' for more, run in product(STRINGS, STRING_RUNS)),
    *(f"CMD=(vllm serve org/m)\n{more}\n{run}\n" for more, run in product(ARRAYS, ARRAY_RUNS)),
    'CMD="vllm serve org/m --max-num-seqs 8 2>&1 | cat"\nbash -c "$CMD"\n',
    'CMD="vllm serve org/m --max-num-seqs 8 > /dev/stdout"\neval "$CMD"\n',
    "CMD=\"vllm serve org/m --max-num-seqs 8 --hf-overrides '{\\\"a\\\": 1}'\"\neval \"$CMD\"\n",
    "CMD=\"vllm serve org/m --max-num-seqs 8 --hf-overrides '{\\\"a\\\": 1}'\"\nexec $CMD\n",
    "CMD=(vllm serve org/m --max-num-seqs 8 --hf-overrides '{\"a\": 1}')\nexec \"${CMD[@]}\"\n",
]  # fmt: skip


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_arguments_are_those_of_bash(script: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    found = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    assert BASH is not None
    real = subprocess.run(
        [BASH, "-c", script.replace("-lc", "-c")], env=found, capture_output=True, text=True, check=True
    )
    engine = Reading(tmp_path, {"run.sh": script}).engine
    argv, shell = engine.origin.argv, engine.origin.file.shell
    assert argv is not None and shell is not None
    words = shell.commands[argv.command].words[argv.start :]
    ours = [word.value for word in words]
    theirs = json.loads(real.stdout)
    assert len(ours) == len(theirs) and all(mine in (None, text) for mine, text in zip(ours, theirs, strict=True))
    assert "$((" in script or None not in ours


UNDECIDED = [
    'X=a\nif true; then X="$X-b"; fi\nvllm serve m --served-model-name "$X"',
    'X=a\nif true; then X="$X b"; fi\nvllm serve m --served-model-name "$X"',
    'X=a\nif true; then X+=" b"; fi\nY="$X c"\nvllm serve m --served-model-name "$Y"',
    'X=a\nif true; then X=b; fi\nvllm serve m --served-model-name "$X"',
]


@pytest.mark.parametrize("script", UNDECIDED)
def test_what_a_branch_adds_inside_of_a_word_leaves_it_undecided(script: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": script + "\n"})
    written = next(option for option in reading.engine.options if option.key == "--served-model-name")
    assert not isinstance(written.value, str)


SILENT = [
    'CMD="vllm serve m"\nCMD="echo $CMD"\necho "$CMD --x"',
    'CMD="python train.py"\nCMD="$CMD --max-num-seqs 8"\neval "$CMD"',
    'CMD="vllm bench serve"\nCMD+=" --model m"\nexec $CMD',
]


@pytest.mark.parametrize("script", SILENT)
def test_other_commands_in_variables_are_no_engines(script: str, tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"run.sh": script + "\n"}).engines


@pytest.mark.parametrize(
    "variable", ["-e VLLM_USE_V1=0", '-e "VLLM_USE_V1=0"', "--env VLLM_USE_V1=0", "--env=VLLM_USE_V1=0"]
)
@pytest.mark.parametrize("program", ["--entrypoint python3 img:1 -m", "img:1 python3 -m"])
def test_variables_of_a_container_reach_an_engine_of_overrides(variable: str, program: str, tmp_path: Path) -> None:
    text = f"docker run --rm {variable} {program} verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm\n"
    (engine,) = Reading(tmp_path, {"run.sh": text}).engines
    assert engine.facts["env.VLLM_USE_V1"].value == "0"


def test_what_stands_behind_the_first_override_sets_no_variable(tmp_path: Path) -> None:
    text = "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=vllm VLLM_USE_V1=0\n"
    (engine,) = Reading(tmp_path, {"run.sh": text}).engines
    assert "env.VLLM_USE_V1" not in engine.facts

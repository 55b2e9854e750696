"""Options in the lists of arguments that programs build, and keys of the dicts that they pass as `**kwargs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit

LINES = """import subprocess

command = [
    "vllm", "serve", model,
    "--max-num-seqs", "8",
    "--disable-log-requests",  # quiet
    f"--port={port}",
]
subprocess.run(command)
"""


def test_a_new_option_gets_a_line_of_its_own(tmp_path: Path) -> None:
    after = Changing(tmp_path, "run.py", LINES).set("async_scheduling", False)
    assert '    f"--port={port}",\n    "--no-async-scheduling",\n]' in after


def test_a_new_option_stays_on_a_list_of_one_line(tmp_path: Path) -> None:
    text = "run(['vllm', 'serve', 'm', '--max-num-seqs', '8'])\n"
    after = Changing(tmp_path, "run.py", text).set("seed", 3)
    assert after == "run(['vllm', 'serve', 'm', '--max-num-seqs', '8', '--seed', '3'])\n"


def test_an_option_goes_with_its_line_or_its_value(tmp_path: Path) -> None:
    change = Changing(tmp_path, "run.py", LINES)
    assert change.drop("--disable-log-requests") == LINES.replace('    "--disable-log-requests",  # quiet\n', "")
    assert Changing(tmp_path, "run.py", LINES).drop("--max-num-seqs") == LINES.replace(
        '    "--max-num-seqs", "8",\n', ""
    )


def test_what_a_branch_adds_is_read_and_nothing_is_added_to_it(tmp_path: Path) -> None:
    text = LINES.replace("subprocess.run", 'if eager:\n    command += ["--enforce-eager"]\nsubprocess.run')
    change = Changing(tmp_path, "run.py", text)
    assert [setting.key for setting in change.engine.options][-1] == "--enforce-eager"
    after = change.set("async_scheduling", False)
    assert 'command += ["--enforce-eager"]\n' in after and '\n    "--no-async-scheduling",\n]' in after


def test_what_is_appended_is_no_place_to_change(tmp_path: Path) -> None:
    change = Changing(tmp_path, "run.py", LINES + 'command.append("--enforce-eager")\n')
    with pytest.raises(CannotEdit, match="separate call"):
        change.drop("--enforce-eager")


KWARGS = """from vllm import LLM

kwargs = {
    "model": "m",
    "swap_space": 4,  # GiB
}
kwargs["seed"] = 0
if eager:
    kwargs["enforce_eager"] = True
llm = LLM(**kwargs)
"""


def test_a_key_of_the_dict_goes_with_its_line(tmp_path: Path) -> None:
    assert Changing(tmp_path, "run.py", KWARGS).drop("swap_space") == KWARGS.replace(
        '    "swap_space": 4,  # GiB\n', ""
    )


def test_a_new_keyword_stands_in_the_call(tmp_path: Path) -> None:
    after = Changing(tmp_path, "run.py", KWARGS).set("async_scheduling", False)
    assert after == KWARGS.replace("LLM(**kwargs)", "LLM(**kwargs, async_scheduling=False)")


def test_a_key_is_renamed_where_it_stands(tmp_path: Path) -> None:
    after = Changing(tmp_path, "run.py", KWARGS).respell("swap_space", "max_num_seqs", 8)
    assert after == KWARGS.replace('"swap_space": 4,', '"max_num_seqs": 8,')


def test_a_keyword_is_renamed_with_a_new_value(tmp_path: Path) -> None:
    text = "from vllm import LLM\nLLM(model='m', swap_space=4)\n"
    after = Changing(tmp_path, "run.py", text).respell("swap_space", "max_num_seqs", 8)
    assert after == text.replace("swap_space=4", "max_num_seqs=8")


@pytest.mark.parametrize("shared", ["LLM(**kwargs)\n", ""])
def test_a_dict_of_two_calls_or_a_statement_is_left_alone(tmp_path: Path, shared: str) -> None:
    key = "swap_space" if shared else "seed"
    with pytest.raises(CannotEdit, match="cannot be changed"):
        Changing(tmp_path, "run.py", KWARGS + shared).drop(key)


def test_a_configuration_in_a_dict_literal(tmp_path: Path) -> None:
    text = 'CONFIG = {"actor_rollout_ref": {"rollout": {"name": "vllm", "max_num_seqs": 64}}}\n'
    change = Changing(tmp_path, "run.py", text)
    assert (change.engine.name, change.engine.role) == ("verl", "rl_rollout")
    assert change.set("max_num_batched_tokens", 4096) == text.replace("64}", '64, "max_num_batched_tokens": 4096}')

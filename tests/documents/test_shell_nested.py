"""Scripts inside strings and heredocs: found where a shell reads them, with the file's offsets, edited in place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits, decode
from vllm_migrate.documents.shell.document import ShellDocument, WordOp, parse_shell
from vllm_migrate.documents.shell.edit import plan
from vllm_migrate.documents.shell.nested import nested
from vllm_migrate.documents.shell.proof import prove


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


JOB = r"""#!/bin/bash
#SBATCH -N 2
MODEL=org/model
srun --nodes=1 bash -c \
"pip install ray \
&& ray job submit --runtime-env-json='{\"a\": \"b c\"}' \
    -- python3 -m pkg.train \
    --vllm.num_engines 4 \
    --model $MODEL --late \$MODEL \
    --name \"x y\"" &>> log &
ssh host 'cd /x; vllm serve m --port 1'
sbatch <<EOF
#!/bin/sh
vllm serve $MODEL \
    --seed 3
EOF
cat <<'EOF' > later.sh
vllm serve later
EOF
cat <<'EOF' > notes.txt
vllm serve never
EOF
sudo /bin/sh -exc "echo $(date) one"
python -c "print('no shell')"
"""


def test_scripts_are_found_where_a_shell_reads_them() -> None:
    document = parse(JOB)
    names = [[command.words[0].value for command in sub.commands] for sub in nested(document)]
    assert names == [["pip", "ray"], ["cd", "vllm"], ["vllm"], ["vllm"], ["echo"]]
    assert all(sub.outer is document for sub in nested(document))
    assert nested(nested(document)[0]) == []


def test_words_have_the_files_offsets_and_the_inner_values() -> None:
    document = parse(JOB)
    ray = nested(document)[0].commands[1]
    values = [word.value for word in ray.words]
    assert values[:8] == ["ray", "job", "submit", '--runtime-env-json={"a": "b c"}', "--", "python3", "-m", "pkg.train"]
    assert values[8:] == ["--vllm.num_engines", "4", "--model", "org/model", "--late", None, "--name", "x y"]
    word = ray.words[8]
    assert JOB[word.start : word.end] == "--vllm.num_engines"
    assert nested(document)[0].source.position(word.start) == document.source.position(word.start)
    serve = nested(document)[2].commands[0]
    assert [word.value for word in serve.words] == ["vllm", "serve", "org/model", "--seed", "3"]


def test_variables_of_a_single_quoted_script_are_its_own() -> None:
    (sub,) = nested(parse("X=1\nbash -c 'X2=2; show $X $X2 \"a b\"'\n"))
    assert [word.value for word in sub.commands[0].words] == ["show", None, "2", "a b"]


def test_an_edit_inside_a_string() -> None:
    document = parse(JOB)
    sub = nested(document)[0]
    ops = [WordOp("insert_after", 1, 9, ("--vllm.enforce_eager",)), WordOp("replace", 1, 9, ("8",))]
    edits = plan(sub, ops)
    after = prove(sub, edits, ops)
    expected = JOB.replace("num_engines 4 \\\n", "num_engines 8 \\\n    --vllm.enforce_eager \\\n")
    assert apply_edits(JOB, edits) == expected
    assert after.outer is not None and after.outer.source.text == expected
    assert after.commands[1].words[9].value == "8"


def test_an_edit_inside_a_heredoc() -> None:
    sub = nested(parse(JOB))[2]
    ops = [WordOp("insert_after", 0, 4, ("--logprobs-mode", "processed_logprobs"))]
    assert apply_edits(JOB, plan(sub, ops)) == JOB.replace(
        "seed 3\n", "seed 3 \\\n    --logprobs-mode processed_logprobs\n"
    )
    prove(sub, plan(sub, ops), ops)


@pytest.mark.parametrize(
    "op",
    [WordOp("insert_after", 1, 9, ("k=[1, 2]",)), WordOp("replace", 1, 15, ("z",)), WordOp("replace", 1, 11, ("z",))],
)
def test_what_needs_quotes_of_its_own_is_refused(op: WordOp) -> None:
    with pytest.raises(CannotEdit):
        plan(nested(parse(JOB))[0], [op])


@pytest.mark.parametrize("edit", [Edit(0, 0, "x"), Edit(5, 5, "'"), Edit(JOB.index(" 4 "), JOB.index(" 4 "), '"')])
def test_proof_fails_outside_the_string_or_when_it_ends_early(edit: Edit) -> None:
    sub = nested(parse(JOB))[0]
    with pytest.raises(ProofFailed):
        prove(sub, [edit], [])


@pytest.mark.parametrize(
    "line",
    [
        "tmux new-session -d -s s 'vllm serve m'",
        'tmux send-keys -t s:0 "vllm serve m" C-m',
        'eval "vllm serve m"',
        "sbatch --wrap='vllm serve m'",
        'srun --wrap "vllm serve m"',
        "docker run --entrypoint bash image -lc 'vllm serve m'",
        "tee run.sh <<EOF\nvllm serve m\nEOF",
    ],
)
def test_other_commands_that_carry_a_command_line(line: str) -> None:
    (sub,) = nested(parse(line + "\n"))
    assert [word.value for word in sub.commands[0].words] == ["vllm", "serve", "m"]
    ops = [WordOp("insert_after", 0, 2, ("--seed", "3"))]
    edits = plan(sub, ops)
    prove(sub, edits, ops)
    assert "vllm serve m --seed 3" in apply_edits(line, edits)


@pytest.mark.parametrize(
    "line", ["echo 'vllm serve m'", "tmux ls", "ssh host", "cat > a.yaml <<EOF\nvllm serve m\nEOF"]
)
def test_other_strings_are_no_scripts(line: str) -> None:
    assert nested(parse(line + "\n")) == []


SPELLINGS = [
    *("'$P'", "'${P}'", "'a${P}b'", "'\\$P'", "'x'\"$P\"'y'", "\"'$P'\""),
    *("''", "'$UNSET'", "'${Q:-9}'", "'\\'", "'$5'", "'`echo 1`'"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_single_quotes_in_a_heredoc_do_not_stop_the_script_around_it(spelling: str, tmp_path: Path) -> None:
    """The outer shell expands all of an unquoted heredoc before the inner one reads its quotes; bash itself is the judge."""
    written = f"P=8000\ncat > run.sh <<EOF\nshow {spelling} end\nEOF\n"
    said = subprocess.run(
        ["bash", "--norc", "-c", written + "show() { printf '%s\\n' \"$1\"; }\n. ./run.sh"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    value = nested(parse(written))[0].commands[0].words[1].value
    undecided = any(part in spelling for part in ("UNSET", "Q", "$5", "`"))
    assert value == (None if undecided else said.stdout.removesuffix("\n"))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_single_quotes_in_a_substitution_keep_what_they_quote(spelling: str, tmp_path: Path) -> None:
    """A substitution is read by its own shell alone: what single quotes hold is text; bash itself is the judge."""
    written = f"P=8000\nID=$(vllm serve {spelling} end)\n"
    said = subprocess.run(
        ["bash", "--norc", "-c", "vllm() { printf '%s\\n' \"$2\"; }\n" + written + "printf '%s\\n' \"$ID\""],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert nested(parse(written))[0].commands[0].words[2].value == said.stdout.removesuffix("\n")

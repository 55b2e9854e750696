"""Scripts inside strings and heredocs: found where a shell reads them, with the file's offsets, edited in place."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits, decode
from vllm_migrate.documents.shell.document import ShellDocument, WordOp, parse_shell


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
    names = [[command.words[0].value for command in sub.commands] for sub in document.nested()]
    assert names == [["pip", "ray"], ["cd", "vllm"], ["vllm"], ["vllm"], ["echo"]]
    assert all(sub.outer is document for sub in document.nested())
    assert document.nested()[0].nested() == []


def test_words_have_the_files_offsets_and_the_inner_values() -> None:
    document = parse(JOB)
    ray = document.nested()[0].commands[1]
    values = [word.value for word in ray.words]
    assert values[:8] == ["ray", "job", "submit", '--runtime-env-json={"a": "b c"}', "--", "python3", "-m", "pkg.train"]
    assert values[8:] == ["--vllm.num_engines", "4", "--model", "org/model", "--late", None, "--name", "x y"]
    word = ray.words[8]
    assert JOB[word.start : word.end] == "--vllm.num_engines"
    assert document.nested()[0].source.position(word.start) == document.source.position(word.start)
    serve = document.nested()[2].commands[0]
    assert [word.value for word in serve.words] == ["vllm", "serve", "org/model", "--seed", "3"]


def test_variables_of_a_single_quoted_script_are_its_own() -> None:
    (sub,) = parse("X=1\nbash -c 'X2=2; show $X $X2 \"a b\"'\n").nested()
    assert [word.value for word in sub.commands[0].words] == ["show", None, "2", "a b"]


def test_an_edit_inside_a_string() -> None:
    document = parse(JOB)
    sub = document.nested()[0]
    ops = [WordOp("insert_after", 1, 9, ("--vllm.enforce_eager",)), WordOp("replace", 1, 9, ("8",))]
    edits = sub.plan(ops)
    after = sub.prove(ops, edits)
    expected = JOB.replace("num_engines 4 \\\n", "num_engines 8 \\\n    --vllm.enforce_eager \\\n")
    assert apply_edits(JOB, edits) == expected
    assert after.outer is not None and after.outer.source.text == expected
    assert after.commands[1].words[9].value == "8"


def test_an_edit_inside_a_heredoc() -> None:
    sub = parse(JOB).nested()[2]
    ops = [WordOp("insert_after", 0, 4, ("--logprobs-mode", "processed_logprobs"))]
    assert apply_edits(JOB, sub.plan(ops)) == JOB.replace(
        "seed 3\n", "seed 3 \\\n    --logprobs-mode processed_logprobs\n"
    )
    sub.prove(ops, sub.plan(ops))


@pytest.mark.parametrize(
    "op",
    [WordOp("insert_after", 1, 9, ("k=[1, 2]",)), WordOp("replace", 1, 15, ("z",)), WordOp("replace", 1, 11, ("z",))],
)
def test_what_needs_quotes_of_its_own_is_refused(op: WordOp) -> None:
    with pytest.raises(CannotEdit):
        parse(JOB).nested()[0].plan([op])


@pytest.mark.parametrize("edit", [Edit(0, 0, "x"), Edit(5, 5, "'"), Edit(JOB.index(" 4 "), JOB.index(" 4 "), '"')])
def test_proof_fails_outside_the_string_or_when_it_ends_early(edit: Edit) -> None:
    sub = parse(JOB).nested()[0]
    with pytest.raises(ProofFailed):
        sub.prove([], [edit])


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
    (sub,) = parse(line + "\n").nested()
    assert [word.value for word in sub.commands[0].words] == ["vllm", "serve", "m"]
    ops = [WordOp("insert_after", 0, 2, ("--seed", "3"))]
    edits = sub.plan(ops)
    sub.prove(ops, edits)
    assert "vllm serve m --seed 3" in apply_edits(line, edits)


@pytest.mark.parametrize(
    "line", ["echo 'vllm serve m'", "tmux ls", "ssh host", "cat > a.yaml <<EOF\nvllm serve m\nEOF"]
)
def test_other_strings_are_no_scripts(line: str) -> None:
    assert parse(line + "\n").nested() == []

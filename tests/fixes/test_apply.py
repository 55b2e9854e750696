"""Fixes: what is selected, proved, refused, and what a shared parent changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Source, apply_edits
from vllm_migrate.documents.shell.document import parse_shell
from vllm_migrate.fixes import script
from vllm_migrate.fixes.apply import Fixer, fix_all
from vllm_migrate.fixes.launcher import launcher_words
from vllm_migrate.fixes.ops import DropVariable
from vllm_migrate.run import session
from vllm_migrate.run.fix import fix
from vllm_migrate.run.judging import Result
from vllm_migrate.run.settings import Options

V0 = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    dtype: bfloat16\n    generation-config: vllm\n"
V1_CHILD = "defaults:\n  - base\n  - _self_\nvllm_config:\n  use_v1: true\n"


def run(tmp_path: Path, files: dict[str, str], **options: Any) -> tuple[Result, Fixer]:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    asked = Options(paths=(str(tmp_path),), isolated=True, **options)
    this = session.Session(asked)
    return this.run(), this.fixer()


def after(result: Result, fixer: Fixer, unsafe: bool = True) -> dict[str, str]:
    outcome = fix_all(result.findings, fixer, unsafe)
    return {Path(f.path).name: apply_edits(f.source.text, edits) for f, edits in outcome.edits.items()}


def named(result: Result, name: str) -> object:
    return next(finding for finding in result.findings if finding.name == name)


def test_the_request_for_v0_goes_only_with_the_pins(tmp_path: Path) -> None:
    result, fixer = run(tmp_path, {"base.yaml": V0})
    without = [f for f in result.findings if f.name != "prefix-caching-default"]
    everything = after(result, fixer)["base.yaml"]
    assert "use_v1: true" in everything and "no-enable-prefix-caching" in everything
    outcome = fix_all(result.findings, fixer, unsafe=True)
    kept = [f for f in outcome.applied if f.name == "engine-v0-removed"]
    assert kept
    # The same findings with the pin taken from the wanted set: the evidence of the old engine must stay.
    findings = [
        f._replace(fix=f.fix._replace(safety="none")) if f.name == "prefix-caching-default" and f.fix else f
        for f in result.findings
    ]
    ((file, edits),) = fix_all(findings, fixer, unsafe=True).edits.items()
    text = apply_edits(file.source.text, edits)
    assert "use_v1: false" in text
    assert without


def test_a_pin_in_a_shared_parent_is_lowered_when_a_child_ran_differently(tmp_path: Path) -> None:
    alone, _ = run(tmp_path / "alone", {"base.yaml": V0})
    shared, _ = run(tmp_path / "shared", {"base.yaml": V0, "child.yaml": V1_CHILD})
    for result, safety in ((alone, "safe"), (shared, "review")):
        finding = next(f for f in result.findings if f.name == "prefix-caching-default")
        assert finding.fix is not None and finding.fix.safety == safety


def test_a_fix_that_reaches_into_a_barred_file_is_not_made(tmp_path: Path) -> None:
    child = "defaults:\n  - base\n  - _self_\nvllm_config:\n  vllm_kwargs:\n    swap_space: 4\n"
    result, fixer = run(tmp_path, {"base.yaml": V0, "child.yaml": child})
    names = {Path(file.path).name for file in fix_all(result.findings, fixer, unsafe=True).edits}
    assert names == {"base.yaml", "child.yaml"}
    outcome = fix_all(result.findings, fixer, True, lambda file: file.path.endswith("base.yaml"))
    assert {Path(file.path).name for file in outcome.edits} == {"child.yaml"}
    assert [finding.option for finding in outcome.applied] == ["swap_space"]
    assert fix_all(result.findings, fixer, True, lambda file: True).edits == {}


def test_an_anchored_mapping_is_not_edited(tmp_path: Path) -> None:
    text = "shared: &k\n  dtype: bfloat16\nvllm_config:\n  use_v1: false\n  vllm_kwargs: *k\n"
    result, fixer = run(tmp_path, {"base.yaml": text})
    outcome = fix_all(result.findings, fixer, unsafe=True)
    assert "anchor" in " ".join(why for _, why in outcome.refused)
    assert not any("no-enable-prefix-caching" in apply_edits(f.source.text, e) for f, e in outcome.edits.items())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("final", [True, False])
def test_newlines_mark_and_end_are_kept(tmp_path: Path, newline: str, bom: str, final: bool) -> None:
    text = V0 if final else V0.rstrip("\n")
    path = tmp_path / "base.yaml"
    before = (bom + text).replace("\n", newline).encode()
    path.write_bytes(before)
    written = fix(Options(paths=(str(path),), isolated=True, unsafe=True)).write()
    assert written.paths == (str(path),) and not written.failed
    data = path.read_bytes()
    assert data.startswith(bom.encode()) and data.endswith(newline.encode()) == final
    assert data.count(b"\r\n") == (data.count(b"\n") if newline == "\r\n" else 0)
    for line in before.splitlines():
        assert line in data or b"use_v1" in line


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(V0, encoding="utf-8")
    from vllm_migrate.documents.text import write
    from vllm_migrate.fixes import write as fixes_write

    def late(name: str, source: object, text: str, allowed: object) -> bool:
        path.write_text(V0 + "# somebody else\n", encoding="utf-8")
        return write.write_atomic(name, source, text)  # type: ignore[arg-type]

    monkeypatch.setattr(fixes_write, "write_atomic", late)
    written = fix(Options(paths=(str(path),), isolated=True)).write()
    assert not written.paths
    assert "changed" in str(written.failed[0])
    assert path.read_text(encoding="utf-8") == V0 + "# somebody else\n"


def test_a_script_is_fixed_in_its_own_style(tmp_path: Path) -> None:
    script = (
        "#!/bin/bash\nexport VLLM_USE_V1=0   # the old engine\nfor i in 1 2; do\n  vllm serve m \\\n"
        "    --max-model-len 8192 \\\n    --swap-space 4 \\\n    --port 80$i   # one a port\ndone\n"
    )
    result, fixer = run(tmp_path, {"serve.sh": script})
    text = after(result, fixer)["serve.sh"]
    assert "VLLM_USE_V1" not in text and "--swap-space" not in text
    assert "    --no-enable-prefix-caching" in text and "# one a port" in text
    again, fixer = run(tmp_path, {"serve.sh": text})
    assert after(again, fixer) == {}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("--num-scheduler-steps 1 $EXTRA", "$EXTRA"),
        ("--num-scheduler-steps 1 --port=$P", "--port=$P"),
        ("--num_scheduler_steps 1 $A $B --port 1", "$A $B --port 1"),
        ("--num-sched 1 $EXTRA", "$EXTRA"),
        ("--disable-log-requests $EXTRA", "$EXTRA"),
        ("--num-scheduler-steps $N --seed 1", "--seed 1"),
        ("--num-scheduler-steps=1 $EXTRA", "$EXTRA"),
    ],
)
def test_what_stands_behind_an_option_that_goes_is_kept(
    words: str, left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by fuzzing: `$EXTRA` went with the option before it."""
    monkeypatch.chdir(tmp_path)
    Path("run.sh").write_text(f"vllm serve m {words}\n")
    assert main(["fix", "--isolated", "--unsafe", "--write", "run.sh"]) == 0
    assert Path("run.sh").read_text().startswith(f"vllm serve m {left}")


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (
            "docker run -e VLLM_USE_V1=0 -p 80:80 vllm/vllm-openai:v0.8.5 --model m",
            "docker run -p 80:80 vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            "docker run --env VLLM_USE_V1=0 vllm/vllm-openai:v0.8.5 --model m",
            "docker run vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            "docker run --env=VLLM_USE_V1=0 -it vllm/vllm-openai:v0.8.5 --model m",
            "docker run -it vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            "docker run -eVLLM_USE_V1=0 vllm/vllm-openai:v0.8.5 --model m",
            "docker run vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            "docker run -e=VLLM_USE_V1=0 vllm/vllm-openai:v0.8.5 --model m",
            "docker run vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            "docker run -e VLLM_USE_V1=0 -e VLLM_ATTENTION_BACKEND=FLASHINFER -p 80:80 vllm/vllm-openai:v0.8.5 --model m",
            "docker run -p 80:80 vllm/vllm-openai:v0.8.5 --model m",
        ),
        (
            'docker run \\\n  -e "VLLM_USE_V1=0" \\\n  -e KEPT=1 \\\n  vllm/vllm-openai:v0.8.5 --model m',
            "docker run \\\n  -e KEPT=1 \\\n  vllm/vllm-openai:v0.8.5 --model m",
        ),
        ("apptainer exec --env VLLM_USE_V1=0 img.sif vllm serve m", "apptainer exec img.sif vllm serve m"),
        ("mpirun -np 2 -x VLLM_USE_V1=0 vllm serve m", "mpirun -np 2 vllm serve m"),
        ('docker run -e VLLM_USE_V1=0 "$IMAGE" vllm serve m', 'docker run "$IMAGE" vllm serve m'),
        ("env -i VLLM_USE_V1=0 A=1 vllm serve m", "env -i A=1 vllm serve m"),
        ("sudo env VLLM_USE_V1=0 vllm serve m", "sudo env vllm serve m"),
        ("VLLM_USE_V1=0 A=1 vllm serve m", "A=1 vllm serve m"),
        ("export A=1 VLLM_USE_V1=0 B=2\nvllm serve m", "export A=1 B=2\nvllm serve m"),
        ('docker run -e VLLM_USE_V1=0 img bash -c "vllm serve m"', 'docker run img bash -c "vllm serve m'),
    ],
)
def test_a_variable_goes_with_the_flag_that_carries_it(line: str, left: str, tmp_path: Path) -> None:
    result, fixer = run(tmp_path, {"serve.sh": line + "\n"})
    assert "engine-v0-removed" in {finding.name for finding in result.findings}
    assert after(result, fixer)["serve.sh"].startswith(left)


@pytest.mark.parametrize(
    "line",
    [
        "srun --export VLLM_USE_V1=0 vllm serve m",  # a flag that is not known to take just this
        "tool --env VLLM_USE_V1=0 A=1 -- vllm serve m",  # a flag with several values
        "docker run $FLAGS VLLM_USE_V1=0 vllm/vllm-openai:v0.8.5 --model m",
        'one=(VLLM_USE_V1=0)\ndocker run -e "${one[@]}" vllm/vllm-openai:v0.8.5 --model m',
    ],
)
def test_a_variable_stays_where_its_flag_is_not_plain(line: str, tmp_path: Path) -> None:
    result, fixer = run(tmp_path, {"serve.sh": line + "\n"})
    assert "engine-v0-removed" in {finding.name for finding in result.findings}
    assert "VLLM_USE_V1=0" in after(result, fixer).get("serve.sh", line)
    assert any("not known" in why or "decided" in why for _, why in fix_all(result.findings, fixer, True).refused)


@pytest.mark.parametrize("line", ["apptainer exec --env A=0,B=1 img.sif", 'srun --export "A=0, B=1" vllm'])
def test_a_word_that_sets_several_variables_stays(line: str) -> None:
    document = parse_shell(Source("x.sh", b"", line, False, "\n"))
    word = document.commands[0].words[-2]
    with pytest.raises(CannotEdit, match="sets others"):
        launcher_words(document, DropVariable("A", word.start, word.end))


def test_the_proof_compares_the_words_in_front_of_the_program() -> None:
    text = "docker run -e A=1 -p 80:80 image\n"
    file = File(Source("x.sh", b"", text, False, "\n"), None, True)
    file.shell = parse_shell(file.source)
    drop = DropVariable("A", 14, 17)
    with pytest.raises(ProofFailed):
        script._prove_removed(file, [drop], [Edit(14, 18, "")], [])


def test_what_was_refused_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("shared: &k\n  dtype: bfloat16\nvllm_config:\n  use_v1: false\n  vllm_kwargs: *k\n")
    main(["fix", "--isolated", "--unsafe", "a.yaml"])
    refused = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not fixed: ")]
    assert refused and all(re.match(r"not fixed: a\.yaml:\d+: VM", line) for line in refused)


@pytest.mark.parametrize(
    "block",
    [
        'if [ "$A" = 1 ]; then\n  export VLLM_USE_V1=0\nfi\n',
        'if [ "$A" = 1 ]; then\n  # old\n  export VLLM_USE_V1=0\nelse\n  date\nfi\n',
        "setup() {\n  export VLLM_USE_V1=0\n}\nsetup\n",
    ],
)
def test_no_block_is_left_empty(block: str, tmp_path: Path) -> None:
    result, fixer = run(tmp_path, {"serve.sh": block + "vllm serve m\n"})
    assert after(result, fixer).get("serve.sh", block).startswith(block)


LITERAL = '{{"actor_rollout_ref": {{"rollout": {{"name": "vllm", "mode": "async", "n": {}}}}}}}'


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("a.yaml", "---\n"),
        ("a.py", "\n"),
    ],
)
def test_documents_of_one_file_are_no_children_of_each_other(name: str, joint: str, tmp_path: Path) -> None:
    """Each literal of a program, and each document of a stream, gets its own pin, all in the first run."""
    one = LITERAL if name == "a.yaml" else "OmegaConf.create(" + LITERAL + ")"
    text = "from omegaconf import OmegaConf\n" * (name == "a.py") + joint.join(one.format(n) + "\n" for n in (2, 3, 4))
    (first,) = after(*run(tmp_path, {name: text})).values()
    assert first.count("no_async_scheduling") == 3
    assert after(*run(tmp_path, {name: first})) == {}

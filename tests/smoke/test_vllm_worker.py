"""The worker's process: its protocol, and every way it can go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.smoke.processes import ends
from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.backends import vllm_worker
from vllm_migrate.smoke.backends.interface import Job
from vllm_migrate.smoke.backends.vllm_worker import VllmWorker, release_of, split_command, worker_source
from vllm_migrate.smoke.errors import EngineRunError
from vllm_migrate.smoke.recording import USER, Header, Row, first_defects, valid
from vllm_migrate.smoke.rollout import run_job
from vllm_migrate.smoke.source import SmokeEngine
from vllm_migrate.smoke.worker import versions
from vllm_migrate.verify.python import ask

JOB = Job("record", {"model": "m"}, {"user": {}}, [{"prompt": [5], "contract": "user"}], [], {})
HEADER = 'import json,sys,time,os\ndef emit(o):\n t=json.dumps(o); print("@vllm-migrate", len(t), t, flush=True)\n'


def lines(tmp_path: Path, body: str, timeout: float = 20.0, watch: Any = lambda line: None) -> Any:
    program = tmp_path / "program.py"
    program.write_text(HEADER + body)
    return list(VllmWorker(sys.executable, timeout=timeout, argv=[str(program)]).run(JOB, watch))


def failure(tmp_path: Path, body: str, **options: Any) -> str:
    with pytest.raises(EngineRunError) as error:
        lines(tmp_path, body, **options)
    return str(error.value)


def test_rows_come_through_among_other_output(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    body = (
        'print("loading weights")\nemit({"kind":"header"})\nemit({"kind":"note","text":"n"})\n'
        'print("(pid=3) ", end=""); emit({"kind":"row","i":1})\nemit({"kind":"end","rows":1})\n'
    )
    assert [line["kind"] for line in lines(tmp_path, body, watch=seen.append)] == ["header", "row"]
    assert seen == [{"kind": "note", "text": "n"}]


def test_the_job_reaches_the_worker(tmp_path: Path) -> None:
    found = lines(
        tmp_path, 'job=json.load(open(sys.argv[1]))\nemit({"kind":"header","job":job})\nemit({"kind":"end","rows":0})'
    )
    assert found[0]["job"]["requests"] == JOB.requests


def test_a_hung_worker_is_stopped_with_its_children(tmp_path: Path) -> None:
    body = (
        'import subprocess\np=subprocess.Popen([sys.executable,"-c","import time; time.sleep(60)"])\n'
        'print("child", p.pid, file=sys.stderr, flush=True)\nemit({"kind":"header"})\ntime.sleep(60)\n'
    )
    text = failure(tmp_path, body, timeout=2.0)
    assert "gave no recording within 2 s and was stopped" in text
    child = int(text.rsplit("child ", 1)[1].split()[0])
    assert ends(child)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            'print("Traceback: boom", file=sys.stderr); sys.exit(3)',
            "died with exit code 3 after 0 rows\n  | Traceback: boom",
        ),
        (
            'emit({"kind":"header"}); emit({"kind":"row"}); os.kill(os.getpid(), 9)',
            "killed by SIGKILL after 1 rows (the system",
        ),
        ('print("\\x00\\xff garbage")', "ended without a recording (0 rows, no end line)\n  | "),
        ('print("@vllm-migrate 9 {half")', "printed a line that does not follow the protocol"),
        ('print("@vllm-migrate x {}")', "printed a line that does not follow the protocol"),
        ('emit({"kind":"header"}); emit({"kind":"end","rows":4})', "promised 4 rows and gave 0"),
        (
            'emit({"kind":"error","error":"ValueError","detail":"no such dtype"}); sys.exit(1)',
            "vLLM failed: ValueError: no such dtype",
        ),
        ('print("@vllm-migrate 200000", "[" * 200_000)', "printed a line that does not follow the protocol"),
        ('print("@vllm-migrate 2 []")', "printed a line that does not follow the protocol"),
        ('print("@vllm-migrate 9999", "7" * 9999)', "printed a line that does not follow the protocol"),
        ("os.kill(os.getpid(), 40)", "killed by "),
        ('print("torch.OutOfMemoryError: CUDA", file=sys.stderr); sys.exit(1)', "out of memory"),
    ],
)
def test_a_worker_that_fails_says_how(body: str, message: str, tmp_path: Path) -> None:
    assert message in failure(tmp_path, body)


def test_a_worker_that_never_stops_printing_is_stopped(tmp_path: Path) -> None:
    text = failure(tmp_path, 'emit({"kind":"header"})\nwhile True: emit({"kind":"note"})', timeout=1.0)
    assert "gave no recording within 1 s and was stopped" in text


@pytest.mark.parametrize(("limit", "message"), [("LINE_LIMIT", "a line of more"), ("TOTAL_LIMIT", "more than 0 GiB")])
def test_rows_without_end_are_refused(
    limit: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_worker, limit, 1000)
    text = failure(tmp_path, 'emit({"kind":"header"})\nfor i in range(40): emit({"kind":"row","x":"é"*(i*99)})')
    assert message in text


def test_the_folder_it_is_called_in_is_not_imported_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "importlib", "subprocess", "vllm"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert not release_of(sys.executable)
    assert ask(sys.executable).vllm == ""
    with pytest.raises(EngineRunError):
        list(VllmWorker(sys.executable, timeout=60).run(JOB, lambda line: None))
    assert not (tmp_path / "imported").exists()


WRONG: list[Any] = [None, 1, -1, 10**30, 1.5, True, "x", "nan", [], [1], [None], [[1]], ["x"], {}, {"x": 1}, [10**30]]


def test_rows_of_any_shape_are_an_error_with_their_place() -> None:
    """Every field of a row and of the header with values of every type: a recording, or an error that names the field."""
    spec = SmokeEngine({"model": "m"}, {}, {}, "rollout", "c.yaml", "engine")
    row = {"kind": "row", "prompt": [1], "tokens": [2], "logprobs": [-0.5], "contract": USER}
    refused = 0
    for record, name in [
        *(("row", name) for name in Row.model_fields),
        *(("header", field.validation_alias or name) for name, field in Header.model_fields.items()),
    ]:
        for value in WRONG:
            header = {"kind": "header", "sampling": {USER: {}}} | ({str(name): value} if record == "header" else {})
            lines = [header, {**row, str(name): value} if record == "row" else row]
            backend = SimpleNamespace(name="x", run=lambda job, watch, lines=lines: iter(lines))
            try:
                found = run_job(backend, JOB, spec, lambda line: None).samples
            except EngineRunError as error:
                place = "row 1 " if record == "row" else "the header "
                assert str(error).startswith(place) and str(name).rstrip("_") in str(error)
                refused += 1
                continue
            first_defects(found.rows)
            valid(found.rows)
    assert refused > 200


def test_a_refused_config_is_told_from_a_crash(tmp_path: Path) -> None:
    body = 'emit({"kind":"error","error":"R","refused":True,"detail":"vLLM 0.18.1 refuses: swap_space"}); sys.exit(1)'
    assert failure(tmp_path, body) == "vLLM 0.18.1 refuses: swap_space; the real launch would fail as well"


def test_only_the_last_lines_are_shown(tmp_path: Path) -> None:
    text = failure(tmp_path, 'for i in range(99): print("line", i, file=sys.stderr)\nsys.exit(1)')
    assert "line 98" in text
    assert "line 50\n" not in text


def test_the_cause_is_shown_where_the_last_lines_only_point_to_it(tmp_path: Path) -> None:
    """vLLM's engine process names the cause long before the front end's traceback ends."""
    body = (
        'e="(EngineCore pid=7) ERROR 11-28 05:02:53 [core.py:1099] "\n'
        'print(e+"Traceback (most recent call last):", file=sys.stderr)\n'
        'print(e+"ValueError: current platform cpu does not support ray.", file=sys.stderr)\n'
        'for i in range(40): print("  File", i, file=sys.stderr)\n'
        'print("RuntimeError: Engine core initialization failed. See root cause above.", file=sys.stderr)\nsys.exit(1)'
    )
    text = failure(tmp_path, body)
    assert "\n  | ValueError: current platform cpu does not support ray.\n  | ...\n" in text
    assert "File 39" in text
    assert "File 5\n" not in text


def test_weight_versions_are_one_a_token() -> None:
    """As vLLM's own spans over output tokens (0.32.0) give them; releases before have none."""
    spans = [SimpleNamespace(version="default", start=0, end=3), SimpleNamespace(version="updated", start=3, end=5)]
    assert versions(SimpleNamespace(weight_versions=spans), 5) == ["default"] * 3 + ["updated"] * 2
    assert versions(SimpleNamespace(weight_versions=spans), 4) == ["default"] * 3 + ["updated"]
    assert versions(SimpleNamespace(weight_versions=None), 5) is None
    assert versions(SimpleNamespace(), 5) is None


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot start /no/such/python"):
        list(VllmWorker("/no/such/python").run(JOB, lambda line: None))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python3", ["python3"]),
        ("srun -N1 'my python'", ["srun", "-N1", "my python"]),
        ("docker run --rm img python3", ["docker", "run", "--rm", "img", "python3"]),
    ],
)
def test_a_command_may_have_a_prefix(command: Any, words: list[str]) -> None:
    assert split_command(command) == words


def test_a_path_with_spaces_is_one_word(tmp_path: Path) -> None:
    (tmp_path / "my py").touch()
    assert split_command(str(tmp_path / "my py")) == [str(tmp_path / "my py")]
    with pytest.raises(UsageError, match="--python is empty"):
        split_command(" ")


def test_the_release_of_an_interpreter_without_vllm() -> None:
    assert release_of(sys.executable) == ""
    with pytest.raises(UsageError, match="cannot start /no/such/python: No such file or directory"):
        release_of("/no/such/python")
    with pytest.raises(UsageError, match="ended with exit code 3: no shared library"):
        release_of("sh -c 'echo no shared library >&2; exit 3'")


def test_the_worker_without_vllm_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineRunError, match="vLLM failed: ModuleNotFoundError: No module named 'vllm'"):
        list(VllmWorker(sys.executable, timeout=60).run(JOB, lambda line: None))


def test_the_worker_is_one_file_of_the_standard_library_and_vllm(tmp_path: Path) -> None:
    """It starts alone, elsewhere, on an isolated interpreter; nothing of ours is imported."""
    (tmp_path / "vllm_migrate_worker.py").write_text(worker_source())
    code = (
        "import sys; sys.path.insert(0, '.'); import vllm_migrate_worker; "
        "print([m for m in sys.modules if m.startswith(('vllm_migrate.', 'torch', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_torch_engine_speaks_the_same_protocol(lab: SimpleNamespace) -> None:
    pytest.importorskip("torch")
    work = lab.job(lab.model, count=2, sampling={"max_tokens": 4}, logprobs_mode="processed_logprobs")
    worker = VllmWorker(
        sys.executable,
        timeout=120,
        argv=["-m", "vllm_migrate.smoke.backends.torch_engine"],
        env={"PYTHONPATH": os.getcwd()},
    )
    found = list(worker.run(work, lambda line: None))
    assert [line["kind"] for line in found] == ["header", "row", "row"]
    here = lab.run(work)
    assert [line["tokens"] for line in found[1:]] == [row.tokens for row in here.rows]

"""The diff that `fix` prints is a patch: `git apply` and `patch` make of the file what --write makes of it."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, Source, apply_edits
from vllm_migrate.report.fix import diff

PROGRAMS = {"git": ["git", "apply", "-p0", "--whitespace=nowarn"], "patch": ["patch", "-p0", "--force", "--quiet"]}

SERVE = "model: m\nswap-space: 4\n"
FILES = {
    "serve.yaml": SERVE,
    "tail.yaml": "swap-space: 4\nmodel: m\n\n",
    "folder with space/serve.yaml": SERVE,
    'new\nline "and" back\\slash.yaml': SERVE,
    "breaks.sh": "# a\u2028b\x0cc\x85\nvllm serve m --swap-space 4\n",
    "run.sh": "#!/bin/sh\nvllm serve m --swap-space 4 \\\n  --port 80\n",
    "one.sh": "vllm serve m --swap-space 4\n",
    "run.py": "from vllm import LLM\n\nllm = LLM(\n    'm',\n    swap_space=4,\n)\n",
    "rl.toml": 'inference_gpu_ids = [0]\n\n[inference.model]\nname = "m"\n\n[inference.vllm_extra]\nswap_space = 4\n',
}


def patched(program: str, diff: str, folder: Path) -> None:
    command = PROGRAMS[program]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    done = subprocess.run(command, cwd=folder, input=diff.encode(), capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode() + diff


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shape", ["plain", "windows", "no-end", "windows-no-end", "bom"])
@pytest.mark.parametrize("name", FILES)
def test_the_diff_is_a_patch(
    name: str,
    shape: str,
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = FILES[name]
    if "no-end" in shape:
        text = text.rstrip("\n")
    if "windows" in shape:
        text = text.replace("\n", "\r\n")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    before = ("\ufeff" * (shape == "bom") + text).encode()
    path.write_bytes(before)
    monkeypatch.chdir(tmp_path)
    call = ["fix", "--isolated", "--unsafe", "--color", "never"]
    code = main([*call, name])
    diff = capsys.readouterr().out
    assert path.read_bytes() == before
    main([*call, "--write", name])
    wanted = path.read_bytes()
    assert code == 1 and wanted != before, diff
    path.write_bytes(before)
    capsys.readouterr()
    patched(program, diff, tmp_path)
    assert path.read_bytes() == wanted


@pytest.mark.parametrize("program", PROGRAMS)
def test_any_edit_of_any_text_is_a_patch(program: str, tmp_path: Path) -> None:
    draw = random.Random(5)
    alphabet = ('{"a": 1}', "b", " ", "\u2028", "\x0c", "\x85", "\n", "\n", "\n", "\r\n")
    wanted: dict[str, bytes] = {}
    lines: list[str] = []
    for number in range(200):
        text = "x" + "".join(draw.choice(alphabet) for _ in range(draw.randint(0, 30)))
        start = draw.randint(1, len(text))
        end = draw.choice((start, draw.randint(start, len(text))))
        edit = Edit(start, end, "".join(draw.choice(alphabet) for _ in range(draw.randint(0, 5))))
        after = apply_edits(text, [edit])
        if after != text:
            name = f"{number}.json"
            (tmp_path / name).write_bytes(text.encode())
            lines += diff(File.bare(Source(name, b"", text, False, "\n")), [edit])
            wanted[name] = after.encode()
    patched(program, "\n".join([*lines, "", "would change 200 files"]) + "\n", tmp_path)
    assert len(wanted) > 100
    assert {name: (tmp_path / name).read_bytes() for name in wanted} == wanted

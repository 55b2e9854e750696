"""Commands in strings of a program that a shell reads: found in their place, never edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

OPTIONS = "--swap-space 4 --max-num-seqs 8"
FOUND = [
    f'import os\nos.system("vllm serve org/m {OPTIONS}")\n',
    f"import os\nos.system('nohup vllm serve org/m {OPTIONS} > log 2>&1 &')\n",
    f'import os\nos.popen("cd x && vllm serve org/m {OPTIONS}")\n',
    f'import subprocess\nsubprocess.run("vllm serve org/m {OPTIONS}", shell=True, check=True)\n',
    f'import subprocess\nsubprocess.Popen(args="vllm serve org/m {OPTIONS}", shell=True)\n',
    f'from subprocess import Popen\nPopen(f"vllm serve {{m}} {OPTIONS}", shell=True)\n',
    f'import subprocess, shlex\nsubprocess.Popen(shlex.split("vllm serve org/m {OPTIONS}"))\n',
    f'import subprocess\nsubprocess.Popen("vllm serve {{}} {OPTIONS}".format(m).split())\n',
    f'import subprocess\ncmd = f"vllm serve {{m}} {OPTIONS}"\nsubprocess.run(cmd, shell=True)\n',
    f'import subprocess\ncmd = "vllm serve org/m"\nif cached:\n    cmd += " --seed 1"\n'
    f'cmd += " {OPTIONS}"\nsubprocess.run(cmd, shell=True)\n',
    f'import subprocess\nclass A:\n    def f(self):\n'
    f'        self.cmd = f"vllm serve {{self.m}} {OPTIONS}"\n        subprocess.run(self.cmd, shell=True)\n',
    f'import os\nos.system(\n    f"vllm serve {{m}} "  # the model\n    "{OPTIONS}"\n)\n',
    f'import os\nos.system("""vllm serve org/m \\\\\n  {OPTIONS}""")\n',
    f'import os\nos.system("""vllm serve org/m \\\n  {OPTIONS}""")\n',
    f'import os\nos.system(r"""vllm serve org/m \\\n  {OPTIONS}""")\n',
    f'import os\nos.system(f"""docker run --gpus \'"device={{d}}"\' -p {{p}}:{{p}} vllm/vllm-openai:v0.7.2 --model {{m}} {OPTIONS}""")\n',
    f'import os\nos.system("set -e\\npython -m vllm.entrypoints.openai.api_server --model org/m {OPTIONS}")\n',
    f'import subprocess\nsubprocess.run(["vllm serve org/m {OPTIONS}"], shell=True)\n',
    f"import os\nos.system(f\"vllm serve {{m}} {OPTIONS} --hf-overrides '{{{{\\\"a\\\": 1}}}}'\")\n",
]  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_a_command_in_a_string(text: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"a.py": text})
    arrives = reading.arrives("0.18.1")
    assert arrives["max_num_seqs"] == 8
    assert arrives.get("hf_overrides", {"a": 1}) == {"a": 1}
    finding = next(found for found in reading.findings if found.option == "swap_space")
    assert text[finding.spot.start : finding.spot.end].startswith("--swap-space")
    assert not reading.delivery("0.8.5").diagnostics
    plan = reading.fix()
    assert plan.refused and not plan.applied
    assert reading.text("a.py") == text


SILENT = [
    f'print("vllm serve org/m {OPTIONS}")\n',
    f'"""Start it: vllm serve org/m {OPTIONS}"""\nimport os\nos.system("ls")\n',
    f'import subprocess\nsubprocess.run("vllm serve org/m {OPTIONS}")\n',
    f'import subprocess\nsubprocess.run("vllm serve org/m {OPTIONS}", shell=False)\n',
    'import os\nos.system("pip install vllm")\n',
    'import os\nos.system("docker pull vllm/vllm-openai:v0.7.2")\n',
    f'import os\nos.system("sglang serve org/m {OPTIONS}")\n',
    f"import os\nos.system(\"echo 'vllm serve org/m {OPTIONS}'\")\n",
    f'def system(x): ...\nsystem("vllm serve org/m {OPTIONS}")\n',
    f'import os\nhint = "vllm serve org/m {OPTIONS}"\nos.system(other)\n',
    f'import os\nos.system("vllm serve org/m \\x2d {OPTIONS}")\n',
]


@pytest.mark.parametrize("text", SILENT)
def test_strings_that_start_nothing(text: str, tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"a.py": text}).engines


@pytest.mark.parametrize("quoted", ["'a b'", '"a b"', '\\"a b\\"'])
def test_quotes_of_the_shell(quoted: str, tmp_path: Path) -> None:
    text = f"""import os\nos.system("vllm serve org/m --served-model-name {quoted} ")\n"""
    text = text if "\\" in quoted or "'" in quoted else text.replace('("', "('").replace('")', "')")
    reading = Reading(tmp_path, {"a.py": text})
    assert [option.value for option in reading.engine.options] == ["org/m", "a b"]

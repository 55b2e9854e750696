"""A configuration does not start where the module that starts its engine cannot be imported at the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.test_together import folder_of, planned

GONE = "from vllm.entrypoints.openai.tool_parsers import ToolParserManager\n"
CONFIG = 'vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    enable-lora: ""\n'
RUN = "from pipelinerl.server import run\nrun()\n"
LAUNCH = 'COMMAND = ["python", "-m", "pipelinerl.run"]\n'
PIN = "vllm==0.8.5\n"

STOPPED = {
    "imported": {"pipelinerl/server.py": GONE, "pipelinerl/run.py": RUN},
    "named in a command": {"pipelinerl/run.py": GONE, "pipelinerl/launch.py": LAUNCH},
    "in src": {"src/pipelinerl/server.py": GONE, "src/pipelinerl/run.py": RUN},
}
STARTED = {
    "no module stops": {"pipelinerl/server.py": "import vllm\n", "pipelinerl/run.py": RUN},
    "nobody names it": {"pipelinerl/server.py": GONE, "pipelinerl/run.py": "import os\n"},
    "a test": {"pipelinerl/tests/server.py": GONE, "pipelinerl/run.py": "from pipelinerl.tests.server import x\n"},
    "another package": {"mine/server.py": GONE, "mine/run.py": "from mine.server import run\n"},
    "only in a function": {"pipelinerl/server.py": "def f():\n    " + GONE, "pipelinerl/run.py": RUN},
}


@pytest.mark.parametrize("programs", [*STOPPED.values(), *STARTED.values()], ids=[*STOPPED, *STARTED])
def test_a_configuration_of_a_framework(
    programs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, {"conf/base.yaml": CONFIG, "requirements.txt": PIN, **programs}, monkeypatch)
    (start,) = (start for start in planned().starts if start.path == "conf/base.yaml")
    assert any("VM715" in reason for reason in start.reasons) is (programs in STOPPED.values())


SHELL = "vllm serve m --max-num-seqs 8 \\\n  --enable-lora\n"


def test_a_server_of_vllms_own_needs_no_program_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {"serve.sh": SHELL, "pipelinerl/server.py": GONE, "requirements.txt": PIN}, monkeypatch)
    (start,) = (start for start in planned().starts if start.path == "serve.sh")
    assert not start.reasons

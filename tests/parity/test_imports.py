"""The gate lives in a trainer's process: it brings nothing with it."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_but_the_standard_library_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import vllm_migrate.parity, vllm_migrate.parity.trl, vllm_migrate.parity.verl, vllm_migrate.parity.pipelinerl\n"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vllm_migrate']"

"""The wheel in an environment of its own: `python -m release.bare DIST [PYTHON...]`, by default this Python.

Makes a fresh virtual environment of each interpreter, installs the wheel with what it depends on and nothing else, and runs
it from an empty folder with an empty environment. Exit code 1 where anything fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"
# Words, exit code, what the output must hold.
CALLS = (
    (("--version",), 0, "vllm-migrate "),
    (("--help",), 0, "lint"),
    (("lint", "a.yaml"), 1, "VM203"),
    (("lint", "--output-format", "json", "a.yaml"), 1, '"schema": 1'),
    (("effective", "a.yaml"), 0, "0.18.1"),
    (("explain", "VM101"), 0, "prefix"),
    (("rules",), 0, "VM101"),
    (("diff", "0.8.5", "0.18.1", "--option", "swap_space"), 0, "swap_space"),
    (("fix", "--write", "a.yaml"), 0, ""),
    (("fix", "--check", "a.yaml"), 0, ""),
)


def check(wheel: Path, python: str) -> None:
    """Install the wheel and run it. Raises subprocess.CalledProcessError or AssertionError with what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", str(wheel)], check=True)
        subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
        work = folder / "work"
        work.mkdir()
        (work / "a.yaml").write_text(CONFIG, encoding="utf-8")
        kept = {key: os.environ[key] for key in ("SYSTEMROOT", "TEMP", "PATHEXT") if key in os.environ}
        for words, code, wanted in CALLS:
            done = subprocess.run(
                [str(programs / "vllm-migrate"), *words],
                cwd=work,
                env=kept,
                capture_output=True,
                text=True,
                timeout=120,
            )
            shown = f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            assert done.returncode == code and wanted in done.stdout and not done.stderr, shown


def main() -> int:
    (wheel,) = Path(sys.argv[1]).glob("vllm_migrate-*.whl")
    failed = 0
    for python in sys.argv[2:] or [sys.executable]:
        version = subprocess.run(
            [python, "-c", "import platform; print(platform.python_version())"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        try:
            check(wheel.resolve(), python)
        except (AssertionError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"Python {version}: FAILED: {error}")
        else:
            print(f"Python {version}: installed, {len(CALLS)} calls as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

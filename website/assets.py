"""The playground as static files: the page, Pyodide from its npm package, our wheel and what it needs in pure Python."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "website" / "playground"
PYODIDE = ROOT / "website" / "node_modules" / "pyodide"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
BUILD = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
OLDEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time: the same sources give the same bytes

# What the page offers to try: title, folder of examples/, its files (the first is shown).
EXAMPLES = (
    ("PipelineRL: Hydra configuration", "pipelinerl/before", ("conf/base.yaml", "conf/math.yaml")),
    ("verl: script of overrides", "verl/before", ("train.sh",)),
    ("prime-rl: TOML", "prime-rl/before", ("rl.toml",)),
    ("vllm serve --config", "vllm-serve-config/before", ("serve.yaml",)),
    ("vllm serve in a script", "vllm-argv/before", ("serve.sh",)),
    ("OpenRLHF: script", "openrlhf/before", ("train.sh",)),
    ("NeMo-RL: YAML with a parent", "nemo-rl/before", ("base.yaml", "recipes/async.yaml")),
    ("Docker Compose", "containers/before", ("compose.yaml",)),
    ("A trainer of your own: Python", "vllm-python/before", ("rollout.py",)),
)


class ExampleFile(TypedDict):
    path: str
    text: str


class Example(TypedDict):
    title: str
    files: list[ExampleFile]


class Missing(Exception):
    """Something that the build needs is not installed; the text says how to get it."""


def playground(out: Path) -> None:
    """Write the playground to a folder. Raises Missing without Pyodide."""
    if not (PYODIDE / RUNTIME[0]).is_file():
        raise Missing("Pyodide is not installed: npm ci --prefix website")
    (out / "pyodide").mkdir(parents=True, exist_ok=True)
    for name in RUNTIME:
        shutil.copy(PYODIDE / name, out / "pyodide" / name)
    for path in PAGE.iterdir():
        if path.suffix in (".html", ".css", ".js") or path.name == "linter.py":
            shutil.copy(path, out / path.name)
    (out / "examples.json").write_text(json.dumps(examples()), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        packages(wheel(Path(folder)), out / "packages.zip")


def examples() -> list[Example]:
    """What the page offers to try."""
    return [
        {
            "title": title,
            "files": [{"path": name, "text": (ROOT / "examples" / folder / name).read_text()} for name in names],
        }
        for title, folder, names in EXAMPLES
    ]


def wheel(folder: Path) -> Path:
    """Our wheel, built by the backend itself from this repository."""
    done = subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"the wheel could not be built (pip install hatchling?): {done.stderr.strip()}")
    return folder / done.stdout.split()[-1]


def packages(built: Path, out: Path) -> None:
    """One archive of all that the linter imports: the wheel without the sources of its rules, PyYAML without its C part,
    and packaging."""
    entries: dict[str, bytes] = {}
    with zipfile.ZipFile(built) as archive:
        for name in archive.namelist():
            if name.startswith("vllm_migrate/") and not name.startswith(("vllm_migrate/_rules/", "vllm_migrate/cli/")):
                entries[name] = archive.read(name)
    for package in ("yaml", "packaging"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent
        for path in folder.rglob("*.py"):
            entries[f"{package}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, OLDEST), entries[name], zipfile.ZIP_DEFLATED, 9)

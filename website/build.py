"""Builds the site and its playground as static files: `python -m website.build [FOLDER]`, by default build/site.

Needs the extra `site` and npm (for Pyodide, unless website/node_modules is there). Nothing in the result loads anything
from another host.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path

from vllm_migrate import __version__

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ("index.html", "app.js", "worker.js", "style.css", "judge.py")
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
LIBRARIES = ("PyYAML", "packaging")
# Title, file below examples/, the release it comes from ("" where the file shows it).
EXAMPLES = (
    ("PipelineRL: configuration, V0", "pipelinerl/before/conf/base.yaml", "0.8.5"),
    ("verl: training script", "verl/before/train.sh", "0.8.5"),
    ("Trainer in Python", "vllm-python/before/rollout.py", "0.8.5"),
    ("vllm serve: configuration", "vllm-serve-config/before/serve.yaml", "0.8.5"),
    ("Docker Compose: three engines", "containers/before/compose.yaml", ""),
    ("prime-rl: TOML", "prime-rl/before/rl.toml", "0.8.5"),
    ("TRL: serve script", "trl/before/serve.sh", "0.8.5"),
    ("ms-swift: GRPO script", "ms-swift/before/grpo.sh", "0.8.5"),
)


def playground(out: Path) -> None:
    """The page, Pyodide, our wheel and the libraries it needs, into a folder."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "pyodide").mkdir(parents=True)
    for name in PAGE:
        shutil.copy(HERE / "playground" / name, out)
    for name in PYODIDE:
        shutil.copy(_pyodide() / name, out / "pyodide")
    libraries = f"libraries-{'-'.join(version(name) for name in LIBRARIES)}.zip"
    _libraries(out / libraries)
    examples = [
        {"title": title, "name": Path(path).name, "source": source, "text": (ROOT / "examples" / path).read_text("utf-8")}
        for title, path, source in EXAMPLES
    ]
    manifest = {"version": __version__, "wheel": _wheel(out), "libraries": libraries, "examples": examples}
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def documentation(out: Path) -> None:
    """The pages of docs/ and the made ones as a site, with its search."""
    from website.reference import pages

    source = ROOT / "build" / "docs"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source)
    for path, text in pages().items():
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    shutil.copy(HERE / "extra.css", source)
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(HERE / "mkdocs.yml"), "-d", str(out)]
    subprocess.run(words, check=True, cwd=ROOT)


def _pyodide() -> Path:
    folder = HERE / "node_modules" / "pyodide"
    if not folder.is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    return folder


def _wheel(out: Path) -> str:
    """Our wheel, built from this tree by its own backend; its name."""
    code = "import sys, hatchling.build as backend; print(backend.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.split()[-1]


def _libraries(path: Path) -> None:
    """The pure Python of the installed libraries, with their licences, as one archive; the same versions, the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in LIBRARIES:
            for file in sorted(distribution(name).files or (), key=str):
                wanted = file.suffix == ".py" or file.name.startswith("LICENSE") or file.name == "METADATA"
                if wanted and ".." not in file.parts:
                    archive.writestr(zipfile.ZipInfo(file.as_posix()), file.read_binary(), zipfile.ZIP_DEFLATED)


def main() -> None:
    parser = argparse.ArgumentParser("python -m website.build", description="Build the site as static files.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--playground", action="store_true", help="only the playground, without the pages around it")
    call = parser.parse_args()
    out = call.folder.resolve()
    if not call.playground:
        documentation(out)
    playground(out / "playground")
    print(f"built {out}; look at it with: python -m http.server -d {out}")


if __name__ == "__main__":
    main()

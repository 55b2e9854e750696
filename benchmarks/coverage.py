"""Count, over real repositories, the files that start or configure vLLM and those of them in which an engine is recognised.

    python -m benchmarks.coverage FOLDER... [--misses] [--extra] [--save FILE]

Every FOLDER is one repository. What is in a file is decided here by words that no dialect has (an option of vLLM that is
written, a command that starts its server, a call of its classes), and by nothing of what the program recognises:

- yaml, toml, json: `vllm` and an option with a value, or a command that starts vLLM;
- shell: the same, without lines that only build, pull or list images;
- dockerfile: a program of the image that is vLLM, or arguments for vLLM's own image;
- notebook: a call that makes an engine (or has a trainer make one), or a command that starts vLLM;
- engine: a call of LLM(), EngineArgs() or AsyncEngineArgs() imported from vllm; args: a list of words that starts vLLM.

Left out are tests and workflows, templates of charts, definitions of resources and kustomizations, which configure no engine
by themselves, the references that verl generates from its own defaults and the part with its rollout's defaults, which a run
composes, and files that say that another engine runs. --misses lists what counts and was not recognised, --extra what was
recognised and does not count: wrong recognitions are among those. The exit code is 1 when a file made the program crash.
"""

from __future__ import annotations

import argparse
import ast
import collections
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vllm_migrate.catalog import store
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.knowledge import load

LARGEST = 3_000_000  # bytes of a file that is looked at
SKIPPED = frozenset((".git", "node_modules", ".venv", "outputs", "wandb"))
CARRIERS = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".json": "json",
    ".sh": "shell",
    ".bash": "shell",
    ".slurm": "shell",
    ".sbatch": "shell",
    ".py": "python",
    ".ipynb": "notebook",
}
OPTION = (
    r"gpu[-_]?memory[-_]?utilization|tensor[-_](?:model[-_])?parallel[-_]size|tensorParallelSize|max[-_]num[-_](?:batched[-_]tokens|seqs)"
    r"|enforce[-_]eager|enable[-_]prefix[-_]caching|enable[-_]chunked[-_]prefill|max[-_]model[-_]len(?:gth)?\b|maxModelLen"
    r"|gpuMemoryUtilization|pipeline[-_]parallel[-_]size|kv[-_]cache[-_]dtype|swap[-_]space|vllm[-_]num[-_]engines|vllm[-_]tensor"
)
_OPTION = re.compile(OPTION, re.IGNORECASE)
_WRITTEN = re.compile(
    rf"(?:^|[\s\"'{{,.-])(?:vllm_)?(?:--)?(?:{OPTION})[\"']?\s*(?:[:=]|\s\S)", re.IGNORECASE | re.MULTILINE
)
_START = re.compile(r"\bvllm[\"',\s]+serve\b|vllm\.entrypoints|vllm-openai\b|vllm[-_]serve\b|dynamo\.vllm\b")
_MAKES = re.compile(r"fast_inference\s*=\s*True|use_vllm\s*=\s*True|[^.\w](?:Async)?LLM\(|EngineArgs\(")
_NO_ENGINE_LINE = re.compile(
    r"no_proxy|docker (?:build|pull|images)|COMPONENT_NAME|BASE_IMAGE|apptainer|compgen|yaml_commands|git (?:clone|checkout)"
    r"|PRECOMPILED|_NAME=",
    re.IGNORECASE,
)
_IMAGE_PROGRAM = re.compile(
    r"^\s*(?:CMD|ENTRYPOINT)\b.*(?:vllm[\"',\s]+serve|vllm\.entrypoints)", re.MULTILINE | re.IGNORECASE
)
_IMAGE_ARGUMENTS = re.compile(r"^FROM\s+\S*vllm-openai(?![\s\S]*ENTRYPOINT)[\s\S]*^CMD", re.MULTILINE)
_LEFT_OUT = re.compile(
    r"/\.(?:github|buildkite)/|vllm-ascend.*/tests/|/helm/tests/|_test\.yaml$|(?:taxonomy|platforms)\.yaml$|_quarto\.yml$"
    r"|benchmark_report|kustomization|prefetch_|megatron_generation|cluster_configs"
    r"|/_generated_ppo\w*\.yaml$|/trainer/config/rollout/rollout\.yaml$"
)
_SGLANG = re.compile(r"(?m)^\s*rollout_backend:\s*sglang")
_OTHER = re.compile(
    r"(?m)^\s*(?:allocation_mode|backend):\s*[\"']?(?:sglang|megatron)"
)  # and `vllm:` beside it is not read
_VLLM_TOO = re.compile(r"(?:allocation_mode|backend):\s*[\"']?vllm")

Recognised = tuple[str, str, int]  # dialect, role, number of settings


class Row(NamedTuple):
    """One file: what is in it by words, the engines that are recognised, and whether it is read as part of another."""

    path: str
    kinds: tuple[str, ...]
    engines: tuple[Recognised, ...]
    read_elsewhere: bool

    @property
    def known(self) -> bool:
        """Whether an engine was recognised, here or in the file that this one is a part of."""
        return self.read_elsewhere or any(not name.startswith(("unreadable", "CRASH")) for name, _, _ in self.engines)


def kinds_of(path: str, text: str) -> tuple[str, ...]:
    """What a file has of vLLM, by words: carriers, or the kinds of Python."""
    name = os.path.basename(path)
    carrier = "dockerfile" if "ockerfile" in name else CARRIERS.get(os.path.splitext(name)[1].lower())
    if carrier is None or "vllm" not in text.lower() or _LEFT_OUT.search(path):
        return ()
    if carrier == "python":
        return tuple(sorted(set(_python(text))))
    if "kind: CustomResourceDefinition" in text or ("/templates/" in path and "{{" in text):
        return ()
    body = _code_of_cells(text) if carrier == "notebook" else text
    return (carrier,) if _counts(carrier, _without_comments(body)) else ()


def _counts(carrier: str, text: str) -> bool:
    names_vllm = "vllm" in text.lower()
    if carrier == "notebook":
        return (bool(_MAKES.search(text)) and names_vllm) or bool(_START.search(text))
    if carrier == "dockerfile":
        text = text.replace("\\\n", " ")
        return bool(_IMAGE_PROGRAM.search(text) or _IMAGE_ARGUMENTS.search(text))
    if carrier == "shell":
        if re.search(r"rollout[._]name[=\"]+\"?sglang", text) and "rollout.name=vllm" not in text:
            return False
        if re.search(r"run_engines_locally=false", text, re.IGNORECASE):
            return False
        if "vllm_mode server" in text and not re.search(r"(?m)^\s*(?:[A-Z_]+=\S+\s+)*swift rollout", text):
            return False
        kept = "\n".join(line for line in text.split("\n") if not _NO_ENGINE_LINE.search(line))
        return bool(_START.search(kept)) or (bool(_OPTION.search(kept)) and "vllm" in kept.lower())
    if not names_vllm or _SGLANG.search(text) or ("base_args" in text and "\nomni:" in text):
        return False
    if _OTHER.search(text) and re.search(r"(?m)^vllm:\s*$", text) and not _VLLM_TOO.search(text):
        return False
    return bool(_WRITTEN.search(text)) or (carrier == "yaml" and bool(_START.search(text)))


def _without_comments(text: str) -> str:
    return "\n".join("" if line.lstrip().startswith("#") else line.split(" #")[0] for line in text.split("\n"))


def _code_of_cells(text: str) -> str:
    try:
        cells = json.loads(text).get("cells", [])
    except (ValueError, AttributeError):
        return ""
    return "\n".join("".join(cell.get("source", [])) for cell in cells if cell.get("cell_type") == "code")


def _python(text: str) -> Iterator[str]:
    """`engine`, `bare engine` (nothing but a model), `unsloth` and `args` of a module."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vllm"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call(node, names)
        elif isinstance(node, ast.List | ast.Tuple):
            words = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            if {"vllm", "serve"} <= set(words) or any(word.startswith("vllm.entrypoints") for word in words):
                yield "args"


def _call(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    fast = keywords.get("fast_inference")
    if name == "from_pretrained" and isinstance(fast, ast.Constant) and fast.value is True:
        yield "unsloth"
    of_vllm = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).split(".")[0] == "vllm"
    if names.get(name, name if of_vllm else "") in ("LLM", "EngineArgs", "AsyncEngineArgs"):
        yield "engine" if set(keywords) - {"model", "tokenizer"} else "bare engine"


class Recogniser:
    """What the program recognises in the files of one repository."""

    def __init__(self, files: list[str]) -> None:
        self.catalog = store.load()
        self.dialects = load.load().dialects
        self.workspace = Workspace(files)
        self.prefilter = Prefilter(self.dialects, self.catalog)

    def engines(self, path: str, data: bytes) -> tuple[Recognised, ...]:
        """The engines of a file; a program that only uses vLLM is one without settings."""
        if kind_of(path) is None or not self.prefilter.may_concern(path, data):
            return ()
        try:
            file = self._file(path, data)
            found = discover(file, self.dialects, self.catalog, self.workspace)
        except Unreadable as error:
            return ((f"unreadable: {error.reason}", "", 0),)
        except Exception as error:  # counted and shown, so that the rest of the repository is looked at
            return ((f"CRASH {error!r}", "", 0),)
        self.workspace.release(file)
        engines = tuple((engine.dialect.id, engine.role, len(engine.options)) for engine in found.engines)
        return engines or ((("program", "", 0),) if found.programs else ())

    def _file(self, path: str, data: bytes) -> File:
        """The file as a lint reads it: a script in which only placeholders are wrong is read with them filled in."""
        try:
            return self.workspace.take(path, data)[0]
        except Unreadable as error:
            file = self.workspace.read_only(path, data, error.message)
            if file is None:
                raise
            return file


def rows_of(folder: Path) -> list[Row]:
    """The files of a repository that have vLLM in them, by words or as the program recognises it."""
    paths = sorted(_files(folder))
    recogniser = Recogniser(paths)
    found: list[tuple[str, tuple[str, ...], tuple[Recognised, ...]]] = []
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except OSError:
            continue
        if len(data) > LARGEST:
            continue
        kinds = kinds_of(path, data.decode("utf-8", "replace"))
        engines = recogniser.engines(path, data)
        if kinds or engines:
            found.append((path, kinds, engines))
    claimed = recogniser.workspace.claimed
    return [
        Row(os.path.relpath(path, folder), kinds, engines, os.path.normpath(path) in claimed)
        for path, kinds, engines in found
    ]


def _files(folder: Path) -> Iterator[str]:
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in files:
            if os.path.splitext(name)[1].lower() in CARRIERS or "ockerfile" in name:
                yield os.path.join(top, name)


def table(rows: dict[str, list[Row]]) -> str:
    """Recognised / all, by carrier and by repository, as Markdown."""
    kinds = sorted({kind for found in rows.values() for row in found for kind in row.kinds})
    lines = ["| repository | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    everything = [row for found in rows.values() for row in found]
    for name, found in [*rows.items(), ("**all**", everything)]:
        cells = []
        for kind in kinds:
            of_kind = [row for row in found if kind in row.kinds]
            cells.append(f"{sum(row.known for row in of_kind)}/{len(of_kind)}" if of_kind else "")
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    shares = []
    for kind in kinds:
        of_kind = [row for row in everything if kind in row.kinds]
        shares.append(f"{100 * sum(row.known for row in of_kind) / len(of_kind):.1f} %")
    lines.append("| **share** | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--extra", action="store_true")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(argv)
    started = time.process_time()
    rows = {}
    for folder in options.folders:
        rows[folder.resolve().name] = rows_of(folder)
        print(folder.name, len(rows[folder.resolve().name]), f"{time.process_time() - started:.0f} s", file=sys.stderr)
    print(table(rows))
    print(f"\n{len(rows)} repositories, {time.process_time() - started:.0f} s of CPU")
    by_dialect: dict[str, list[str]] = collections.defaultdict(list)
    crashed = False
    for name, found in rows.items():
        for row in found:
            crashed = crashed or any(dialect.startswith("CRASH") for dialect, _, _ in row.engines)
            if options.misses and row.kinds and not row.known:
                print(f"missed {','.join(row.kinds)} {name}/{row.path} {row.engines or ''}")
            for dialect in {dialect for dialect, _, _ in row.engines}:
                by_dialect[dialect].append(f"{name}/{row.path}{'' if row.kinds else ' (extra)'}")
    if options.extra:
        for dialect, paths in sorted(by_dialect.items()):
            extra = [path for path in paths if path.endswith("(extra)")]
            print(f"{dialect}: {len(paths)} files, {len(extra)} that do not count", *extra, sep="\n    ")
    if options.save:
        options.save.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

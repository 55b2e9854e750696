"""What `migrate` says of each engine, held against the target's own parser: "starts" is accepted, "does not start" refused.

    python -m benchmarks.starts PYTHON FOLDER... [--files N] [--seed N] [--from 0.8.5] [--to 0.18.1]

PYTHON imports the target. Files of the folders in which engines of vLLM's own command line, of `--config` files and of Python
calls stand are copied, each as a project by itself, and `migrate` writes them. Then each command's words, each configuration
and each call's keywords are given to that release. A word that the file does not decide is replaced by `1`; where such an
engine is refused, nothing is concluded. What only the engine refuses, after its arguments were taken, is counted by itself.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet import SUFFIXES
from tests.real.oracles.client import MAYBE_THE_ENGINES, NOT_THE_PARSERS, run_oracle
from vllm_migrate.dialects.model import Engine
from vllm_migrate.migrate.plan import Start, migrate
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

# Reads [{"keywords": {...}}], writes what EngineArgs raises for each, "" for nothing.
KEYWORDS = """
import json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from vllm.engine.arg_utils import EngineArgs
def raised(keywords):
    try:
        EngineArgs(**{"model": "m", **keywords})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
cases = json.load(sys.stdin)
json.dump([raised(case["keywords"]) for case in cases], out)
"""
PATIENCE = 3600.0  # seconds; importing vLLM alone takes minutes on a busy machine
LATER = (*NOT_THE_PARSERS, *MAYBE_THE_ENGINES)


class Asked(NamedTuple):
    """An engine after the change: the file, what `migrate` said, the question, and whether words were put in for others."""

    file: str
    start: Start
    case: dict[str, Any]
    guessed: bool


def questions(folders: list[Path], count: int, seed: int, releases: tuple[str, str]) -> Iterator[Asked]:
    """One for each engine of at least `count` files that can be asked."""
    paths = sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and b"vllm" in path.read_bytes().lower()
    )
    random.Random(seed).shuffle(paths)
    done = 0
    for path in paths:
        with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
            Path(".git").mkdir()
            Path(path.name).write_bytes(path.read_bytes())
            found = list(_asked(path, Options((".",), isolated=True, source=releases[0], target=releases[1])))
        yield from found
        done += bool(found)
        if done == count:
            return


def _asked(path: Path, options: Options) -> Iterator[Asked]:
    if not Session(options).run(keep=True).judged:
        return
    migration = migrate(options)
    for _, error in migration.write():
        if error is not None:
            raise error
    starts = {(start.path, start.engine): start for start in migration.starts}
    for judged in Session(options).run(keep=True).judged:
        start = starts.get((judged.engine.file.path, judged.engine.id))
        made = _case(judged.engine)
        if start is not None and made is not None and all("VM" in reason for reason in start.reasons):
            yield Asked(str(path), start, *made)


def _case(engine: Engine) -> tuple[dict[str, Any], bool] | None:
    """The question, and whether a word of it is a guess; None for an engine that is neither."""
    shell = engine.file.shell
    if engine.argv is not None and engine.site is None and shell is not None and engine.dialect.id == "vllm-argv":
        words = shell.commands[engine.argv.command].words[engine.argv.start :]
        argv = ["1" if word.value is None else word.value for word in words]
        if any(word == "--config" or word.startswith("--config=") for word in argv):
            return None
        serve = engine.origin.entrypoint in ("serve", "image")
        case: dict[str, Any] = {"argv": ["serve", *argv]} if serve else {"argv": argv, "entry": "api_server"}
        case["argv"], case["files"] = _with_template(case["argv"])
        return case, any(word.value is None for word in words)
    if engine.dialect.id == "vllm-serve-config":
        text = Path(engine.file.path).read_text(encoding="utf-8")
        return {"argv": ["serve", "m", "--config", "serve.yaml"], "files": {"serve.yaml": text}}, False
    if engine.dialect.id == "vllm-python" and engine.origin.entrypoint in ("llm", "async_llm", "engine"):
        values = {written.key: written.value for written in engine.options if not written.attribute}
        plain = {key: value for key, value in values.items() if _is_plain(value)}  # others can be what they must be
        return {"keywords": plain}, False
    return None


def _with_template(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """The words with a file here for a chat template that lies where the server runs."""
    out = []
    for before, word in zip(["", *argv], argv, strict=False):
        option, eq, _ = word.partition("=")
        held = eq and option == "--chat-template"
        out.append("--chat-template=t.jinja" if held else "t.jinja" if before == "--chat-template" else word)
    return out, {"t.jinja": "{{ messages }}"} if out != argv else {}


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def answers(python: str, asked: list[Asked]) -> list[str]:
    """What the release says of each, "" where it takes it."""
    out: dict[int, str] = {}
    commands = [(number, each.case) for number, each in enumerate(asked) if "argv" in each.case]
    calls = [(number, each.case) for number, each in enumerate(asked) if "keywords" in each.case]
    for (number, _), answer in zip(
        commands, run_oracle(python, "serve_parser.py", [c for _, c in commands], timeout_s=PATIENCE), strict=True
    ):
        out[number] = "" if answer["ok"] else " ".join(answer["error"][-1:]) or "refused"
    if calls:
        told = subprocess.run(
            [python, "-c", KEYWORDS],
            input=json.dumps([case for _, case in calls]),
            capture_output=True,
            text=True,
            check=True,
        )
        out.update(zip((number for number, _ in calls), json.loads(told.stdout), strict=True))
    return [out[number] for number in range(len(asked))]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="source", default="0.8.5")
    parser.add_argument("--to", dest="target", default="0.18.1")
    options = parser.parse_args()
    folders = [folder.absolute() for folder in options.folders]
    asked = list(questions(folders, options.files, options.seed, (options.source, options.target)))
    counts: collections.Counter[str] = collections.Counter()
    for each, error in zip(asked, answers(options.python, asked), strict=True):
        later = all(any(f" {name}:" in reason for name in LATER) for reason in each.start.reasons)
        kind = (
            "keywords" if "keywords" in each.case else "configuration" if "--config" in each.case["argv"] else "command"
        )
        verdict = "starts" if not each.start.reasons else "refused"
        if error and each.guessed:
            verdict = "not decided"
        elif bool(error) is not bool(each.start.reasons):
            verdict = "refused later" if each.start.reasons and later else f"WRONG: {verdict}"
        counts[f"{kind} {verdict}"] += 1
        if verdict.startswith("WRONG"):
            print(
                json.dumps(
                    [each.file, each.start.engine, each.start.reasons, error, each.case.get("argv") or each.case]
                )
            )
    print(f"{len({each.file for each in asked})} files, {len(asked)} engines:", dict(sorted(counts.items())))
    return 1 if any("WRONG" in name for name in counts) else 0


if __name__ == "__main__":
    sys.exit(main())

"""What `migrate` says of each engine, held against the target itself: "starts" is accepted, "does not start" refused.

    python -m benchmarks.starts PYTHON MODEL FOLDER... [--files N] [--programs N] [--seed N] [--from 0.8.5] [--to 0.18.1]

PYTHON imports the target; MODEL is a folder with a small model. Files of the folders in which engines of vLLM's own command line, of
`--config` files and of Python calls stand are copied, each as a project by itself, and `migrate` writes them; N of them at least are
programs. Then each command's words and each configuration are given to that release's parser, each call's keywords to its `LLM`,
`EngineArgs` or `AsyncEngineArgs`. A word that the file does not decide is replaced by one that its option takes; where such
an engine is refused for another option than those that `migrate` names, nothing is concluded. Of a keyword whose value
nobody knows, the name is asked about. What is said not to start and is taken so far must be refused when the engine's
configuration is built, for MODEL.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fleet import SUFFIXES
from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog import store
from vllm_migrate.dialects.argv_words import option_text
from vllm_migrate.dialects.model import Engine
from vllm_migrate.fixes.own_words import takes
from vllm_migrate.migrate.plan import Start, migrate
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

PATIENCE = 3600.0  # seconds; importing vLLM alone takes minutes on a busy machine
LONG = {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}
OF_MODEL = ("--model", "--tokenizer", "--revision", "--quantization", "-q", "--load-format", "--chat-template")
CALL = re.compile(rb"\b(?:LLM|EngineArgs)\(")


class Asked(NamedTuple):
    """An engine after the change: the file, what `migrate` said, the question, and whether words were put in for others."""

    file: str
    start: Start
    case: dict[str, Any]
    guessed: bool


def questions(folders: list[Path], count: int, programs: int, seed: int, releases: tuple[str, str]) -> Iterator[Asked]:
    """One for each engine of at least `count` files that can be asked, `programs` of which are Python."""
    found = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()
    )
    texts = ((path, path.read_bytes()) for path in found)
    # The prefilter of the sample alone: a program without such a call has no engine of its own.
    paths = [(path, path.suffix == ".py") for path, text in texts if _may_ask(path, text)]
    random.Random(seed).shuffle(paths)
    options = Options((".",), isolated=True, source=releases[0], target=releases[1])
    for wanted, is_program in ((programs, True), (count - programs, False)):
        for path in (path for path, python in paths if python is is_program):
            if not wanted:
                break
            asked = _in_copy(path, options)
            yield from asked
            wanted -= bool(asked)


def _may_ask(path: Path, text: bytes) -> bool:
    return b"vllm" in text.lower() and (path.suffix != ".py" or CALL.search(text) is not None)


def _in_copy(path: Path, options: Options) -> list[Asked]:
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        Path(".git").mkdir()
        Path(path.name).write_bytes(path.read_bytes())
        return list(_asked(path, options))


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
        argv = list(_guessed([word.value for word in words], engine.target))
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
        plain = {key: value for key, value in values.items() if _is_plain(value)}
        rest = sorted(values.keys() - plain.keys())
        return {"call": engine.origin.entrypoint, "keywords": plain, "open": rest}, False
    return None


def _guessed(words: list[str | None], target: str) -> Iterator[str]:
    """The words, with a value that the option takes for one that the file does not decide; `$ARGS` by itself may be empty."""
    before: str | None = "-"
    for word in words:
        if word is not None:
            yield word
        elif before is not None and before.startswith("-") and "=" not in before and takes(before, target) != 0:
            yield _taken(before, target)
        before = word


def _taken(option: str, target: str) -> str:
    """A value that the parser takes for an option."""
    name = option_text(option).lstrip("-").replace("-", "_")
    facts = store.load().get("engine", name, target)
    choices = [choice for choice in (facts.choices or () if facts is not None else ()) if isinstance(choice, str)]
    if choices:
        return choices[0]
    return "{}" if name.endswith(("_config", "_overrides", "_kwargs")) else "1"


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


def answers(python: str, model: str, asked: list[Asked]) -> list[tuple[str, str]]:
    """What the release's parser, or the call, says of each, and what the engine's configuration says of those that are said not to
    start and were taken; "" for nothing."""
    out = [("", "")] * len(asked)
    commands = [number for number, each in enumerate(asked) if "argv" in each.case]
    calls = [number for number, each in enumerate(asked) if "call" in each.case]
    cases = [asked[number].case for number in commands]
    for number, answer in zip(commands, run_oracle(python, "serve_parser.py", cases, timeout_s=PATIENCE), strict=True):
        out[number] = ("" if answer["ok"] else " ".join(answer["error"][-1:]) or "refused", "")
    cases = [{**asked[number].case, "engine": bool(asked[number].start.reasons)} for number in calls]
    for number, answer in zip(calls, run_oracle(python, "calls.py", cases, model, timeout_s=PATIENCE), strict=True):
        out[number] = (answer["error"], answer["engine"])
    later = [number for number in commands if asked[number].start.reasons and not out[number][0]]
    cases = [{"argv": _options(asked[number].case), "env": LONG} for number in later]
    for number, answer in zip(
        later, run_oracle(python, "engine_config.py", cases, "--cuda", model, timeout_s=PATIENCE), strict=True
    ):
        out[number] = ("", "" if answer["ok"] else "{type}: {message}".format(**answer["error"]))
    return out


def _names(error: str, reasons: tuple[str, ...]) -> bool:
    """Whether a refusal is about an option that one of the reasons names."""
    refused = re.findall(r"--[a-z][\w-]*", error.replace("_", "-"))
    return any(option in reason.replace("_", "-") for option in refused for reason in reasons)


def _options(case: dict[str, Any]) -> list[str]:
    """The words of a command without its model, and what belongs to that."""
    words = case["argv"][1:] if "entry" not in case else case["argv"]
    words = words[1:] if words and not words[0].startswith("-") else words
    out: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if before not in OF_MODEL and word not in OF_MODEL and word.partition("=")[0] not in OF_MODEL:
            out.append(word)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python")
    parser.add_argument("model")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--programs", type=int, default=40, help="of the files, how many are Python")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="source", default="0.8.5")
    parser.add_argument("--to", dest="target", default="0.18.1")
    options = parser.parse_args()
    folders = [folder.absolute() for folder in options.folders]
    releases = (options.source, options.target)
    asked = list(questions(folders, options.files, options.programs, options.seed, releases))
    counts: collections.Counter[str] = collections.Counter()
    for each, (error, later) in zip(asked, answers(options.python, options.model, asked), strict=True):
        kind = "call" if "call" in each.case else "configuration" if "--config" in each.case["argv"] else "command"
        verdict = "starts" if not each.start.reasons else "refused" if error else "refused by the engine"
        if error and each.guessed and not _names(error, each.start.reasons):
            verdict = "not decided"
        elif bool(error or later) is not bool(each.start.reasons):
            verdict = f"WRONG: {verdict}"
        counts[f"{kind} {verdict}"] += 1
        if verdict != "starts":
            print(json.dumps([verdict, each.file, each.start.engine, each.start.reasons, error or later, each.case]))
    print(f"{len({each.file for each in asked})} files, {len(asked)} engines:", dict(sorted(counts.items())))
    return 1 if any("WRONG" in name for name in counts) else 0


if __name__ == "__main__":
    sys.exit(main())

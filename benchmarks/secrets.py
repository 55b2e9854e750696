"""Every context of a secret through every command and format, and what is hidden of files that have no secret.

    python -m benchmarks.secrets [--names 2] [--jobs 1] [--every 1] [FOLDER...]

Each context of tests/secret_contexts.py and tests/secret_contexts_real.py is a file with a secret beside an engine, beside a log, a
folder of a run and a cache.
Every command and format reads it in this process; what it prints, what it writes and what is left in the cache must not hold
the secret. --names: names a template (2: 558 contexts); --every: only every n-th context. Prints every place where a secret
was printed.

With FOLDERs, those are read instead, and every value that would be hidden in them is listed with its file: in public
repositories each is a false masking, or a secret-like text of an example or a test.
Exit 1 for any secret that was printed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.secret_contexts import Context, contexts, whole_files
from tests.secret_contexts_real import real_files
from vllm_migrate.cli.main import main as command_line
from vllm_migrate.documents.text.secrets import forget, known, note

LOG, RUN, OUT = "server.log", "run", "out"
LINT = ["lint", "--no-cache", "--fail-on-checklist"]
FORMATS = ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "full"]
FROM_TO = ["diff", "0.8.5", "0.18.1"]
CALLS = [
    *([*LINT, "--output-format", name] for name in FORMATS),
    [*LINT, "--statistics"],
    [*LINT, "--all", "--stale-pins"],
    [*LINT, "-o", OUT],
    [*LINT, "--show-settings"],
    [*LINT, "--add-ignores"],
    [*LINT, "--baseline", OUT, "--write-baseline"],
    ["lint"],  # writes the cache
    ["lint"],  # and reads it
    ["fix", "--unsafe"],
    ["fix", "--check"],
    ["effective", "--all"],
    *(["effective", "--output-format", name] for name in ("json", "html", "markdown")),
    ["migrate"],
    ["migrate", "--patch", OUT],
    ["migrate", "--checklist", OUT],
    ["route"],
    ["route", "--output-format", "json"],
    ["lock", "-o", OUT],
    FROM_TO,
    *([*FROM_TO, "--output-format", name] for name in ("json", "markdown", "html")),
    ["verify", "--all", "--log", LOG],
    ["verify", "--all", "--output-format", "json", "--log", LOG],
    ["verify", "--all", "--run", RUN],
    ["doctor", "--python", sys.executable],
    ["doctor", "--output-format", "json", "--python", sys.executable],
    ["smoke", "record", "--python", "/nonexistent", "-o", OUT],
    ["smoke", "record", "--output-format", "json", "--python", "/nonexistent", "-o", OUT],
    ["smoke", "record", "--job", OUT],
    ["fix", "--unsafe", "--write"],  # last: they change the file
    ["migrate", "--write"],
]
MASKABLE = (".yaml", ".yml", ".toml", ".json", ".sh", ".bash", ".py", ".ipynb", ".txt", ".md", ".cfg", ".env", ".slurm")


@functools.cache
def cache() -> Path:
    """The cache of this process: catalogs are kept in memory by the folder they are of."""
    return Path(tempfile.mkdtemp(prefix="secrets-"))


def _ours(words: list[str]) -> bool:
    """Whether what was written to OUT is for its owner alone: a patch of lines with secrets, a job for a worker."""
    return bool({"--patch", "--job"} & set(words)) and Path(OUT).stat().st_mode & 0o077 == 0


def printed(words: list[str]) -> str:
    """All that one call prints, writes to OUT and leaves in the cache."""
    forget()
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        command_line(words)
    text = out.getvalue()
    written = Path(OUT)
    if written.exists():
        text += "" if _ours(words) else written.read_text()
        written.unlink()
    if words[0] == "lint" and "--no-cache" not in words:
        kept = (path.read_bytes() for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*") if path.is_file())
        text += "".join(data.decode("utf-8", "replace") for data in kept)
    return text


def write_what_ran(secret: str) -> None:
    """A log and the folder of a run in which the secret stands, too."""
    args = f"Namespace(model_tag='m', api_key='{secret}', model='m', hf_token='{secret}', max_num_seqs=64)"
    Path(LOG).write_text(
        f"INFO 04-30 09:00:00 [api_server.py:1043] vLLM API server version 0.8.5\n"
        f"INFO 04-30 09:00:00 [api_server.py:1044] args: {args}\n"
        f"WARNING 03-01 09:00:02 [envs.py:1717] Unknown vLLM environment variable detected: VLLM_API_KEY={secret}\n"
    )
    folder = Path(RUN, "files")
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"wandb_version: 1\nvllm_config:\n  value:\n    vllm_kwargs:\n      model: m\n      api-key: {secret}\n"
        f"      swap-space: 4\nWANDB_API_KEY:\n  value: {secret}\n"
    )
    (folder / "requirements.txt").write_text(f"vllm==0.8.5\nx @ git+https://{secret}@github.com/x/y\n")


class Shown(NamedTuple):
    """A secret that one call printed, or a call that did not end as it should."""

    call: str
    line: str


def tried(context: Context) -> tuple[Context, list[Shown]]:
    """A context through every call."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(cache())
        Path(context.name).write_text(context.text)
        Path("run.sh").write_text("vllm serve m --swap-space 4\n")
        write_what_ran(context.secret)
        for call in CALLS:
            text = printed([*call, context.name])
            if context.secret in text or "Traceback" in text or "internal error" in text or "VM900" in text:
                signs = (context.secret, "Traceback", "internal error", "VM900")
                line = next(line for line in text.split("\n") if any(sign in line for sign in signs))
                found.append(Shown(" ".join(call), line.strip()[:200]))
        os.chdir("/")
        for path in cache().iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    gc.unfreeze()  # a process of one call leaves all to its end
    gc.collect()
    return context, found


def sweep(chosen: list[Context], jobs: int) -> int:
    """All contexts through all calls: how many were printed."""
    began, bad, calls = time.monotonic(), 0, 0
    with multiprocessing.Pool(jobs) as pool:
        for number, (context, found) in enumerate(pool.imap_unordered(tried, chosen), 1):
            calls += len(CALLS)
            bad += bool(found)
            if found:
                print(f"{context.name}, {len(found)} calls, the first {found[0].call}: {found[0].line}")
                print(f"    {context.text!r}", flush=True)
            if number % 25 == 0:
                seconds = time.monotonic() - began
                print(f"  {number} of {len(chosen)} contexts, {seconds:.0f} s, printed {bad}", file=sys.stderr)
        pool.close()  # `smoke` answers the SIGTERM that the end of a pool sends
        pool.join()
    print(f"contexts: {len(chosen)}, calls: {calls}, printed: {bad}")
    return bad


def files_of(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            named = path.suffix in MASKABLE or "Dockerfile" in path.name
            if named and path.is_file() and not path.is_symlink() and path.stat().st_size < 1_000_000:
                yield path


def hidden(folders: list[str]) -> None:
    """What is hidden of files: each value with its file and the line it stands in."""
    files, found = 0, Counter[str]()
    for path in files_of(folders):
        files += 1
        text = path.read_text("utf-8", "replace")
        forget()
        note(str(path), text)
        shortest = [value for value in known() if not any(one != value and one in value for one in known())]
        for value in shortest:
            at = text.find(value.split("\n")[0])
            line = text[text.rfind("\n", 0, at) + 1 : at + len(value) + 20].strip() if at >= 0 else ""
            print(f"{path}:{text.count(chr(10), 0, max(at, 0)) + 1}: {value[:60]!r} in {line[:160]!r}")
            found[str(path)] += 1
    print(f"files: {files}, with something hidden: {len(found)}, values: {sum(found.values())}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--names", type=int, default=2)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    call = parser.parse_args()
    if call.folders:
        hidden(call.folders)
        return 0
    return bool(sweep([*contexts(call.names), *whole_files(call.names), *real_files()][:: call.every], call.jobs))


if __name__ == "__main__":
    sys.exit(main())

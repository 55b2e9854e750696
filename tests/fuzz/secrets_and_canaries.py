"""Every context of a secret through every command and format of the command line: `python -m tests.fuzz.secrets_and_canaries [N]`.

N: names a template (default 3: more than 400 contexts). Prints what was tried, and every place where a secret was printed;
exit 1 for any.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.secret_contexts import contexts, whole_files
from vllm_migrate.cli.main import main
from vllm_migrate.documents.text.secrets import forget

LOG, RUN, OUT = "server.log", "run", "out"
FORMATS = ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html"]
CALLS = [
    *(["lint", "--no-cache", "--fail-on-checklist", "--output-format", name] for name in FORMATS),
    ["lint", "--no-cache", "--statistics"],
    ["fix", "--unsafe"],
    ["fix", "--check"],
    ["effective", "--all"],
    ["effective", "--output-format", "json"],
    ["effective", "--output-format", "html"],
    ["effective", "--output-format", "markdown"],
    ["migrate"],
    ["migrate", "--patch", OUT],
    ["migrate", "--checklist", OUT],
    ["lock", "-o", OUT],
    ["diff", "0.8.5", "0.18.1"],
    ["diff", "0.8.5", "0.18.1", "--output-format", "markdown"],
    ["verify", "--all", "--log", LOG],
    ["verify", "--all", "--output-format", "json", "--log", LOG],
    ["verify", "--all", "--run", RUN],
    ["doctor", "--python", sys.executable],
    ["smoke", "record", "--python", "/nonexistent", "-o", OUT],
]


def _private_patch(words: list[str]) -> bool:
    return "--patch" in words and Path(OUT).stat().st_mode & 0o077 == 0


def printed(words: list[str]) -> str:
    """All that one call prints, and writes to OUT; a patch of lines with secrets is for its owner alone."""
    forget()
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        main(words)
    written = Path(OUT)
    text = out.getvalue() + (written.read_text() if written.exists() and not _private_patch(words) else "")
    written.unlink(missing_ok=True)
    return text


def _write_what_ran(secret: str) -> None:
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


def run(per_template: int) -> int:
    shown: Counter[str] = Counter()
    tried = 0
    chosen = [*contexts(per_template), *whole_files(per_template)]
    for context in chosen:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path(context.name).write_text(context.text)
            Path("run.sh").write_text("vllm serve m --swap-space 4\n")
            _write_what_ran(context.secret)
            for call in CALLS:
                tried += 1
                text = printed([*call, context.name])
                if context.secret in text or "Traceback" in text or "internal error" in text:
                    shown[context.secret] += 1
                    if shown[context.secret] == 1:
                        where = next(line for line in text.split("\n") if context.secret in line or "error" in line)
                        print(f"{context.name} {' '.join(call)}: {where.strip()[:140]}\n    {context.text!r}")
            os.chdir("/")
    print(f"contexts: {len(chosen)}, calls: {tried}, printed: {len(shown)}")
    return bool(shown)


if __name__ == "__main__":
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

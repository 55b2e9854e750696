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

from tests.secret_contexts import contexts
from vllm_migrate.cli.main import main
from vllm_migrate.documents.text.secrets import forget

FORMATS = ["text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html"]
CALLS = [
    *(["lint", "--no-cache", "--fail-on-checklist", "--output-format", name] for name in FORMATS),
    ["lint", "--no-cache", "--statistics"],
    ["fix", "--unsafe"],
    ["fix", "--check"],
    ["effective", "--all"],
    ["effective", "--output-format", "json"],
    ["migrate"],
    ["migrate", "--patch"],
]


def printed(words: list[str]) -> str:
    """All that one call prints."""
    forget()
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()


def run(per_template: int) -> int:
    shown: Counter[str] = Counter()
    tried = 0
    for context in contexts(per_template):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path(context.name).write_text(context.text)
            for call in CALLS:
                tried += 1
                text = printed([*call, context.name])
                if context.secret in text or "Traceback" in text or "internal error" in text:
                    shown[context.name] += 1
                    if shown[context.name] == 1:
                        where = next(line for line in text.split("\n") if context.secret in line or "error" in line)
                        print(f"{context.name} {' '.join(call)}: {where.strip()[:140]}\n    {context.text!r}")
            os.chdir("/")
    print(f"contexts: {sum(1 for _ in contexts(per_template))}, calls: {tried}, printed: {len(shown)}")
    return bool(shown)


if __name__ == "__main__":
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    sys.exit(run(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

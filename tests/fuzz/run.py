"""Coverage-guided fuzzing with atheris (`pip install atheris`; it is no dependency of the tests).

    python tests/fuzz/run.py KIND [--seconds N] [--corpus FOLDER] [libFuzzer options, e.g. -seed=1 -runs=100000]

KIND is yaml, toml, json, shell, python, program, or a kind of differential.py. Prints how many inputs were tried and what came of
them. An input that breaks a promise is written to `crash-...` by libFuzzer, and the process ends with a traceback;
`python tests/fuzz/run.py KIND crash-...` tries it again.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vllm_migrate"]):
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import vllm_migrate.dialects.discover
    import vllm_migrate.documents.json.document
    import vllm_migrate.documents.python.edit
    import vllm_migrate.documents.shell.edit
    import vllm_migrate.documents.shell.proof
    import vllm_migrate.documents.toml.document
    import vllm_migrate.documents.yaml.document
    import vllm_migrate.fixes.apply
    import vllm_migrate.run.judging  # noqa: F401
    from tests.fuzz import differential, targets

TOKENS = (
    *(
        ": ",
        "- ",
        "&a ",
        "*a",
        "<<: *a",
        "|\\x0a",
        ">-\\x0a",
        "---\\x0a",
        "? ",
        "!!",
        "{",
        "}",
        "[",
        "]",
        "#",
        "\\\\\\x0a",
    ),
    *(
        "[[",
        "]]",
        "\\x22\\x22\\x22",
        "'''",
        "/*",
        "*/",
        "//",
        "$(",
        "${",
        "))",
        "<<EOF\\x0a",
        "EOF\\x0a",
        "&&",
        "||",
        ";;",
    ),
    *(
        "\\xef\\xbb\\xbf",
        "\\x0d\\x0a",
        "\\x09",
        "\\xc2\\x85",
        "\\xe2\\x80\\xa8",
        "vllm serve ",
        "export ",
        "LLM(",
        "**",
        "f\\x22",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=(*targets.KINDS, *differential.KINDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", help="a folder that keeps the inputs found (default: a temporary one)")
    call, rest = parser.parse_known_args()
    module = targets if call.kind in targets.KINDS else differential
    corpus = call.corpus or tempfile.mkdtemp(prefix="fuzz-")
    os.makedirs(corpus, exist_ok=True)
    for number, seed in enumerate(module.seeds(call.kind)):
        Path(corpus, f"seed-{number}").write_bytes(seed)
    tokens = Path(corpus + ".dict")
    tokens.write_text("".join(f'"{token}"\n' for token in TOKENS))
    outcomes: collections.Counter[str] = collections.Counter()
    slowest = [0.0]
    began = time.monotonic()

    def report() -> None:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
        seconds = time.monotonic() - began
        line = f"{call.kind}: {sum(outcomes.values())} inputs in {seconds:.0f} s ({listed}); slowest {slowest[0]:.2f} s"
        print(line, flush=True)

    def one(data: bytes) -> None:
        start = time.process_time()
        outcomes[module.attempt(call.kind, data)] += 1
        slowest[0] = max(slowest[0], time.process_time() - start)
        if time.monotonic() - began > call.seconds:
            report()
            sys.stdout.flush()
            os._exit(0)

    files = [word for word in rest if not word.startswith("-")]
    options = [word for word in rest if word.startswith("-")]
    limits = [
        "-max_len=4096",
        "-timeout=20",
        "-rss_limit_mb=2048",
        f"-dict={tokens}",
        "-verbosity=0",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *limits, *options, *(files or [corpus])], one)
    try:
        atheris.Fuzz()
    finally:
        report()


if __name__ == "__main__":
    main()

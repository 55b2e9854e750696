"""A real `vllm serve` on a CPU: in development mode, with the recorder on its path, logging into a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from vllm_migrate.verify.install import install

START = "from vllm.entrypoints.cli.main import main; import sys; sys.argv[0] = 'vllm'; main()"
STARTUP_S = 900  # of a busy machine
# The CPU platform forces these, whatever a GPU would do.
FORCED = {
    *("engine", "async_scheduling", "enable_chunked_prefill", "disable_cascade_attn", "distributed_executor_backend"),
    *("compilation_config.mode", "compilation_config.cudagraph_mode", "enable_prefix_caching", "block_size"),
}


class Served(NamedTuple):
    """A server that runs, and where it logs and records."""

    url: str
    log: str
    record: str


@contextmanager
def serving(python: str, release: str, words: Sequence[str], env: dict[str, str], folder: Path) -> Iterator[Served]:
    """`vllm serve WORDS` of the interpreter's release, once it answers. Raises RuntimeError with the end of its log."""
    install(str(folder / "rec"))
    (folder / "rec" / "pip").mkdir()  # vLLM's collect_env asks for pip's list, and these environments have no pip
    (folder / "rec" / "pip" / "__main__.py").write_text("")
    (folder / "rec" / "pip" / "__init__.py").write_text("")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "VLLM_SERVER_DEV_MODE": "1",
        "PYTHONPATH": str(folder / "rec"),
        "OMP_NUM_THREADS": "1",
        "VLLM_MIGRATE_RECORD": str(folder / "record.jsonl"),
        **({} if release == "0.8.5" else {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}),
        **env,
    }
    served = Served(f"http://127.0.0.1:{port}", str(folder / "serve.log"), str(folder / "record.jsonl"))
    command = [python, "-c", START, "serve", *words, "--port", str(port)]
    with open(served.log, "wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=folder, start_new_session=True
        )
        try:
            end = time.monotonic() + STARTUP_S
            while not _answers(served.url):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(Path(served.log).read_text(errors="replace")[-2000:])
                time.sleep(1)
            yield served
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False

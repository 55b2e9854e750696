"""PyYAML imported with its patterns compiled later: the same library, and `re` as it was."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import re
compile = re.compile
import vllm_migrate.documents.pyyaml
assert re.compile is compile
import yaml
from yaml.reader import Reader
assert "match" not in vars(Reader.NON_PRINTABLE), "nothing was compiled"
assert yaml.safe_load("{a: 1.5, b: 2026-11-28, c: [0x10, ~, yes], d: 'x'}")["c"] == [16, None, True]
assert yaml.safe_dump(yaml.safe_load("a: 1.5")) == "a: 1.5\\n"
try:
    list(yaml.parse("a: \\x07", Loader=yaml.SafeLoader))
except yaml.reader.ReaderError:
    print("refused")
"""


def test_the_same_library_with_patterns_compiled_when_asked() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr

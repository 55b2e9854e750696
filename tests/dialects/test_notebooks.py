"""Engines in notebooks: names go from one cell to the next, commands stand in lines of their own."""

from __future__ import annotations

import json
from pathlib import Path

from tests.dialects.reading import Reading
from vllm_migrate import lint

CELLS = [
    ["%%capture\n", "!pip install vllm\n", "from vllm import LLM"],
    ["llm = LLM(\n", '    "m",\n', "    max_num_seqs=8,\n", ")"],
    ["!vllm serve {model} --max-num-seqs 8 --disable-log-requests\n", "cmd = ['vllm', 'serve', 'm', '--seed', '1']"],
    ["%%bash\n", "vllm serve m --max-num-seqs 4\n"],
]


def notebook(cells: list[list[str]]) -> str:
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4}, indent=1) + "\n"


def test_every_kind_of_cell_has_its_engines(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.ipynb": notebook(CELLS)}, engine="v1")
    found = [(engine.name, [(w.key, w.value) for w in engine.options]) for engine in reading.engines]
    assert found == [
        ("vllm-python", [("max_num_seqs", 8)]),
        ("vllm-argv", [("", "m"), ("--seed", "1")]),
        ("vllm-argv", [("", found[2][1][0][1]), ("--max-num-seqs", "8"), ("--disable-log-requests", True)]),
        ("vllm-argv", [("", "m"), ("--max-num-seqs", "4")]),
    ]


def test_a_fix_is_written_into_each_cell(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.ipynb": notebook(CELLS)}, engine="v1")
    reading.fix()
    text = reading.text("run.ipynb")
    assert text == notebook([cell["source"] for cell in json.loads(text)["cells"]])
    sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
    assert sources[0] == "".join(CELLS[0])
    assert "    async_scheduling=False,\n" in sources[1]
    assert sources[2].startswith("!vllm serve {model} --max-num-seqs 8 --no-async-scheduling")
    assert "'--seed', '1', '--no-async-scheduling'" in sources[2]
    assert "vllm serve m --max-num-seqs 4 --no-async-scheduling" in sources[3]


def test_a_place_is_told_as_cell_and_line() -> None:
    report = lint(["run.ipynb"], files={"run.ipynb": notebook(CELLS)}, from_engine="v1")
    finding = next(finding for finding in report.findings if finding.code == "VM204")
    assert finding.place == "run.ipynb:cell 3:1:38"
    assert notebook(CELLS).split("\n")[finding.line - 1].strip().startswith('"!vllm serve')

"""Notebooks: cells as Python and shell, edits that keep every other byte of the JSON."""

from __future__ import annotations

import json

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Unreadable, apply_edits, decode
from vllm_migrate.documents.notebook.document import CellSource, Notebook, parse_notebook
from vllm_migrate.documents.notebook.proof import prove_cells


def cell(source: object, kind: str = "code") -> dict[str, object]:
    return {"cell_type": kind, "metadata": {}, "outputs": [{"data": {"source": ["no", "code"]}}], "source": source}


def notebook(*cells: object, indent: int | None = 1) -> Notebook:
    text = json.dumps({"cells": cells, "metadata": {"cells": []}, "nbformat": 4}, indent=indent, ensure_ascii=False)
    return parse_notebook(decode("n.ipynb", (text + "\n").encode()))


def module(document: Notebook) -> CellSource:
    assert document.module is not None
    return document.module


def edited(source: CellSource, old: str, new: str) -> str:
    at = source.text.index(old)
    edits = [Edit(at, at + len(old), new)]
    prove_cells(source, edits)
    return apply_edits(source.host.text, source.on_disk(edits))


def test_code_cells_are_one_module() -> None:
    document = notebook(cell(["import x\n", "a = 1"]), cell(["# text"], "markdown"), cell('b = "\\n"\n'), cell([]))
    assert module(document).text == 'import x\na = 1\nb = "\\n"\n\n'
    assert document.scripts == []


def test_magics_are_blanked_out_and_commands_are_scripts() -> None:
    lines = [
        "%%capture\n",
        "import x\n",
        "if y:\n",
        "    !vllm serve {model} \\\n",
        "       --port 1\n",
        "%pip install z\n",
        "x?",
    ]
    document = notebook(
        cell(lines), cell(["%%bash\n", "vllm serve a\n"]), cell(["%%writefile a.py\n", "not python at all"])
    )
    text = module(document).text
    assert len(text) == len("".join(lines))
    assert [line.rstrip("#") for line in text.split("\n")] == ["0", "import x", "if y:", "    0", "       ", "0", "0"]
    assert [script.text for script in document.scripts] == ["vllm serve $model_ \\\n       --port 1", "vllm serve a\n"]


def test_what_python_can_be_read_is_read_as_it_is() -> None:
    document = notebook(cell(['x = """\n', "!not a command\n", '"""']), cell(["this is no code"]))
    assert module(document).text == 'x = """\n!not a command\n"""\n               '
    assert document.scripts == []


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("2", "3", ["f(\n", '  "é\\t",\n', "  b=3,\n", ")"]),
        ("  b=2,\n", "", ["f(\n", '  "é\\t",\n', ")"]),
        ("  b=2,\n", '  c="\\n",\n  d=1,\n', ["f(\n", '  "é\\t",\n', '  c="\\n",\n', "  d=1,\n", ")"]),
        (",\n)", ",\n  c=1,\n)\n", ["f(\n", '  "é\\t",\n', "  b=2,\n", "  c=1,\n", ")\n"]),
    ],
)
def test_an_edit_changes_the_strings_of_its_lines(old: str, new: str, lines: list[str]) -> None:
    cells = [cell(["# first\n"]), cell(["f(\n", '  "é\\t",\n', "  b=2,\n", ")"]), cell("last = 1")]
    after = edited(module(notebook(*cells)), old, new)
    cells[1]["source"] = lines
    assert after == notebook(*cells).source.text


def test_an_edit_of_a_cell_that_is_one_string() -> None:
    after = edited(module(notebook(cell("a = 1\nb = 2\n"))), "b = 2\n", "b = 3\nc = 4\n")
    assert after == notebook(cell("a = 1\nb = 3\nc = 4\n")).source.text


def test_a_file_of_one_line() -> None:
    after = edited(module(notebook(cell(["a = 1\n", "b = 2"]), indent=None)), "a = 1\n", "a = 0\nc = 1\n")
    assert after == notebook(cell(["a = 0\n", "c = 1\n", "b = 2"]), indent=None).source.text


def test_places_are_those_of_the_file_and_of_the_cell() -> None:
    document = notebook(cell(["a = 1\n"]), cell(["if a:\n", "  b = 2\n"]))
    source = module(document)
    at = source.text.index("b")
    line, column = source.position(at)
    assert document.source.line(line)[column - 1 :] == 'b = 2\\n"'
    assert source.cell(at) == (2, 2, 3)
    assert document.source.text[source.on_file(at)] == "b"


def test_a_change_over_two_cells_is_refused() -> None:
    source = module(notebook(cell(["a = 1"]), cell(["b = 2"])))
    with pytest.raises(CannotEdit, match="several cells"):
        source.on_disk([Edit(3, 8, "")])


def test_the_proof_finds_a_change_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    source = module(notebook(cell(["a = 1\n"]), cell(["b = 2\n"])))
    real = CellSource.on_disk
    monkeypatch.setattr(CellSource, "on_disk", lambda self, edits: [*real(self, edits), Edit(2, 2, '"x": 1, ')])
    with pytest.raises(ProofFailed, match="something else"):
        prove_cells(source, [Edit(4, 5, "3")])


@pytest.mark.parametrize("text", ["", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code", "source": [1]}]}', "{"])
def test_what_is_no_notebook(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_notebook(decode("n.ipynb", text.encode()))

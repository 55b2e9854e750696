"""Taking away the statement by which a program sets a variable."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits
from vllm_migrate.documents.python.environment import prove_removal, removal

NAME = "VLLM_ATTENTION_BACKEND"
SET = f'os.environ["{NAME}"] = "FLASHINFER"'

REMOVED = {
    "a line": (f"import os\n{SET}\nx = 1\n", "import os\nx = 1\n"),
    "with a comment": (f"import os\n{SET}  # fast\nx = 1\n", "import os\nx = 1\n"),
    "in a function": (f"def f():\n    {SET}\n    return 1\n", "def f():\n    return 1\n"),
    "over lines": (f'import os\nos.environ["{NAME}"] = (\n    "A"\n)\n', "import os\n"),
    "without a last line end": (f"import os\n{SET}", "import os\n"),
    "CRLF": (f"import os\r\n{SET}\r\nx = 1\r\n", "import os\r\nx = 1\r\n"),
    "behind letters of two bytes": (f'x = "é"\n{SET}\n', 'x = "é"\n'),
}
KEPT = {
    "alone in its block": (f"if x:\n    {SET}\n", "all that stands in its block"),
    "worked out": (f'import os\nos.environ["{NAME}"] = f()\n', "works out"),
    "read elsewhere": (f'import os\n{SET}\nprint(os.environ["{NAME}"])\n', "more than one place"),
    "set twice": (f"import os\n{SET}\n{SET}\n", "more than one place"),
    "by a call": (f'import os\nos.environ.setdefault("{NAME}", "A")\n', "in another way"),
    "two on a line": (f"import os\n{SET}; x = 1\n", "shares its line"),
    "behind a colon": (f"if x: {SET}; y = 1\n", "shares its line"),
    "two names": (f'import os\nx = os.environ["{NAME}"] = "A"\n', "in another way"),
}


@pytest.mark.parametrize(("text", "after"), REMOVED.values(), ids=REMOVED)
def test_it_goes_with_its_lines(text: str, after: str) -> None:
    edit = removal(text, NAME)
    assert apply_edits(text, [edit]) == after
    prove_removal(text, [NAME], [edit], [])


@pytest.mark.parametrize(("text", "why"), KEPT.values(), ids=KEPT)
def test_it_stays(text: str, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        removal(text, NAME)


@pytest.mark.parametrize("edit", [Edit(0, 10, ""), Edit(10, 10, "x = 1\n")])
def test_more_than_the_assignment_is_no_removal(edit: Edit) -> None:
    text = f"import os\n{SET}\nx = 1\n"
    with pytest.raises(ProofFailed):
        prove_removal(text, [NAME], [edit], [])

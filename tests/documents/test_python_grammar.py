"""What is said of Python that does not parse."""

from __future__ import annotations

import sys

import pytest

from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.python.syntax import parse_tree


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 reads this f-string")
def test_an_f_string_of_a_newer_python_names_the_one_that_reads() -> None:
    with pytest.raises(Unreadable, match=r"not Python 3\.\d+, which this program runs on .*3\.12 reads more f-strings"):
        parse_tree("print(f'{row['name']}')\n")


def test_what_no_python_reads_names_none() -> None:
    with pytest.raises(Unreadable, match="not Python: "):
        parse_tree("def f(:\n")

"""What a call gets by `**name`: the keys of a dict that the module shows, and whether they are all."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.interface import Unknown, decode
from vllm_migrate.documents.python.calls import Call, parse_python


def call_of(text: str) -> Call:
    return parse_python(decode("run.py", text.encode())).find({"LLM"})[0]


def passed(text: str) -> dict[str, object]:
    return {argument.name: argument.value for argument in call_of(text).keywords}


@pytest.mark.parametrize(
    "text",
    [
        'k = {"a": 1, "b": n}\nLLM(**k)\n',
        "k = dict(a=1, b=n)\nLLM(**k)\n",
        'LLM(**{"a": 1, "b": n})\n',
        'k: dict = {"a": 0}\nk["a"] = 1\nk.update(b=n)\nprint(k)\nLLM(**k)\n',
        'k = {"b": n}\nk.update({"a": 1})\nlogger.info("x %s", k)\nLLM(**k)\n',
    ],
)
def test_a_dict_that_is_shown_whole(text: str) -> None:
    assert passed(text) == {"a": 1, "b": Unknown("n")}
    assert not call_of(text).has_kwargs


def test_a_keyword_of_the_call_goes_before() -> None:
    assert passed('k = {"a": 1}\nLLM(a=2, **k)\n') == {"a": 2}


def test_what_a_branch_puts_in_has_no_value() -> None:
    text = 'k = {"a": 1}\nif x:\n    k["a"] = 2\nLLM(**k)\n'
    assert passed(text) == {"a": Unknown("2")}


@pytest.mark.parametrize(
    "text",
    [
        'k = {"a": 1}\nprepare(k)\nLLM(**k)\n',
        'k = {"a": 1}\nk[name] = 2\nLLM(**k)\n',
        'k = {"a": 1, **others}\nLLM(**k)\n',
        'k = {"a": 1}\nk.update(others)\nLLM(**k)\n',
    ],
)
def test_a_dict_that_may_hold_more(text: str) -> None:
    assert passed(text) == {"a": 1}
    assert call_of(text).has_kwargs


@pytest.mark.parametrize(
    "text",
    [
        'k = {"a": 1}\nk = load()\nLLM(**k)\n',
        "k = load()\nLLM(**k)\n",
        "def f(**k):\n    LLM(**k)\n",
        'k = {"a": 1}\ndef f(k):\n    LLM(**k)\n',
        'LLM(**k)\nk = {"a": 1}\n',
    ],
)
def test_a_dict_from_elsewhere(text: str) -> None:
    assert passed(text) == {}
    assert call_of(text).has_kwargs

"""What is assigned to attributes of sampling parameters after the call that makes them is read as its keywords are."""

from __future__ import annotations

import itertools

import pytest

from vllm_migrate import lint

VALUES = {"n": (2, 4), "temperature": (0.5, 0.7), "top_p": (0.9,), "logprobs": (0, 1), "min_p": (0.1,)}
CASES = [(name, value) for name, values in VALUES.items() for value in values]
HEAD = "from vllm import LLM, SamplingParams\nllm = LLM(model='m')\n"
END = "out = llm.generate(prompts, {name})\n"


def codes(text: str) -> list[tuple[str, str]]:
    report = lint("gen.py", files={"gen.py": text}, from_="0.8.5", to="0.18.1")
    return sorted((found.code, found.message) for found in report.findings if found.code != "VM704")


@pytest.mark.parametrize(("name", "value"), CASES)
@pytest.mark.parametrize("holder", ["params", "self.params"])
def test_an_assignment_is_what_the_keyword_is(name: str, value: object, holder: str) -> None:
    keyword = f"{HEAD}{holder} = SamplingParams(max_tokens=8, {name}={value})\n{END.format(name=holder)}"
    later = f"{HEAD}{holder} = SamplingParams(max_tokens=8)\n{holder}.{name} = {value}\n{END.format(name=holder)}"
    assert codes(keyword) == codes(later)


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations((1.0, 0.7), 2)))
def test_the_last_assignment_counts(first: float, second: float) -> None:
    body = f"p = SamplingParams(temperature={first}, logprobs=1)\np.temperature = {second}\n"
    plain = f"p = SamplingParams(temperature={second}, logprobs=1)\n"
    assert codes(HEAD + body + END.format(name="p")) == codes(HEAD + plain + END.format(name="p"))


@pytest.mark.parametrize(
    "text",
    [
        "p = SamplingParams(logprobs=1)\np = other()\np.best_of = 3\n",
        "p = SamplingParams(logprobs=1)\nq.best_of = 3\n",
        "p.best_of = 3\np = SamplingParams(logprobs=1)\n",
        "def a():\n    p = SamplingParams(logprobs=1)\n    return p\ndef b(p):\n    p.best_of = 3\n",
        "p = SamplingParams(logprobs=1)\nclass C:\n    def f(self, p):\n        p.best_of = 3\n",
    ],
)
def test_attributes_of_other_objects_are_not_read(text: str) -> None:
    report = lint("gen.py", files={"gen.py": HEAD + text}, from_="0.8.5", to="0.18.1")
    assert [found.code for found in report.findings if found.code in ("VM701", "VM704")] == []


def test_what_a_branch_assigns_is_open() -> None:
    text = HEAD + "p = SamplingParams(logprobs=1)\nif many:\n    p.n = 4\n" + END.format(name="p")
    report = lint("gen.py", files={"gen.py": text}, from_="0.8.5", to="0.18.1")
    assert not any("n above 1" in found.message and found.depends_on is None for found in report.findings)


def test_engine_arguments_take_it_as_before() -> None:
    text = "from vllm import EngineArgs\nargs = EngineArgs(model='m', watermark=0.0)\nargs.long_prefill_token_threshold = -1\n"
    report = lint("e.py", files={"e.py": text}, from_="0.18.1", to="0.33.0")
    assert [(found.code, found.line) for found in report.findings if found.code == "VM231"] == [("VM231", 3)]

"""Whose method a call is: told by what is assigned to the name, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading
from vllm_migrate.knowledge.expr import Undetermined

CALL = "generate(prompt_token_ids=x)"
CLASS = (
    "from vllm import LLM\nclass W:\n    def __init__(self):\n        self.{name} = LLM('m')\n"
    "    def run(self, x):\n        return self.{name}.{call}\n"
)
FOUND = [
    *(CLASS.format(name=name, call=CALL) for name in ("model", "policy", "generator", "_m")),
    f"import vllm\nm = vllm.LLM('m')\ndef f(x):\n    return m.{CALL}\n",
    f"from vllm import LLM\ndef f(x):\n    model = LLM('m')\n    return model.{CALL}\ndef g(model):\n    return model\n",
    f"from vllm import LLM as V\nclass W:\n    def __init__(self):\n        self.model: V = V('m')\n"
    f"    def f(self, x):\n        return self.model.{CALL}\n",
    f"from vllm import LLM\nclass W:\n    def __init__(self):\n"
    f"        self.model = None\n    def load(self):\n        self.model = LLM('m')\n"
    f"    def f(self, x):\n        def inner():\n            return self.model.{CALL}\n        return inner()\n",
]
SILENT = [
    f"import vllm\ndef f(model, x):\n    return model.{CALL}\n",
    f"from vllm import LLM\nclass A:\n    def __init__(self):\n        self.model = LLM('m')\nclass B:\n    def __init__(self, model):\n"
    f"        self.model = model\n    def f(self, x):\n        return self.model.{CALL}\n",
    f"from vllm import LLM\nclass A:\n    def __init__(self, v):\n        if v:\n            self.model = LLM('m')\n        else:\n"
    f"            self.model = Other('m')\n    def f(self, x):\n        return self.model.{CALL}\n",
    f"from vllm import SamplingParams\nclass A:\n    def __init__(self):\n        self.model = SamplingParams()\n"
    f"    def f(self, x):\n        return self.model.{CALL}\n",
    f"from mine import LLM\nimport vllm\nclass A:\n    def __init__(self):\n        self.model = LLM()\n"
    f"    def f(self, x):\n        return self.model.{CALL}\n",
]


@pytest.mark.parametrize("text", FOUND)
def test_an_engine_by_any_name(text: str, tmp_path: Path) -> None:
    assert "llm-generate-kwargs" in Reading(tmp_path, {"a.py": text}).names_of()


@pytest.mark.parametrize("text", SILENT)
def test_what_is_not_seen_to_be_an_engine(text: str, tmp_path: Path) -> None:
    assert "llm-generate-kwargs" not in Reading(tmp_path, {"a.py": text}).names_of()


ASSIGNED = """from vllm import AsyncEngineArgs
class S:
    def make(self, group):
        self.args = AsyncEngineArgs(model="m", max_num_seqs=8)
        self.args.worker_use_ray = True
        self.args.swap_space = 4
        self.args.max_num_batched_tokens = 4096
        if group:
            self.args.enable_prefix_caching = False
        other.seed = 3
    def later(self, args):
        args.block_size = 16
"""


@pytest.mark.parametrize("name", ["self.args", "engine_args"])
def test_attributes_of_arguments_are_settings(name: str, tmp_path: Path) -> None:
    text = ASSIGNED.replace("self.args", name)
    reading = Reading(tmp_path, {"a.py": text})
    assert [option.key for option in reading.engine.options] == [
        "model",
        "max_num_seqs",
        "worker_use_ray",
        "swap_space",
        "max_num_batched_tokens",
        "enable_prefix_caching",
    ]
    assert reading.arrives("0.18.1")["max_num_batched_tokens"] == 4096
    assert isinstance(reading.arrives("0.18.1")["enable_prefix_caching"], Undetermined)  # a branch decides
    # A dataclass takes any attribute: nothing raises, and nothing reads it.
    assert {kind for kind, _ in reading.diagnostics("0.18.1")} == {"dead"}
    assert {option for _, option in reading.diagnostics("0.18.1")} >= {"worker_use_ray"}
    reading.fix()
    assert "swap_space = 4" in reading.text("a.py")

"""Engines and uses of vLLM's interfaces in Python modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.discover import Discovery, discover
from vllm_migrate.dialects.model import Engine, Use
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.load import load as load_knowledge


def discovered(tmp_path: Path, text: str) -> Discovery:
    path = tmp_path / "run.py"
    path.write_text(text, encoding="utf-8")
    workspace = Workspace([str(path)])
    file = workspace.load(str(path))
    assert file is not None
    return discover(file, load_knowledge().dialects, load_catalog(), workspace)


def made(tmp_path: Path, text: str) -> Sequence[Engine]:
    return discovered(tmp_path, text).engines


def uses(tmp_path: Path, text: str) -> list[Use]:
    return [use for program in discovered(tmp_path, text).programs for use in program.uses]


def names(found: list[Use]) -> list[str]:
    return [use.name for use in found if use.name != "import"]


def test_a_call_is_an_engine_with_its_keywords(tmp_path: Path) -> None:
    text = "from vllm import LLM as Engine\nllm = Engine('m', seed=3, max_model_len=2 * 1024, dtype=args.dtype)\n"
    (engine,) = made(tmp_path, text)
    assert (engine.id, engine.role, engine.name) == ("vllm-python:Engine", "serving", "vllm-python")
    assert [(w.key, w.value) for w in engine.options] == [
        ("seed", 3),
        ("max_model_len", 2048),
        ("dtype", Unknown("args.dtype")),
    ]
    spot = engine.spot()
    assert spot.file.source.text[spot.start : spot.end] == "Engine"


def test_engines_are_numbered_and_of_vllm_alone(tmp_path: Path) -> None:
    text = "import vllm\nfrom other import LLM\nvllm.LLM(model='a')\nLLM(model='b')\nvllm.LLM(model='c')\n"
    assert [engine.id for engine in made(tmp_path, text)] == ["vllm-python:vllm.LLM", "vllm-python:vllm.LLM#2"]


def test_what_a_call_passes_as_a_mapping_is_missing(tmp_path: Path) -> None:
    (engine,) = made(tmp_path, "from vllm import LLM\nLLM(seed=1, **config.extra)\n")
    assert [(missing.name, missing.inline) for missing in engine.missing] == [("**config.extra", True)]


@pytest.mark.parametrize(
    ("calls", "temperature", "logprobs"),
    [
        ("SamplingParams(temperature=0.7, logprobs=1)", 0.7, 1),
        ("SamplingParams()", 1.0, None),
        ("SamplingParams(temperature=0.7)\nSamplingParams(temperature=0.7, logprobs=1)", 0.7, (None, 1)),
        ("SamplingParams(temperature=0.7)\nSamplingParams(temperature=1.0)", (0.7, 1.0), None),
        ("SamplingParams(temperature=t)", (), None),
        ("SamplingParams(**p)", (), ()),
        ("pass", (), ()),
    ],
)
def test_requests_are_sampled_as_every_call_says(
    tmp_path: Path, calls: str, temperature: object, logprobs: object
) -> None:
    (engine,) = made(tmp_path, f"from vllm import LLM, SamplingParams\nLLM(model='m')\n{calls}\n")
    for name, expected in (("temperature", temperature), ("logprobs", logprobs)):
        value = engine.facts[f"sampling.{name}"].value
        assert (value.options if isinstance(value, Undetermined) else value) == expected
    in_loss = engine.facts["rl.logprobs_in_loss"].value
    assert in_loss is False if logprobs is None else isinstance(in_loss, Undetermined)


def test_variables_that_the_program_sets(tmp_path: Path) -> None:
    pairs = (("A", '"1"'), ("A", '"1"'), ("B", '"1"'), ("B", '"0"'), ("C", "x"))
    text = "import os\nfrom vllm import LLM\nLLM(model='m')\n" + "".join(f'os.environ["{n}"] = {v}\n' for n, v in pairs)
    (engine,) = made(tmp_path, text)
    assert engine.facts["env.A"].value == "1"
    b, c = engine.facts["env.B"].value, engine.facts["env.C"].value
    assert isinstance(b, Undetermined) and b.options == ("1", "0")
    assert isinstance(c, Undetermined) and not c.options


def test_a_program_that_updates_weights_trains(tmp_path: Path) -> None:
    text = "from vllm import LLM\nllm = LLM(model='m')\nllm.collective_rpc('update_weights')\n"
    assert {subject.role for subject in discovered(tmp_path, text).subjects} == {"rl_rollout"}


CONTROL = """
async def update(self, request):
    await self.engine.pause_generation(mode="keep", clear_cache=flag)
    await self.engine.engine_core.collective_rpc_async("receive_weight_update", args=(request,))
    await self.engine.resume_generation()
    await asyncio.sleep(1)
"""


def test_uses_in_the_order_of_the_text(tmp_path: Path) -> None:
    found = uses(tmp_path, CONTROL)
    assert names(found) == ["pause", "control-argument", "control-argument", "weight-update", "resume"]
    pause, mode = found[0], found[1]
    assert (pause.key, pause.function, pause.awaited) == ("self.engine.pause_generation", "update", True)
    assert pause.arguments == {"mode": "keep", "clear_cache": Unknown("flag")}
    assert (mode.key, mode.written.value, mode.method) == ("mode", "keep", "pause_generation")
    assert [use.spot.start for use in found] == sorted(use.spot.start for use in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import vllm\nllm.sleep(level=2)\n", ["sleep", "control-argument"]),
        ("import vllm, time\ntime.sleep(2)\nfrom asyncio import sleep\nsleep(1)\n", []),
        ("llm.sleep(level=2)\n", []),
        ("import vllm\nx = llm.llm_engine.model_executor.driver_worker\n", ["internals"]),
        ("# vLLM\nrequests.post(url + '/pause')\nprint('/pause')\n", ["route"]),
        ("# vLLM\nrequests.post(f'http://{host}:8000/pause?mode=keep')\n", ["route"]),
        ("# vLLM\nrequests.post('http://localhost:8000/pause')\n", ["route"]),
        ("requests.post(url + '/pause')\n", []),
        ("# vLLM\nf(extra_body={'guided_json': s})\n", ["guided-field"]),
        ("# vLLM\nf(guided_json=s)\n", ["guided-field"]),
        ("# vLLM\n'''guided_json'''\nx = 'guided_json'\n", []),
        ("from vllm import SamplingParams\nSamplingParams(n=1)\n", ["sampling-argument", "sampling-params"]),
        ("from other import SamplingParams\nimport vllm\nSamplingParams(n=1)\n", []),
        ("import vllm\nprint(f'{llm.collective_rpc(g)}')\n", []),
    ],
)
def test_what_is_a_use(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert sorted(names(uses(tmp_path, text))) == sorted(expected)


def test_a_route_has_what_its_request_says(tmp_path: Path) -> None:
    text = '# vLLM\nrequests.post(f"{u}/pause?mode=keep", params={"clear_cache": "false", "x": y})\n'
    (route,) = uses(tmp_path, text)
    assert route.key == "/pause"
    assert route.arguments == {"mode": "keep", "clear_cache": False, "x": Unknown("y")}


def test_imports_know_whether_another_may_take_their_place(tmp_path: Path) -> None:
    text = "from vllm.a import b\ntry:\n    import vllm.c\nexcept ImportError:\n    from vllm import d\nimport vllm\n"
    text += "if TYPE_CHECKING:\n    from vllm import e\n"
    found = uses(tmp_path, text)
    assert [(use.key, use.guarded) for use in found] == [
        ("vllm.a.b", False),
        ("vllm.c", True),
        ("vllm.d", True),
        ("vllm", False),
        ("vllm.e", True),
    ]


def test_a_trainers_configuration_class_is_its_dialect(tmp_path: Path) -> None:
    text = "from trl import GRPOConfig\nGRPOConfig(use_vllm=True, vllm_mode='colocate', temperature=0.7)\nGRPOConfig(use_vllm=False)\n"
    (engine,) = made(tmp_path, text)
    assert (engine.name, engine.role, engine.facts["sampling.temperature"].value) == ("trl", "rl_rollout", 0.7)

"""What changed between two releases for what files use: names, calls, patches, extensions, options, variables, metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vllm_migrate.bump.report import Bump, as_json, as_markdown, changes_for
from vllm_migrate.cli.main import main


def bump(folder: Path, old: str, new: str, **texts: str) -> Bump:
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return changes_for((".",), old, new)


def names(found: Bump) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in found.changes}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_import_that_moved(here: Path) -> None:
    text = "from vllm.lora.models import LoRAModel\nfrom vllm import LLM\n\nLoRAModel.from_local_checkpoint('x')\n"
    (one,) = bump(here, "0.12.0", "0.13.0", a__py=text).changes
    assert (one.effect, one.kind, one.name, one.since) == ("breaks", "import", "vllm.lora.models.LoRAModel", "0.13.0")
    assert "vllm.lora.lora_model" in one.what and [str(place) for place in one.places] == ["a.py:1"]
    assert bump(here, "0.13.0", "0.14.0", a__py="from vllm import LLM\n").changes == ()


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from vllm.lora.models import LoRAModel\nexcept ImportError:\n    LoRAModel = None\n",
        "import vllm\nif Version(vllm.__version__) < Version('0.13'):\n    from vllm.lora.models import LoRAModel\n",
    ],
)
def test_what_a_version_guards_is_apart(here: Path, text: str) -> None:
    found = bump(here, "0.12.0", "0.13.0", a__py=text)
    assert all(place.guarded for one in found.changes for place in one.places) and found.changes
    assert "## Breaks" not in as_markdown(found) and "## Already guarded" in as_markdown(found)


def test_availability_is_no_guard(here: Path) -> None:
    text = "if is_vllm_available():\n    from vllm.sampling_params import GuidedDecodingParams\n"
    assert "## Breaks" in as_markdown(bump(here, "0.11.2", "0.12.0", a__py=text))


def test_parameters_of_calls(here: Path) -> None:
    text = (
        "from vllm import LLM, SamplingParams\n"
        "settings = {'guided_decoding': None, 'temperature': 1.0}\n"
        "settings['truncate_prompt_tokens'] = 5\n"
        "SamplingParams(**settings)\n"
        "class Trainer:\n"
        "    def __init__(self):\n"
        "        self.llm = LLM(model='m', swap_space=4)\n"
        "    def step(self):\n"
        "        self.llm.generate(prompts=['a'], prompt_token_ids=[[1]])\n"
        "        return self.llm.chat([], temperature=1)\n"
    )
    found = names(bump(here, "0.9.0", "0.18.1", a__py=text))
    assert {("call", "guided_decoding"), ("call", "truncate_prompt_tokens"), ("call", "swap_space")} <= found
    generate = [one for one in bump(here, "0.9.0", "0.18.1").changes if one.name == "vllm.LLM.generate"]
    assert any("prompt_token_ids" in one.what and one.effect == "breaks" for one in generate)
    assert ("call", "temperature") not in found and ("call", "model") not in found


def test_patches_and_subclasses_are_listed(here: Path) -> None:
    text = (
        "import vllm\n"
        "from unittest import mock\n"
        "from vllm import LLM\n"
        "from vllm.lora.models import LoRAModel\n"
        "from vllm.v1.worker.gpu_worker import Worker\n"
        "LoRAModel.from_local_checkpoint = print\n"
        "setattr(LLM, 'generate', print)\n"
        "mock.patch('vllm.utils.thing')\n"
        "class Mine(Worker):\n"
        "    def compile_or_warm_up_model(self): ...\n"
        "llm = LLM('m')\n"
        "llm.flag = True\n"
    )
    found = bump(here, "0.12.0", "0.13.0", a__py=text)
    assert {(one.kind, one.name) for one in found.patches} == {
        ("patch", "vllm.lora.models.LoRAModel.from_local_checkpoint"),
        ("patch", "vllm.LLM.generate"),
        ("patch", "vllm.utils.thing"),
        ("subclass", "vllm.v1.worker.gpu_worker.Worker"),
    }
    (broken,) = [one for one in found.patches if one.breaks]
    assert broken.name.endswith("from_local_checkpoint") and "vllm.lora.lora_model" in broken.what
    assert "## Monkey patches and subclasses" in as_markdown(found)


def test_a_worker_extension_that_collides(here: Path) -> None:
    wrap = (
        "import vllm\nfrom mixin import Mixin\nEXTENSION = f'{__name__}.Wrap'\n"
        "class Wrap(Mixin):\n    def mine(self): ...\n# worker_extension_cls=pkg.wrap.Wrap\n"
    )
    mixin = "class Mixin:\n    def start_weight_update(self): ...\n"
    found = bump(here, "0.20.1", "0.23.0", wrap__py=wrap, mixin__py=mixin)
    (one,) = found.changes
    assert (one.kind, one.name, one.since) == ("worker extension", "Mixin.start_weight_update", "0.21.0")
    assert bump(here, "0.21.0", "0.23.0").changes == ()


def test_options_variables_metrics_and_routes(here: Path) -> None:
    script = "export VLLM_USE_V1=1\nvllm serve m --swap-space 4 --max-model-len 100 --num-scheduler-steps 1\n"
    code = "import vllm\nM = ['vllm:gpu_cache_usage_perc', 'vllm:prompt_tokens_total']\n"
    found = names(bump(here, "0.8.5", "0.18.1", run__sh=script, a__py=code))
    assert {("option", "--swap-space"), ("option", "--num-scheduler-steps"), ("variable", "VLLM_USE_V1")} <= found
    assert ("metric", "vllm:gpu_cache_usage_perc") in found and ("metric", "vllm:prompt_tokens_total") not in found
    assert ("option", "max_model_len") not in found


def test_json_and_the_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.py").write_text("from vllm.lora.models import LoRAModel\n")
    assert main(["diff", "0.12.0", "0.13.0", ".", "--output-format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["schema", "from", "to", "uses", "changes", "patches"]
    assert report["changes"][0]["places"] == [{"path": "a.py", "line": 1, "guarded": False}]
    assert main(["diff", "0.12.0", "0.13.0", "a.py"]) == 0
    assert capsys.readouterr().out.startswith("# vLLM 0.12.0 to 0.13.0")
    assert main(["diff", "0.12.0", "0.13.0", "nowhere"]) == 2
    (here / "broken.py").write_text("import vllm\nclass (\n")
    assert as_json(changes_for(("broken.py",), "0.12.0", "0.13.0"))["changes"] == []

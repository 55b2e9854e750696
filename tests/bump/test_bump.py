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


MOVED = "from vllm.lora.models import LoRAModel"


@pytest.mark.parametrize(
    "text",
    [
        f"import contextlib\nwith contextlib.suppress(ImportError):\n    {MOVED}\n",
        f"try:\n    import vllm.lora.lora_model\n    NEW = True\nexcept ImportError:\n    NEW = False\nif not NEW:\n    {MOVED}\n",
        f"from importlib.util import find_spec\nif find_spec('vllm.lora.models'):\n    {MOVED}\n",
        f"import vllm\ndef f():\n    if vllm.__version__ >= '0.13':\n        return None\n    {MOVED}\n",
        f"import vllm\ndef f():\n    if vllm.__version__ >= '0.13':\n        raise RuntimeError\n    {MOVED}\n",
        f"from x import is_vllm_ge\nif is_vllm_ge('0.13'):\n    pass\nelse:\n    {MOVED}\n",
        f"from vllm import __version__ as V\nold = parse(V) < parse('0.13')\nif old:\n    {MOVED}\n",
        f"import vllm\nmatch vllm.__version_tuple__:\n    case (0, 12, *_):\n        {MOVED}\n",
        "import vllm\nx = 'vllm.lora.models.LoRAModel' if vllm.__version__ < '0.13' else ''\n",
        f"try:\n    from vllm.lora.lora_model import LoRAModel\nexcept ImportError:\n    {MOVED}\n",
        f"try:\n    {MOVED}\nexcept ImportError:\n    from vllm.lora.lora_model import LoRAModel\nclass A(LoRAModel): ...\n",
    ],
)
def test_what_is_guarded_breaks_nothing(here: Path, text: str) -> None:
    page = as_markdown(bump(here, "0.12.0", "0.13.0", a__py=text))
    assert "## Breaks" not in page and "## Already guarded" in page


@pytest.mark.parametrize(
    "text",
    [
        f"try:\n    {MOVED}\nfinally:\n    pass\n",
        f"try:\n    {MOVED}\nexcept ImportError as error:\n    raise RuntimeError('install vllm') from error\n",
        f"import transformers\nif transformers.__version__ > '5':\n    {MOVED}\n",
        f"def f(cfg):\n    if getattr(cfg, 'use_vllm', False) or cfg.model_version == 2:\n        {MOVED}\n",
        f"import sys\nif sys.version_info > (3, 9):\n    {MOVED}\n",
    ],
)
def test_what_is_no_guard_of_vllm(here: Path, text: str) -> None:
    assert "## Breaks" in as_markdown(bump(here, "0.12.0", "0.13.0", a__py=text))


def test_guarded_places_stand_apart(here: Path) -> None:
    text = f"{MOVED}\ntry:\n    {MOVED}\nexcept ImportError:\n    pass\n"
    breaks, _, guarded = as_markdown(bump(here, "0.12.0", "0.13.0", a__py=text)).partition("## Already guarded")
    assert "a.py:1 |" in breaks and "a.py:3 |" in guarded and "a.py:3" not in breaks


def test_what_a_subclass_inherits(here: Path) -> None:
    text = (
        "from vllm.entrypoints.serve.disagg.serving import ServingTokens\n"
        "class Mine(ServingTokens):\n"
        "    def serve(self):\n"
        "        self.own = self.openai_serving_render.preprocess(1)\n"
        "        return self.own, self.models\n"
        "class Other:\n"
        "    def serve(self):\n"
        "        return self.openai_serving_render\n"
    )
    found = [one for one in bump(here, "0.24.0", "0.26.0", a__py=text).changes if one.kind != "import"]
    base = "vllm.entrypoints.serve.disagg.serving.ServingTokens"
    assert [(one.name, [place.line for place in one.places]) for one in found] == [
        (f"{base}.openai_serving_render", [4])
    ]


def test_what_an_extension_reaches_through_the_worker(here: Path) -> None:
    text = (
        "import vllm\nEXTENSION = f'{__name__}.Wrap'\n# worker_extension_cls=pkg.wrap.Wrap\n"
        "class Wrap:\n"
        "    def update(self, info, load):\n"
        "        self.weight_transfer_engine.receive_weights(info, load_weights=load)\n"
    )
    found = bump(here, "0.23.0", "0.26.0", a__py=text).changes
    assert [(one.kind, one.effect, one.what) for one in found] == [
        ("call", "breaks", "the parameter `load_weights` was removed")
    ]


def test_a_required_parameter_of_a_call_with_positions(here: Path) -> None:
    text = (
        "from vllm.entrypoints.openai.api_server import create_server_socket\n"
        "create_server_socket(('', 1))\ncreate_server_socket(('', 1), reuse_port=False)\n"
    )
    (one,) = bump(here, "0.23.0", "0.26.0", a__py=text).changes
    assert one.what == "the parameter `reuse_port` is required" and [place.line for place in one.places] == [2]


@pytest.mark.parametrize(
    "text",
    [
        f"import vllm\nif vllm.__version__ > '0.11.0':\n    {MOVED}\n",
        f"import vllm\nif Version(vllm.__version__) < Version('0.9.0'):\n    pass\nelse:\n    {MOVED}\n",
        f"import vllm\ndef f():\n    if Version(vllm.__version__) < Version('0.9.0'):\n        return None\n    {MOVED}\n",
    ],
)
def test_a_test_that_the_new_release_passes_guards_nothing(here: Path, text: str) -> None:
    assert "## Breaks" in as_markdown(bump(here, "0.12.0", "0.13.0", a__py=text))

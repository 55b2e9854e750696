"""What tells from a Python module's bytes that nothing in it can be an engine or a use."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import lint
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.dialects.programs import Programs
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.load import load as load_knowledge

DIALECTS = load_knowledge().dialects
PROGRAMS = Programs(DIALECTS, load_catalog())

USED = (
    "import vllm\n",
    "import os, vllm\n",
    "import os, \\\n    vllm.envs\n",
    "from vllm.sampling_params import SamplingParams as P\nP(n=1)\n",
    "import vllm as v\nllm = v.LLM('m')\n",
    "from trl import GRPOConfig\nGRPOConfig(use_vllm=True, vllm_mode='colocate')\n",
    "from trl import GRPOConfig as Config\nConfig(use_vllm=True, vllm_mode='colocate')\n",
    "# vllm\nawait engine.pause_generation()\n",
    "# vllm\nawait engine . pause_generation (mode='keep')\n",
    "# vllm\nself.llm_engine.generate(prompts, use_tqdm=False)\n",
    "# vllm\n(\n    self.llm_engine\n    .generate(prompts, use_tqdm=False)\n)\n",
    "# vllm\nself.llm_engine.\\\n    generate(prompts, use_tqdm=False)\n",
    "# vllm\nengines(\n    1\n).generate(prompts, use_tqdm=False)\n",
    "# vllm\nengines[\n    1\n].generate(prompts, use_tqdm=False)\n",
    "# vllm\nENGINE.sleep(level=1)\n",
    "# vllm\nfrom loaders import load_weights as lw\nlw(model)\n",
    "# vllm\nrun('vllm', backend='external_launcher')\n",
    "# vllm\nx = self.llm.llm_engine.model_executor.driver_worker\n",
    "# vllm\nrequests.post(f'{url}/reset_prefix_cache')\n",
    "# vllm\nrequests.post(url + '/sleep?level=1')\n",
    "# vllm\nbody = {'guided_json': schema}\n",
    "# vllm\nclient.chat.completions.create(best_of=2)\n",
    "try: from vllm import envs\nexcept ImportError: pass\n",
    "x = 1; import os as o, vllm\n",
    "\ufefffrom vllm import envs\n",
    "if x:\r    import vllm\r",
    "# vllm\nx = (choice.message).reasoning\n",
    "# vllm\nx = choices[0].delta . reasoning_content\n",
    "import vllm\nx = get_engine(1).scheduler\nengine(2)[0].scheduler\n",
    "# vllm\nclass MyWorkerExtension:\n    def load(self): ...\n",
    "# vllm\nclass Mine:\n    def load(self): ...\nX = dict(worker_extension_cls=f'{here}.Mine')\n",
    "try: from vllm.v1.worker import Worker\nexcept E:\n    Worker = object\nclass A(Worker):\n    def f(self): ...\n",
    "# vllm\nasync def f():\n    async for out in engine.generate(p):\n        last = (out)\n    return last\n",
)
UNUSED = (
    "# started by vllm\nprint('vllm')\n",
    "# vllm\ntime.sleep(1)\nmodel.generate(x)\n",
    "# vllm\nrequests.post('http://host/other')\n",
    "# vllm\nasync_generate(prompts)\n",
    "llm = 'vllm'\nif llm == 'vllm': from_engine = 1\n",
    "# to import vllm here, or names from vllm, is not needed\n",
    "# vllm\nmessage['reasoning'] = 1\nargs.reasoning = 2\n",
    "# vllm\nclass Mine:\n    x = object()\n",
    "# vllm\nasync for item in queue:\n    last = item\n",
    "# vllm\nmodel.engine = scheduler\n",
)


@pytest.mark.parametrize("text", USED)
def test_a_module_in_which_something_is_found_may_use_vllm(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.py"
    path.write_text(text, encoding="utf-8")
    workspace = Workspace([str(path)])
    file = workspace.load(str(path))
    assert file is not None
    assert discover(file, DIALECTS, load_catalog(), workspace).subjects, "nothing is found in it"
    assert PROGRAMS.may_use(text.encode())
    assert Prefilter(DIALECTS, load_catalog()).may_concern("run.py", text.encode())


@pytest.mark.parametrize("text", UNUSED)
def test_a_module_that_only_speaks_of_vllm(text: str) -> None:
    assert not PROGRAMS.may_use(text.encode())
    assert not Prefilter(DIALECTS, load_catalog()).may_concern("run.py", text.encode())


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ('f"{base}/pause"', True),
        ('f"http://{host}:{port}/pause"', True),
        ('"http://localhost:8000/pause?mode=abort"', True),
        ('f"/deployments/{name}/pause"', False),
        ('f"{base}/api/v1/{name}/pause"', False),
    ],
)
def test_a_route_is_all_of_the_path(url: str, found: bool) -> None:
    """What ends like a route of vLLM's is another server's."""
    report = lint(files={"run.py": f"# vllm\nimport requests\nrequests.post({url})\n"})
    assert any(finding.name == "inflight-weight-update" for finding in report.findings) is found


@pytest.mark.parametrize(
    "test", ['vllm.__version__ >= "0.9.0"', 'vllm.__version__ >= ("0.9.0")', '("0.9.0") <= vllm.__version__']
)
def test_a_comparison_of_release_texts_is_not_sorted_out(test: str) -> None:
    from vllm_migrate import lint

    found = lint(files={"a.py": f"import vllm\n\nif {test}:\n    print(1)\n"}).findings
    assert "VM731" in [each.code for each in found]

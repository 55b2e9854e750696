"""Every setting that is documented changes something: what a lint reports, its exit code, or what a fix writes."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tomllib
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.run.config import KEYS

DOCS = Path(__file__).parents[2] / "docs"
OWN = re.findall(
    r"```yaml title=acme.yaml\n(.*?)```", (DOCS / "own-dialect.md").read_text(encoding="utf-8"), re.DOTALL
)[0]
JOB = re.findall(r"```yaml\n(.*?)```", (DOCS / "own-dialect.md").read_text(encoding="utf-8"), re.DOTALL)[0]
CONF = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    kv-cache-dtype: auto\n"
FILES = {
    "conf/base.yaml": CONF,
    "serve.yaml": "model: m\nmax-model-len: 8192\nseed: 0\nswap-space: 4\n",
    "clip.sh": "vllm serve m --max-model-len 8192\n",
    "job.yaml": JOB,
    "own/dialects/acme.yaml": OWN,
    "model/config.json": '{"torch_dtype": "float32", "architectures": ["LlamaForCausalLM"]}',
    "model/generation_config.json": '{"repetition_penalty": 1.2, "presence_penalty": 1.0}',
    "known.json": "",
}
SETTINGS = {
    "from": 'from = "0.10.2"',
    "to": 'to = "0.10.2"',
    "from-engine": 'from-engine = "v1"',
    "gpu": 'gpu = "cpu"',
    "model-config": 'model-config = "model"',
    "include": 'include = ["conf"]',
    "exclude": 'exclude = ["conf/"]',
    "select": 'select = ["VM2"]',
    "ignore": 'ignore = ["VM202"]',
    "extend-select": 'extend-select = ["stale-pin"]',
    "per-file-ignores": '[per-file-ignores]\n"conf/**" = ["VM1"]',
    "per-file-settings": '[per-file-settings."serve.yaml"]\nfrom = "0.10.2"',
    "severity": '[severity]\nscheduler-policy-preemption = "info"',
    "fail-on": 'fail-on = "never"',
    "baseline": 'baseline = "known.json"',
    "unsafe-fixes": "unsafe-fixes = true",
    "fail-on-checklist": 'select = ["VM109"]\nfail-on = "info"\nfail-on-checklist = true',
    "acknowledged": '[[acknowledged]]\nrule = "VM109"\nreason = "seen"',
    "knowledge": 'knowledge = ["own"]',
}
# What a setting is compared with, where that is not the empty file.
BESIDE = {"fail-on-checklist": 'select = ["VM109"]\nfail-on = "info"'}


def seen(config: str) -> list[tuple[int, str]]:
    """What two calls print with a configuration, and how they end."""
    Path("vllm-migrate.toml").write_text(config + "\n", encoding="utf-8")
    out = []
    for call in (["lint", "--output-format", "json", "--no-cache"], ["fix"]):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            code = main(call)
        out.append((code, printed.getvalue().replace("vllm-migrate.toml", "")))
    return out


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("settings")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / ".git").mkdir()
    before = os.getcwd()
    os.chdir(folder)
    Path("known.json").unlink()
    with contextlib.redirect_stdout(io.StringIO()):
        main(["lint", "--baseline", "known.json", "--write-baseline", "conf"])
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def plain(project: Path) -> list[tuple[int, str]]:
    return seen("")


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_setting_changes_something(key: str, plain: list[tuple[int, str]]) -> None:
    assert seen(SETTINGS[key]) != (seen(BESIDE[key]) if key in BESIDE else plain)


def test_every_setting_is_documented_and_tried() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert set(tomllib.loads(sample)) == set(KEYS) == set(SETTINGS)

"""Branches that a test of vLLM's release keeps from running at the target."""

from __future__ import annotations

import pytest
from packaging.version import Version

from vllm_migrate import lint

OLD = 'llm = LLM(model="org/m", swap_space=4, task="generate")'
NEW = 'llm = LLM(model="org/m")'
HEAD = "import vllm\nfrom packaging import version\nfrom packaging.version import Version\nfrom vllm import LLM\n"


def codes(test: str, then: str = OLD, otherwise: str = NEW, head: str = "") -> set[str]:
    text = f"{HEAD}{head}\nif {test}:\n    {then}\nelse:\n    {otherwise}\n"
    found = lint(files={"gen.py": text}, from_="0.8.5", to="0.18.1").findings
    return {finding.code for finding in found if finding.severity == "error"}


@pytest.mark.parametrize(
    ("test", "head"),
    [
        ('version.parse(vllm.__version__) <= version.parse("0.10.0")', ""),
        ('Version(vllm.__version__) < Version("0.9")', ""),
        ('Version("0.10.0") >= Version(vllm.__version__)', ""),
        ('vllm.__version__ == "0.8.5"', ""),
        ('vllm.__version__ in ("0.8.4", "0.8.5", "0.8.5.post1")', ""),
        ('vllm_version < Version("0.9.0")', "vllm_version = Version(vllm.__version__)"),
        (
            'ours < Version("0.9.0")',
            'from importlib.metadata import version as v2\nimport importlib\nours = Version(importlib.metadata.version("vllm"))',
        ),
        ('VLLM_VERSION < Version("0.9.0") and flag', "from trainer import VLLM_VERSION, flag"),
        ('not Version(vllm.__version__) >= Version("0.9.0")', ""),
        ('Version("0.8") <= Version(vllm.__version__) < Version("0.9")', ""),
    ],
)
def test_what_runs_at_the_source_alone_is_not_judged(test: str, head: str) -> None:
    assert codes(test, head=head) == set()


@pytest.mark.parametrize(
    "test",
    [
        'Version(vllm.__version__) < Version("0.19.0")',
        'Version(vllm.__version__) >= Version("0.8.0")',
        'Version(torch.__version__) < Version("0.9.0")',
        "Version(vllm.__version__) < wanted",
        'Version(vllm.__version__) < Version("0.9.0") or flag',
        'version.parse(transformers.__version__) <= version.parse("0.10.0")',
    ],
)
def test_what_may_run_at_the_target_is(test: str) -> None:
    assert codes(test) == {"VM205"}


def test_the_other_branch_runs_at_the_target() -> None:
    assert codes('Version(vllm.__version__) < Version("0.9.0")', NEW, OLD) == {"VM205"}
    assert codes('Version(vllm.__version__) >= Version("0.9.0")', NEW, OLD) == set()


def test_what_a_branch_puts_into_a_dict_is_not_judged_either() -> None:
    text = f"""{HEAD}
engine_args = {{"model": "org/m"}}
if version.parse(vllm.__version__) <= version.parse("0.10.0"):
    engine_args["disable_log_requests"] = True
else:
    engine_args["enable_log_requests"] = False
llm = LLM(**engine_args)
"""
    assert not [f for f in lint(files={"gen.py": text}, from_="0.8.5", to="0.18.1").findings if f.severity == "error"]


def test_a_folder_for_one_release_stays_at_it() -> None:
    for folder in ("third_party/vllm/vllm_0_8_4", "third_party/vllm/vllm_v_0_6_3", "vllm_0_10_2"):
        report = lint(files={f"{folder}/llm.py": f"from vllm import LLM\n{OLD}\n"}, to="0.18.1")
        assert not [f for f in report.findings if f.severity == "error"], folder
        assert report.projects[0].source == report.projects[0].target


def test_a_folder_for_a_series_below_vllm_is_of_its_newest() -> None:
    report = lint(files={"recipes/vllm/v0_23_x/serve.sh": "vllm serve org/m --max-model-len 8192\n"})
    assert report.projects[0].source.startswith("0.23.")
    report = lint(files={"recipes/v0_23_x/serve.sh": "vllm serve org/m --max-model-len 8192\n"})
    assert report.projects[0].source == "0.8.5"


GONE = "from vllm.worker.worker import Worker"
THERE = "from vllm.v1.engine.async_llm import AsyncLLM"
UNKNOWN = "from vllm.config import CompilationMode"


def flag(asked: str, works: str = "True", fails: str = "False", caught: str = "ImportError") -> str:
    return f"try:\n    {asked}\n    flag = {works}\nexcept {caught}:\n    flag = {fails}\n"


@pytest.mark.parametrize(
    ("test", "head"),
    [
        ("flag", flag(GONE)),
        ("flag", flag(GONE, caught="(ImportError, ModuleNotFoundError)")),
        ("flag", flag(GONE, caught="Exception as error")),
        ("not flag", flag(THERE)),
        ("not flag", flag(GONE, "False", "True")),
        ("flag is None", flag(THERE, "1", "None")),
        ("Worker is not None", f"try:\n    {GONE}\nexcept ImportError:\n    Worker = None\n"),
        ("flag and other", flag(GONE)),
        ("flag", flag(UNKNOWN)),
        ("not flag", flag(UNKNOWN)),
        ("CompilationMode is None", f"try:\n    {UNKNOWN}\nexcept ImportError:\n    CompilationMode = None\n"),
        ('"vllm_v_0_6_3" in str(type(engine))', ""),
        ('"vllm_v_0_6_3" in type(engine).__module__', ""),
        ('"vllm_0_8_5" in str(type(engine))', ""),
    ],
)
def test_what_an_import_keeps_from_running_is_not_judged(test: str, head: str) -> None:
    assert codes(test, head=head) == set()


@pytest.mark.parametrize(
    ("test", "head"),
    [
        ("flag", flag(THERE)),
        ("not flag", flag(GONE)),
        ("flag", flag("from transformers import AutoModel")),
        ("flag", flag(GONE, caught="ValueError")),
        (
            "flag",
            "try:\n    start()\n    from vllm.worker.worker import Worker\n    flag = True\nexcept ImportError:\n    flag = False\n",
        ),
        ('"vllm" in str(type(engine))', ""),
        ('"vllm_v_0_6_3" not in str(type(engine))', ""),
        ('"vllm_v_0_6_3" in names', ""),
    ],
)
def test_what_an_import_lets_run_is(test: str, head: str) -> None:
    assert codes(test, head=head) == {"VM205"}


def test_the_handler_of_an_import_that_works_is_not_judged() -> None:
    def found(asked: str) -> set[str]:
        text = f"{HEAD}try:\n    {asked}\nexcept ImportError:\n    {OLD}\n"
        return {
            f.code for f in lint(files={"gen.py": text}, from_="0.8.5", to="0.18.1").findings if f.severity == "error"
        }

    assert found(THERE) == found(UNKNOWN) == set()
    assert found(GONE) == {"VM205"}


GUARDS = (
    "    if Version(vllm.__version__) >= Version('0.9.0'):\n        return\n",
    "    if not Version(vllm.__version__) < Version('0.9.0'):\n        return None\n",
    "    old = Version(vllm.__version__) < Version('0.9.0')\n    if not old:\n        return\n",
    "    try:\n        v = Version(vllm.__version__)\n        old = v == Version('0.8.5')\n    except Exception:\n        old = False\n"
    "    if not old:\n        return\n",
    "    if Version(vllm.__version__) >= Version('0.9.0'):\n        raise RuntimeError('too new')\n",
    "    if hasattr(SamplingParams, 'structured_outputs'):\n        return\n",
    "    if not hasattr(SamplingParams, 'guided_decoding'):\n        return\n",
)
OTHERS = (
    "    if Version(vllm.__version__) < Version('0.9.0'):\n        return\n",
    "    if Version(vllm.__version__) >= Version('0.9.0') and flag:\n        return\n",
    "    if Version(vllm.__version__) >= Version('0.9.0'):\n        print('new')\n",
    "    old = flag\n    old = Version(vllm.__version__) < Version('0.9.0')\n    if not old:\n        return\n",
    "    if hasattr(SamplingParams, 'guided_decoding'):\n        return\n",
    "    if hasattr(SamplingParams, 'no_such_field'):\n        return\n",
    "    if hasattr(LLM, 'structured_outputs'):\n        return\n",
)


@pytest.mark.parametrize(("guard", "runs"), [*((g, False) for g in GUARDS), *((g, True) for g in OTHERS)])
def test_what_follows_a_test_that_ends_the_function(guard: str, runs: bool) -> None:
    body = f"{guard}    def inner():\n        return LLM(model='org/m', task='generate')\n"
    text = f"{HEAD}from vllm import SamplingParams\ndef patch(flag):\n{body}"
    found = lint(files={"gen.py": text}, from_="0.8.5", to="0.18.1").findings
    assert ("VM205" in {finding.code for finding in found}) is runs


def test_a_field_that_is_asked_for_picks_the_branch() -> None:
    text = (
        "from vllm import SamplingParams\nif hasattr(SamplingParams, 'structured_outputs'):\n"
        "    p = SamplingParams(structured_outputs=1)\nelse:\n    p = SamplingParams(guided_decoding=1)\n"
    )
    codes = {finding.code for finding in lint(files={"gen.py": text}, from_="0.8.5", to="0.18.1").findings}
    assert "VM702" not in codes
    swapped = text.replace("hasattr", "not hasattr")
    assert "VM702" in {f.code for f in lint(files={"gen.py": swapped}, from_="0.8.5", to="0.18.1").findings}


CALL = "from vllm import LLM\nllm = LLM(model='m')\nllm.generate(prompt_token_ids=batch)\n"
PACKAGE = """\
from importlib.metadata import version
package_name = "vllm"
package_version = version(package_name)
if {test}:
    from .old import Rollout
else:
    from .new import Rollout
"""


@pytest.mark.parametrize(
    ("package", "reached"),
    [
        (PACKAGE.format(test='parse(package_version) <= parse("0.6.3")'), False),
        (PACKAGE.format(test='package_version <= "0.6.3"'), True),  # the text 0.18.1 is smaller
        (PACKAGE.format(test='package_version <= "0.10.0"'), False),
        (PACKAGE.format(test='package_version <= "0.30.0"'), True),
        (PACKAGE.format(test="os.environ.get('OLD')"), True),
        ("from .old import Rollout\n" + PACKAGE.format(test='parse(package_version) <= parse("0.6.3")'), True),
        ("from .new import Rollout\n", True),
        ("", True),
    ],
)
def test_a_module_that_its_package_imports_for_another_release(package: str, reached: bool) -> None:
    files = {"rollout/__init__.py": package, "rollout/old.py": CALL}
    found = {finding.name for finding in lint(["rollout/old.py"], files=files).findings}
    assert ("llm-generate-kwargs" in found) == reached


OPERATORS = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


@pytest.mark.parametrize("sign", sorted(OPERATORS))
@pytest.mark.parametrize("literal", ["0.6.3", "0.8.5", "0.9.0", "0.10.0", "0.18.0", "0.18.1", "0.19.0", "1.0.0"])
@pytest.mark.parametrize("form", ["vllm.__version__ {0} '{1}'", "version('vllm') {0} '{1}'", "text {0} '{1}'"])
def test_a_comparison_of_texts_is_told_where_it_comes_out_wrong(sign: str, literal: str, form: str) -> None:
    text = f"import vllm\nfrom importlib.metadata import version\ntext = vllm.__version__\nif {form.format(sign, literal)}:\n    pass\n"
    codes = {finding.code for finding in lint(files={"a.py": text}, from_="0.8.5", to="0.18.1").findings}
    as_texts = getattr("0.18.1", OPERATORS[sign])(literal)
    as_releases = getattr(Version("0.18.1"), OPERATORS[sign])(Version(literal))
    assert ("VM731" in codes) is (as_texts is not as_releases)

"""What the target demands of other pins."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import requires
from vllm_migrate.dialects.frameworks import of_frameworks
from vllm_migrate.dialects.situation import Known
from vllm_migrate.documents.interface import decode
from vllm_migrate.knowledge.load import load
from vllm_migrate.migrate.demands import Demand, contradictions, disjoint, of_python, packages
from vllm_migrate.migrate.groups import group_of
from vllm_migrate.run.pins import REQUIREMENT, PinnedText, requirement_pins

TARGET = "0.18.1"
NEEDS = requires.load()


def demanded(path: str, text: str) -> list[Demand]:
    toml, quoted = path.endswith(".toml"), path.endswith((".toml", ".py"))
    pinned = PinnedText(path, text.encode(), REQUIREMENT, ("vllm", *packages(NEEDS, TARGET)))
    pins = requirement_pins(pinned, quoted=quoted, toml=toml)
    return list(contradictions(pins, {path: decode(path, text.encode())}, NEEDS, TARGET))


@pytest.mark.parametrize(
    "line", ["torch==2.6.0", "torch~=2.6.0", "torch>=2.5,<2.8", "transformers==4.51.3", "transformers>=5"]
)
def test_pins_that_the_target_excludes_block(line: str) -> None:
    (found,) = demanded("requirements.txt", f"{line}\n")
    assert found.blocks
    assert found.line == 1


@pytest.mark.parametrize(
    "line", ["torch==2.10.0", "torch>=2.6", "transformers>=4.51", "transformers~=4.56.1", "numpy==1.26.4", "tqdm"]
)
def test_pins_that_it_accepts_say_nothing(line: str) -> None:
    assert demanded("requirements.txt", f"{line}\n") == []


def test_what_is_for_tests_excludes_only_with_vllm() -> None:
    assert [found.blocks for found in demanded("requirements-test.txt", "torch==2.6.0\n")] == [False]
    assert [found.blocks for found in demanded("requirements-test.txt", "vllm==0.8.5\ntorch==2.6.0\n")] == [True]


def test_companions_are_to_be_matched() -> None:
    (found,) = demanded("requirements.txt", "flash-attn==2.7.4.post1\n")
    assert not found.blocks


def test_what_builds_the_project_is_installed_apart() -> None:
    text = '[build-system]\nrequires = ["torch==2.6.0"]\n[project]\ndependencies = ["torch==2.6.0"]\n'
    assert [(found.line, found.blocks) for found in demanded("pyproject.toml", text)] == [(2, False), (4, True)]
    assert "build-system.requires has torch==2.6.0;" in demanded("pyproject.toml", text)[0].text


# A list of requirements in each place that is installed only when it is asked for: {0} are the requirements.
ONLY_ASKED_FOR = {
    "pyproject.toml": [
        "[project]\ndependencies = []\n[project.optional-dependencies]\nx = [{0}]\n",
        "[project.optional-dependencies]\nx = [\n    {0},  # why\n]\n",
        '[project]\nname = "n"\noptional-dependencies.x = [{0}]\n',
        "[dependency-groups]\nx = [{0}]\n",
        '[dependency-groups]\n"x" = [\n{0}\n]\n',
        "[tool.pdm.dev-dependencies]\nx = [{0}]\n",
    ],
    "setup.cfg": ["[options]\ninstall_requires =\n    numpy\n\n[options.extras_require]\nx =\n    {1}\n"],
    "setup.py": ["setup(\n    install_requires=['numpy'],\n    extras_require={{\n        'x': [{0}],\n    }},\n)\n"],
}
ALWAYS = {
    "pyproject.toml": ['[project]\ndependencies = [{0}]\n[project.optional-dependencies]\nx = ["numpy"]\n'],
    "setup.cfg": ["[options]\ninstall_requires =\n    {1}\n[options.extras_require]\nx =\n    numpy\n"],
    "setup.py": ["setup(\n    extras_require={{'x': ['numpy']}},\n    install_requires=[\n        {0}],\n)\n"],
}


def grouped(path: str, template: str, *requirements: str) -> list[Demand]:
    text = template.format(", ".join(f'"{one}"' for one in requirements), "\n    ".join(requirements))
    return demanded(path, text)


@pytest.mark.parametrize(
    ("path", "template"), [(path, each) for path in ONLY_ASKED_FOR for each in ONLY_ASKED_FOR[path]]
)
@pytest.mark.parametrize("excluded", ["torch==2.13.0", "transformers>=5", "torch<2.8"])
def test_an_extra_excludes_only_with_vllm(excluded: str, path: str, template: str) -> None:
    (alone,) = grouped(path, template, "numpy", excluded)
    assert not alone.blocks and "only with x: " in alone.text
    (beside,) = grouped(path, template, "vllm==0.8.5", excluded)
    assert beside.blocks


@pytest.mark.parametrize(("path", "template"), [(path, each) for path in ALWAYS for each in ALWAYS[path]])
def test_what_is_always_installed_excludes(path: str, template: str) -> None:
    (found,) = grouped(path, template, "torch==2.13.0")
    assert found.blocks


@pytest.mark.parametrize(
    ("table", "group"),
    [
        ("tool.poetry.group.train.dependencies", "train"),
        ("tool.poetry.dev-dependencies", "dev"),
        ("tool.poetry.dependencies", ""),
        ("tool.pixi.feature.eval.pypi-dependencies", "eval"),
        ("feature.eval.dependencies", "eval"),
        ("tool.pixi.dependencies", ""),
    ],
)
def test_tables_of_a_group(table: str, group: str) -> None:
    assert group_of("pyproject.toml", f'[tool.x]\n[{table}]\ntorch = "2.13.0"\n', 3) == group


def test_a_program_that_does_not_parse_has_no_groups() -> None:
    assert group_of("setup.py", "setup(extras_require={'x': ['torch==2.13.0']}", 1) == ""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (">=4.40,<4.50", ">=4.56.0,<5", True),
        ("~=4.52.0", ">=4.56.0,<5", True),
        (">=4.40", ">=4.56.0,<5", False),
        (">4.56.0,<4.57", ">=4.56.0,<5", False),
        ("<=2.10.0", "==2.10.0", False),
        ("", "==2.10.0", False),
    ],
)
def test_disjoint(one: str, other: str, expected: bool) -> None:
    assert disjoint(one, other) is expected
    assert disjoint(other, one) is expected


@pytest.mark.parametrize(
    ("path", "text", "blocks"),
    [
        ("pyproject.toml", 'requires-python = "<3.10"\n', True),
        ("pyproject.toml", 'requires-python = ">=3.9"\n', False),
        ("pyproject.toml", 'requires-python = "==3.12.*"\n', False),
        ("environment.yml", "  - python=3.9\n", True),
        ("environment.yml", "  - python=3.11.4\n", False),
        ("Dockerfile", "FROM python:3.9-slim\n", True),
        ("Dockerfile", "FROM python:3.12-slim\n", False),
        ("setup.py", "setup(python_requires='<3.10')\n", True),
    ],
)
def test_python(path: str, text: str, blocks: bool) -> None:
    assert [found.blocks for found in of_python([decode(path, text.encode())], NEEDS, TARGET)] == [True] * blocks


def test_a_framework_that_does_not_run_with_the_target_is_named_with_what_does() -> None:
    dialects = load().dialects
    (found,) = of_frameworks({"verl": Known("0.5.0", "requirements.txt:1 pins it")}, dialects, TARGET)
    assert "requirements.txt:1" in found.text
    assert "verl >= 0.9.0" in found.text
    assert list(of_frameworks({"verl": Known("0.9.0", "")}, dialects, TARGET)) == []


def test_the_packages_asked_for_are_those_of_the_target() -> None:
    assert {"torch", "transformers", "flash-attn"} <= set(packages(NEEDS, TARGET))

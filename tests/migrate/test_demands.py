"""What the target demands of other pins."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import requires
from vllm_migrate.dialects.frameworks import of_frameworks
from vllm_migrate.dialects.situation import Known
from vllm_migrate.documents.interface import decode
from vllm_migrate.knowledge.load import load
from vllm_migrate.migrate.demands import Demand, contradictions, disjoint, of_python, packages
from vllm_migrate.run.pins import REQUIREMENT, PinnedText, requirement_pins

TARGET = "0.18.1"
NEEDS = requires.load()


def demanded(path: str, text: str) -> list[Demand]:
    toml = path.endswith(".toml")
    pinned = PinnedText(path, text.encode(), REQUIREMENT, ("vllm", *packages(NEEDS, TARGET)))
    pins = requirement_pins(pinned, quoted=toml, toml=toml)
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
    assert "builds the project" in demanded("pyproject.toml", text)[0].text


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

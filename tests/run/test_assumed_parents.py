"""A shared parent that shows no release is judged as those that inherit from it, where these show one."""

from __future__ import annotations

import pytest

from vllm_migrate import lint

BASE = "policy:\n  generation:\n    backend: vllm\n    vllm_cfg:\n      async_engine: true\n      tensor_parallel_size: 1\n"
CHILD = (
    "defaults: ../base/base.yaml\npolicy:\n  model_name: {}\n  generation:\n    vllm_cfg:\n      max_model_len: 4096\n"
)
NEW, OLD = "Qwen/Qwen3.5-9B", "Qwen/Qwen2.5-7B"


def codes(files: dict[str, str]) -> set[str]:
    return {found.code for found in lint(files=files).findings if found.path == "base/base.yaml"}


@pytest.mark.parametrize("children", [(NEW,), (NEW, NEW), (NEW, OLD)])
def test_the_childrens_release_decides(children: tuple[str, ...]) -> None:
    files = {f"exp{n}/config.yaml": CHILD.format(model) for n, model in enumerate(children)}
    assert "VM102" in codes({"base/base.yaml": BASE})
    assert "VM102" not in codes({"base/base.yaml": BASE, **files})


def test_children_that_show_none_leave_it_as_it_is() -> None:
    assert "VM102" in codes({"base/base.yaml": BASE, "exp/config.yaml": CHILD.format(OLD)})


def test_what_a_child_has_too_stays() -> None:
    wrong = BASE.replace("vllm_cfg:", "vllm_kwargs:\n      swap_space: 4\n    vllm_cfg:")
    files = {"base/base.yaml": wrong, "exp/config.yaml": CHILD.format(NEW)}
    found = [each for each in lint(files=files).findings if each.option == "swap_space"]
    assert [each.path for each in found] == ["base/base.yaml"]

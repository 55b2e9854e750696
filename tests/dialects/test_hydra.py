"""Composition agrees with hydra-core, on invented trees that use every feature and on real ones where they are at hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from vllm_migrate.dialects import hydra
from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.tree import tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown, Unreadable
from vllm_migrate.documents.steps import limited

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

TREE = {
    "base.yaml": "defaults:\n  - model: small\n  - optional extra: nowhere\n  - _self_\nseed: 1\nlr: 1e-6\nmodel: {dtype: bf16}\n",
    "model/small.yaml": "defaults:\n  - common\n  - _self_\nsize: 1\ndtype: fp32\n",
    "model/large.yaml": "defaults: [common]\nsize: 70\n",
    "model/common.yaml": "size: 0\nlayers: 2\n",
    "child.yaml": "defaults:\n  - base\n  - override model: large\n  - _self_\nseed: 2\n",
    "first.yaml": "defaults:\n  - _self_\n  - base\nseed: 9\nonly: here\n",
    "implicit.yaml": "defaults:\n  - base\nseed: 3\n",
    "grandchild.yaml": "defaults:\n  - child\nlist: [1, 2]\n",
    "packaged.yaml": "defaults:\n  - model@policy: small\n  - model@judge.model: large\n  - _self_\n",
    "globals.yaml": "defaults:\n  - flat: x\n  - _self_\n",
    "flat/x.yaml": "# @package _global_\nseed: 77\n",
    "debug/one.yaml": "# @package _global_\ndefaults:\n  - /base\n  - override /model: large\n  - _self_\nseed: 5\n",
    "nulls.yaml": "defaults:\n  - flat: null\n  - base\n  - _self_\nmodel: {layers: null}\n",
    "several.yaml": "defaults:\n  - model: [common, large]\n  - _self_\n",
    "outer/inner.yaml": "defaults:\n  - /pick: small_more\n  - /flat: x\n  - _self_\nown: 1\n",
    "replaced.yaml": "defaults:\n  - _self_\n  - scalar\nmodel: {p: 1}\n",
    "scalar.yaml": "defaults:\n  - _self_\n  - model: common\nmodel: true\n",
    "below.yaml": "defaults:\n  - outer: inner\n  - outer@other: inner\n  - _self_\n",
    "pick/small_more.yaml": "more: 1\n",
    "chosen.yaml": "defaults:\n  - model: small\n  - pick: ${model}_more\n  - _self_\nseed: 4\n",
    "missing_value.yaml": "defaults:\n  - base\n  - _self_\nseed: ???\nout: ???\n",
}
PRIMARIES = sorted(
    set(TREE)
    - {
        "model/small.yaml",
        "model/large.yaml",
        "model/common.yaml",
        "flat/x.yaml",
        "pick/small_more.yaml",
        "outer/inner.yaml",
    }
)


def ours(root: Path, name: str) -> tuple[object, list[str], list[str]]:
    workspace = Workspace([])
    path = str(root / name)
    file = workspace.load(path)
    assert file is not None
    tree = tree_of(file)
    assert tree is not None
    composed = hydra.compose(file, tree, workspace.load)
    files = [Path(f.path).relative_to(root).as_posix() for f in composed.files]
    return composed.tree.plain(), files, [missing.name for missing in composed.missing]


def theirs(root: Path, name: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with initialize_config_dir(str(root), version_base=None):
            return OmegaConf.to_container(hydra_compose(name.removesuffix(".yaml")), resolve=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", PRIMARIES)
def test_agrees_with_hydra_core(root: Path, name: str) -> None:
    assert ours(root, name)[0] == theirs(root, name)


def test_the_chain_is_given_root_first(root: Path) -> None:
    assert ours(root, "grandchild.yaml")[1] == [
        "model/common.yaml",
        "model/large.yaml",
        "base.yaml",
        "child.yaml",
        "grandchild.yaml",
    ]


def test_what_is_not_found_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "defaults:\n  - gone\n  - group: lost\n  - optional group: fine\n  - _self_\nx: 1\n", encoding="utf-8"
    )
    plain, _, missing = ours(tmp_path, "a.yaml")
    assert plain == {"x": 1}
    assert missing == ["gone", "group/lost"]


def test_a_cycle_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("defaults: [b]\nx: 1\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("defaults: [a]\ny: 1\n", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"b\.yaml:1 names a configuration that is a child of this one"):
        ours(tmp_path, "a.yaml")


def test_configurations_that_fan_out_have_a_budget(tmp_path: Path) -> None:
    """Each is there twice, in packages of its own, as Hydra allows."""
    for n in range(19):
        (tmp_path / f"c{n}.yaml").write_text(f"defaults: [c{n + 1}@x, c{n + 1}@y]\n", encoding="utf-8")
    (tmp_path / "c19.yaml").write_text("z: 1\n", encoding="utf-8")
    with pytest.raises(Unreadable, match="steps") as raised, limited():
        ours(tmp_path, "c0.yaml")
    assert raised.value.reason == "too-much"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not at hand")
def test_real_configurations_compose_as_hydra_composes_them() -> None:
    root = next((CORPUS / "pipelinerl").glob("*/conf"))
    compared = 0
    for path in sorted(root.glob("*.yaml")):
        name = path.name
        if "defaults" not in path.read_text(encoding="utf-8"):
            continue
        try:
            expected = theirs(root, name)
        except Exception:
            assert ours(root, name)[2]
            continue
        assert ours(root, name)[0] == expected
        compared += 1
    assert compared + 1 > 0


INTERPOLATED = """\
a: 1
b: ${a}
nested:
  sibling: ${.own}
  own: x
  up: ${..a}
  text: n-${a}-${.own}
  env: ${oc.env:HOME}
  lost: ${nowhere}
  inner:
    far: ${...b}
loop: ${loop}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("b", 1),
        ("nested.sibling", "x"),
        ("nested.up", 1),
        ("nested.text", "n-1-x"),
        ("nested.inner.far", 1),
        ("nested.env", Unknown("${oc.env:HOME}")),
        ("nested.lost", Unknown("${nowhere}")),
        ("loop", Unknown("${loop}")),
    ],
)
def test_interpolations(tmp_path: Path, path: str, expected: object) -> None:
    (tmp_path / "c.yaml").write_text(INTERPOLATED, encoding="utf-8")
    file = Workspace([]).load(str(tmp_path / "c.yaml"))
    assert file is not None
    tree = tree_of(file)
    assert tree is not None
    leaf = tree.at(path)
    assert leaf is not None
    assert resolve(tree, path, leaf.value) == expected

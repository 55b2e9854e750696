"""Parent files, against what OmegaConf makes of them by NeMo-RL's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

from vllm_migrate.dialects import parents
from vllm_migrate.dialects.tree import tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unreadable

GRAND = "a: 1\npolicy:\n  x: 1\n  deep: {one: 1, two: [1, 2]}\ndata:\n  train: {name: t}\n"
PARENT = "defaults: grand.yaml\npolicy:\n  x: 2\n  deep: {two: [3]}\n"
OTHER = "policy:\n  y: 3\ndata: null\n"


def oracle(path: Path) -> DictConfig:
    """Parents first, in order; a marked mapping at the top replaces theirs; `???` leaves what there was."""
    own = OmegaConf.load(path)
    assert isinstance(own, DictConfig)
    named = own.pop("defaults", None)
    if named is None:
        return own
    merged = OmegaConf.create({})
    for name in named if isinstance(named, ListConfig) else [named]:
        merged = overlaid(merged, oracle(path.parent / str(name)))
    return overlaid(merged, own)


def overlaid(base: DictConfig, over: DictConfig) -> DictConfig:
    for key in list(over.keys()):
        if OmegaConf.is_missing(over, key) or not isinstance(over[key], DictConfig):
            continue
        if over[key].get("_override_", False):
            over[key].pop("_override_")
            base.pop(key, None)
    out = OmegaConf.merge(base, over)
    assert isinstance(out, DictConfig)
    return out


@pytest.mark.parametrize(
    "child",
    [
        "defaults: parent.yaml\npolicy:\n  z: 9\n",
        "defaults:\n  - parent.yaml\n  - sub/other.yaml\npolicy: {x: 7}\n",
        "defaults: parent.yaml\npolicy:\n  _override_: true\n  only: this\n",
        "defaults: parent.yaml\npolicy:\n  deep:\n    _override_: true\n    one: 5\n",
        "defaults: parent.yaml\npolicy:\n  x: ???\n  deep: ???\n",
        "defaults: parent.yaml\npolicy: null\n",
        "defaults: [sub/other.yaml, parent.yaml]\n",
        "a: 2\n",
    ],
)
def test_composed_as_omegaconf_does(child: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, text in {"grand": GRAND, "parent": PARENT, "sub/other": OTHER, "child": child}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    workspace = Workspace([])
    file = workspace.load(str(tmp_path / "child.yaml"))
    assert file is not None
    tree = tree_of(file)
    assert tree is not None
    composed = parents.compose(file, tree, workspace.load)
    assert composed.tree.plain() == OmegaConf.to_container(oracle(tmp_path / "child.yaml"))
    assert not composed.missing


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text("defaults: gone.yaml\na: 1\n", encoding="utf-8")
    workspace = Workspace([])
    file = workspace.load(str(tmp_path / "child.yaml"))
    assert file is not None
    tree = tree_of(file)
    assert tree is not None
    composed = parents.compose(file, tree, workspace.load)
    assert [missing.name for missing in composed.missing] == ["gone.yaml"]


def test_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("defaults: b.yaml\nx: 1\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("defaults: a.yaml\ny: 1\n", encoding="utf-8")
    workspace = Workspace([])
    file = workspace.load(str(tmp_path / "a.yaml"))
    assert file is not None
    tree = tree_of(file)
    assert tree is not None
    with pytest.raises(Unreadable, match=r"b\.yaml:1 names a configuration that is a child of this one"):
        parents.compose(file, tree, workspace.load)


@pytest.mark.parametrize(
    "defaults", ["defaults: [base, _self_]", "defaults:\n  - model: a\n  - _self_", "defaults: {}"]
)
def test_a_hydra_list_is_no_list_of_parents(defaults: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(defaults + "\n", encoding="utf-8")
    file = Workspace([]).load(str(tmp_path / "a.yaml"))
    assert file is not None
    tree = tree_of(file)
    assert tree is not None and not parents.uses_parents(tree)

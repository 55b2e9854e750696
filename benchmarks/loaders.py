"""Fix real configurations and have the framework's own loader put them together again: does each pin arrive?

    python -m benchmarks.loaders DIALECT=FOLDER... [--most N]

Every FOLDER is a clone of the framework of that dialect; nothing in it is changed. Configurations are copied, `fix --unsafe --write`
(from 0.8.5 on V0 to 0.18.1) writes into the copy, and the loader named below reads the copy before and after. A pin arrives when the
key that was written has the written value in what the loader returns. The first table is of these, the second says for every dialect
what its knowledge was read from. Loaders of frameworks are run from FOLDER, so give it only clones that you trust.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from benchmarks.composition import OVERRIDE, _commands

MOVE = ("--from", "0.8.5", "--from-engine", "v0", "--to", "0.18.1")  # the move that pins most
DIALECTS = Path(__file__).parent.parent / "rules" / "dialects"
PROOFS = {"executed": "run in isolation", "source": "read"}
IGNORED = shutil.ignore_patterns(".git", "node_modules", "*.png", "*.jpg", "*.mp4")
Loader = Callable[[Path, Path], dict[str, object]]
"""Given the copy of the framework and a file in it: every leaf of the configuration, by its path."""


class Case(NamedTuple):
    """How one framework's configurations are found and loaded."""

    says: str
    files: tuple[str, ...]  # globs below the clone
    load: Loader


class Row(NamedTuple):
    """What came of one framework."""

    looked_at: int
    loaded: int
    written: int
    arrived: int
    lost: list[str]


def _leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node


def _flat(config: object) -> dict[str, object]:
    plain = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else config
    return dict(_leaves(plain))


def _hydra(root: Path, file: Path) -> dict[str, object]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(file.parent), version_base=None):
        return _flat(compose(file.stem))


def _verl_script(root: Path, file: Path) -> dict[str, object]:
    """verl's own trainer configuration with the overrides of a script's commands."""
    out: dict[str, object] = {}
    for number, words in enumerate(_commands(file)):
        if not any("main_ppo" in word for word in words):
            continue
        overrides = [word for word in words if OVERRIDE.fullmatch(word) and "=" in word]
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(root / "verl/trainer/config"), version_base=None):
            found = _flat(compose("ppo_trainer", overrides=overrides))
        out.update({f"{number}.{path}": value for path, value in found.items()})
    return out


def _nemo_rl(root: Path, file: Path) -> dict[str, object]:
    """NeMo-RL's `load_config`, from its own file."""
    return _flat(_module("nemo_rl_config", root / "nemo_rl/utils/config.py").load_config(str(file)))


def _easyr1(root: Path, file: Path) -> dict[str, object]:
    """What EasyR1's main merges: its dataclasses, and the file over them."""
    structured = OmegaConf.structured(_easyr1_config(root))
    return _flat(OmegaConf.merge(structured, OmegaConf.load(file)))


def _easyr1_config(root: Path) -> object:
    packages = (
        "verl",
        "verl.utils",
        "verl.trainer",
        "verl.workers",
        *(f"verl.workers.{n}" for n in ("actor", "critic", "reward", "rollout")),
    )
    for name in packages:  # their own __init__ would import torch and vLLM
        module = types.ModuleType(name)
        module.__path__ = [str(root / name.replace(".", "/"))]
        sys.modules[name] = module
    functional = types.ModuleType("verl.utils.py_functional")
    functional.__dict__["get_abs_path"] = lambda path, **_: path
    sys.modules["verl.utils.py_functional"] = functional
    for name in packages[4:]:
        inner = importlib.import_module(f"{name}.config")
        sys.modules[name].__dict__.update({key: value for key, value in vars(inner).items() if not key.startswith("_")})
    return importlib.import_module("verl.trainer.config").PPOConfig()


def _module(name: str, path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = {
    "verl": Case(
        "hydra-core over its own ppo_trainer.yaml, with a script's overrides",
        ("examples/**/*.sh", "recipe/**/*.sh"),
        _verl_script,
    ),
    "pipelinerl": Case("hydra-core over conf/", ("conf/*.yaml",), _hydra),
    "rlinf": Case("hydra-core over the folder of each example", ("examples/reasoning/config/**/*.yaml",), _hydra),
    "areal": Case("hydra-core, as its load_expr_config calls it", ("examples/**/*.yaml",), _hydra),
    "nemo-rl": Case(
        "nemo_rl.utils.config.load_config, run from its own file", ("examples/configs/**/*.yaml",), _nemo_rl
    ),
    "easyr1": Case("its dataclasses and OmegaConf.merge, as its main calls them", ("examples/*.yaml",), _easyr1),
}


def check(case: Case, clone: Path, most: int) -> Row:
    """Fix the configurations of a framework in a copy, and look for each pin in what its loader returns."""
    looked = loaded = written = arrived = 0
    lost: list[str] = []
    with tempfile.TemporaryDirectory() as top:
        root = Path(top).resolve() / "project"
        shutil.copytree(clone, root, ignore=IGNORED, symlinks=True, ignore_dangling_symlinks=True)
        for file in sorted({path for glob in case.files for path in root.glob(glob)}):
            text = file.read_text(errors="replace")
            before = _loaded(case, root, file)
            if before is None or loaded >= most:
                continue
            looked += 1
            subprocess.run(
                [sys.executable, "-m", "vllm_migrate", "fix", "--unsafe", "--write", *MOVE, str(file)],
                capture_output=True, check=False, cwd=root, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            )  # fmt: skip
            pins = list(_pins(text, file.read_text(errors="replace"), file.suffix))
            after = _loaded(case, root, file)
            file.write_text(text)
            if not pins:
                continue
            loaded += 1
            for path, value in pins:
                written += 1
                there = after is not None and any(_ends(key, path) and after[key] == value for key in after)
                arrived += there
                if not there:
                    lost.append(f"{file.relative_to(root)}: {path}={value!r}")
    return Row(looked, loaded, written, arrived, lost)


def _loaded(case: Case, root: Path, file: Path) -> dict[str, object] | None:
    try:
        return case.load(root, file) or None
    except Exception:  # whatever a loader raises: it does not load this file
        return None


def _ends(key: str, path: str) -> bool:
    return key == path or key.endswith(f".{path}")


def _pins(before: str, after: str, suffix: str) -> Iterator[tuple[str, object]]:
    """What was added, as the end of its path with its value."""
    if suffix == ".sh":
        yield from _added_overrides(before, after)
        return
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        found = re.match(r"\+ \s*([\w-]+):\s+(\S.*)$", line)
        value = yaml.safe_load(found[2]) if found is not None else None
        if found is not None and isinstance(value, dict):
            yield from ((f"{found[1]}.{path}", leaf) for path, leaf in _leaves(value))
        elif found is not None:
            yield found[1], value


def _added_overrides(before: str, after: str) -> Iterator[tuple[str, object]]:
    known = set(re.findall(r"\S+=\S+", before))
    parser = OverridesParser.create()
    for word in dict.fromkeys(re.findall(r"\S+=\S+", after)):
        if word not in known and OVERRIDE.fullmatch(word):
            override = parser.parse_override(word)
            yield override.key_or_group, override.value()


def knowledge_table() -> str:
    """Every dialect with what its launch code was read from, or that it was run."""
    lines = ["| dialect | proof | files that were read or run, with the commit or release |", "|---|---|---|"]
    for file in sorted(DIALECTS.glob("*.yaml")):
        dialect = yaml.safe_load(file.read_text(encoding="utf-8"))
        named = [each for each in dialect["evidence"] if "file" in each and ("commit" in each or "release" in each)]
        read = list(dict.fromkeys(f"{each['file']}@{each.get('commit') or each['release']}" for each in named))
        shown = ", ".join(read[:3]) + (f" and {len(read) - 3} more" if len(read) > 3 else "")
        lines.append(f"| {dialect['id']} | {PROOFS[dialect['verified']]} | {shown or 'none'} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="*", help="DIALECT=FOLDER")
    parser.add_argument("--most", type=int, default=30, help="configurations of a framework")
    options = parser.parse_args(argv)
    lines = ["| dialect | loader | loads | with pins | pins written | arrive |", "|---|---|---|---|---|---|"]
    failed = False
    for clone in options.clones:
        name, _, folder = clone.partition("=")
        row = check(CASES[name], Path(folder).resolve(), options.most)
        failed = failed or row.written != row.arrived
        lines.append(
            f"| {name} | {CASES[name].says} | {row.looked_at} | {row.loaded} | {row.written} | {row.arrived} |"
        )
        print(name, *row.lost, sep="\n  lost ", file=sys.stderr)
    print("\n".join(lines), knowledge_table(), sep="\n\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

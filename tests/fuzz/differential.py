"""Our readers against those of other hands: PyYAML, omegaconf, hydra-core, bash -n, ast. And the rest of the way, whatever a file
holds: notebooks and Dockerfiles through lint and fix, `effective`, and every format of the report.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import subprocess
import tempfile
import warnings
import zlib
from pathlib import Path
from xml.etree import ElementTree

import yaml

from tests.fuzz.targets import BASH, REPOSITORY, whole_program
from vllm_migrate.documents.interface import Unknown, Unreadable, decode
from vllm_migrate.documents.oracle import equal

KINDS = ("notebook", "dockerfile", "effective", "report", "yaml-read", "omegaconf", "hydra", "bash", "ast")
NAMES = (".yaml", ".sh", ".toml", ".py", ".json", ".ipynb", "Dockerfile")
FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "full", "statistics")
OF_A_TERMINAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CELL = '{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1, "source": %s}'
NOTEBOOK = '{"cells": [%s], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'
CODE = (
    ["import os\n", "from vllm import LLM\n", "llm = LLM('m', swap_space=4, num_scheduler_steps=8)\n"],
    ["!vllm serve m --swap-space 4 \\\n", "  --num-scheduler-steps 1\n"],
    ["%env VLLM_USE_V1=0\n", "%%time\n", "x = 1"],
    ["%%bash\n", "export VLLM_USE_V1=0\n", "vllm serve m --swap-space 4"],
)
IMAGES = (
    b'FROM vllm/vllm-openai:v0.8.5 AS a\nENV VLLM_USE_V1=0 A="b c"\nCMD ["--model", "m", "--swap-space", "4"]\n',
    b"FROM vllm/vllm-openai:v0.8.5\nARG M=m\nENTRYPOINT vllm serve $M \\\n  # why\n  --swap-space 4\n",
    b"# syntax=docker/dockerfile:1\nFROM x\nRUN pip install vllm==0.8.5 && \\\n  true\nRUN <<EOF\nvllm serve m\nEOF\nCMD a\n",
    b"# escape=`\nFROM vllm/vllm-openai:v0.8.5\nCMD --model m `\n  --swap-space 4\nONBUILD ENV VLLM_USE_V1 0\n",
)
VALUES = (
    "1",
    "1e3",
    "1.",
    "0x1F",
    "1_000",
    "yes",
    "~",
    "null",
    "''",
    '"a: b"',
    "x y",
    "[1, two]",
    "{k: v}",
    "2020-01-01",
    "1:30",
)


def seeds(kind: str) -> list[bytes]:
    """Files to begin with."""
    if kind == "notebook":
        cells = [CELL % json.dumps(lines) for lines in CODE]
        return [(NOTEBOOK % ", ".join(cells)).encode(), *((NOTEBOOK % cell).encode() for cell in cells)]
    if kind == "dockerfile":
        return list(IMAGES)
    if kind == "hydra":
        return [bytes([n]) for n in range(16)]
    suffixes = {"yaml-read": (".yaml",), "omegaconf": (".yaml",), "bash": (".sh",), "ast": (".py",)}.get(kind, NAMES)
    found = sorted(path for path in (REPOSITORY / "examples").rglob("*") if path.suffix in suffixes)
    texts = [path.read_bytes() for path in found if path.stat().st_size < 6000]
    if kind in ("effective", "report"):
        named = [path.suffix.encode() + b"\n" + text for path, text in zip(found, texts, strict=False)]
        return named + [b"Dockerfile\n" + text for text in IMAGES]
    if kind in ("yaml-read", "omegaconf"):
        texts += ["".join(f"k{n}: {value}\n" for n, value in enumerate(VALUES)).encode()]
    return texts


def attempt(kind: str, data: bytes) -> str:
    """What came of one input; an AssertionError, or anything else, where a promise is broken."""
    if kind == "notebook":
        return whole_program(b".ipynb\n" + data)
    if kind == "dockerfile":
        return whole_program(b"Dockerfile\n" + data)
    if kind == "hydra":
        return _hydra(random.Random(zlib.crc32(data)))
    if kind in ("effective", "report"):
        name, _, body = data.partition(b"\n")
        known = name.decode("ascii", "ignore")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return "unreadable"
        files = {known if known == "Dockerfile" else "f" + (known if known in NAMES else ".yaml"): text}
        return _effective(files) if kind == "effective" else _report(files)
    try:
        text = decode("f", data).text
    except Unreadable:
        return "unreadable"
    return {"yaml-read": _pyyaml, "omegaconf": _omegaconf, "bash": _bash, "ast": _ast}[kind](text)


# --- the rest of the way


def _effective(files: dict[str, str]) -> str:
    from vllm_migrate import effective

    engines = effective(files=files)
    for engine in engines:
        assert engine.path in files
        for setting in engine.settings:
            repr(setting)
    return "engines" if engines else "empty"


def _report(files: dict[str, str]) -> str:
    from vllm_migrate import lint
    from vllm_migrate.report.formats import render

    report = lint(files=files)
    assert not [found for found in report.findings if found.code == "VM900"], report.findings
    for name in FORMATS:
        text = "".join(render(name, report))
        assert not OF_A_TERMINAL.search(text.replace("\n", "").replace("\t", "")), (name, OF_A_TERMINAL.search(text))
        assert text.endswith("\n") or not text, name
        if name in ("json", "sarif", "gitlab"):
            json.loads(text)
        elif name == "junit":
            ElementTree.fromstring(text)
    return "findings" if report.findings else "empty"


# --- readers of other hands


class _Loader(yaml.CSafeLoader):
    """PyYAML without dates, which are texts here."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _pyyaml(text: str) -> str:
    return _read_alike(text, _Loader)


def _omegaconf(text: str) -> str:
    from omegaconf._utils import get_yaml_loader

    if any(mark in text for mark in ("&", "*", "<<", "!", "\ufeff")):  # its parser takes a mark inside for a text
        return "skipped"
    return _read_alike(text, get_yaml_loader(), floats=True)


def _read_alike(text: str, loader: type, floats: bool = False) -> str:
    from vllm_migrate.documents.yaml.document import parse_yaml

    try:
        theirs = list(yaml.load_all(text, loader))
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError, IndexError, KeyError):
        theirs = None
    try:
        roots = parse_yaml(decode("f.yaml", text.encode())).roots
        ours = [root.plain() for root in roots]
    except (Unreadable, UnicodeEncodeError):
        return "unreadable"  # limits of ours, templates
    if theirs is None or any(map(_apart, theirs)) or any(map(_unknown, ours)):
        return "refused"
    theirs = [one for one in theirs if one is not None]
    ours = [one for one in ours if one is not None]
    assert len(theirs) == len(ours), (theirs, ours)
    for mine, other in zip(ours, theirs, strict=True):
        assert equal(_floats(mine) if floats else mine, other), (mine, other)
    return "alike"


def _apart(value: object) -> bool:
    """Whether a value has what we promise nothing about: keys that are no texts, and types of PyYAML's own."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) or _apart(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(_apart, value))
    return not isinstance(value, str | int | float | bool | None)


def _unknown(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_unknown, value.values()))
    return any(map(_unknown, value)) if isinstance(value, list) else isinstance(value, Unknown)


_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+\Z")


def _floats(value: object) -> object:
    """As omegaconf resolves `1e3`, which PyYAML leaves a text."""
    if isinstance(value, dict):
        return {key: _floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return list(map(_floats, value))
    return float(value) if isinstance(value, str) and _FLOAT.match(value) else value


# What `bash -n` passes over in silence and bash refuses when it comes to it.
_LATER = re.compile(r"\[\[[^\n]*(?:!|&&|\|\||\[\[|\()\s*\]\]|for \(\(")


def _bash(text: str) -> str:
    from vllm_migrate.documents.shell.document import parse_shell

    try:
        parse_shell(decode("f.sh", text.encode()))
        ours = True
    except Unreadable as error:
        if error.reason != "syntax":
            return "unreadable"
        ours = False
    except UnicodeEncodeError:
        return "unreadable"
    if BASH is None or "\r" in text or "\0" in text:
        return "skipped"
    call = [BASH, "--norc", "--noprofile", "-n"]
    done = subprocess.run(
        call, input=text.encode(), capture_output=True, timeout=60, env={"LC_ALL": "C.UTF-8"}, check=False
    )
    theirs = done.returncode == 0 and not done.stderr
    if ours:
        assert theirs, f"bash refuses what is read: {done.stderr.decode('utf-8', 'replace')}"
        return "alike"
    return "refused"


def _ast(text: str) -> str:
    from vllm_migrate.documents.python.calls import parse_python

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    try:
        document = parse_python(decode("f.py", text.encode()))
    except (Unreadable, UnicodeEncodeError):
        return "unreadable" if tree is None else "refused"
    assert tree is not None, "ast refuses what is read"
    calls = sorted(
        (node.lineno, node.end_lineno or 0, len(node.keywords)) for node in ast.walk(tree) if isinstance(node, ast.Call)
    )
    known = set(calls)
    for call in document.calls:
        first = document.source.position(call.start).line
        last = document.source.position(call.end).line
        assert (first, last) in {each[:2] for each in known}, "a call that ast has not"
    return "alike"


# --- composition


def _hydra(chance: random.Random) -> str:
    """A small invented tree of configurations, composed by hydra-core and by us."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from vllm_migrate.dialects import hydra
    from vllm_migrate.dialects.tree import tree_of
    from vllm_migrate.dialects.workspace import Workspace
    from vllm_migrate.documents.steps import limited

    with tempfile.TemporaryDirectory() as folder:
        for name, text in _configurations(chance).items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        try:
            with warnings.catch_warnings(), initialize_config_dir(folder, version_base=None):
                warnings.simplefilter("ignore")
                theirs = OmegaConf.to_container(compose("main"), resolve=False)
        except (
            HydraException,
            OmegaConfBaseException,
            ValueError,
            AssertionError,
            TypeError,
            AttributeError,
            RecursionError,
        ):
            theirs = None
        workspace = Workspace([])
        file = workspace.load(os.path.join(folder, "main.yaml"))
        assert file is not None
        tree = tree_of(file)
        assert tree is not None
        try:
            with limited():
                composed = hydra.compose(file, tree, workspace.load)
        except Unreadable:
            assert theirs is None, "hydra-core composes it"
            return "refused"
        if theirs is None:
            return "refused"
        ours = composed.tree.plain()
        listing = {str(p.relative_to(folder)): p.read_text() for p in Path(folder).rglob("*.yaml")}
        assert ours == theirs, f"{ours} != {theirs}: {listing}"
        return "alike"


def _configurations(chance: random.Random) -> dict[str, str]:
    names = ["main", "base", "g/a", "g/b", "h/a", "h/b"]
    return {f"{name}.yaml": _configuration(name, chance) for name in names}


def _configuration(name: str, chance: random.Random) -> str:
    inside = "/" in name
    entries: list[str] = []
    for _ in range(chance.choice([0, 1, 2, 3]) if not name.startswith("h") else 0):
        group = chance.choice("gh" if not inside else "h")
        option = chance.choice(["a", "b", "a", "[a, b]", "null"])
        package = chance.choice(["", "", "", "@x", "@x.y", "@_global_"])
        word = chance.choice(["", "", "", "override " if name == "main" else "", "optional "])
        kinds = [f"{word}{'/' if inside or chance.random() < 0.2 else ''}{group}{package}: {option}"]
        if name == "main":
            kinds += ["base", "g/a", "optional g: nowhere"]
        entries.append(chance.choice(kinds))
    if chance.random() < 0.6:
        entries.insert(chance.randint(0, len(entries)), "_self_")
    header = (
        chance.choice(["", "", "", "# @package _global_\n", "# @package z\n", "# @package z.y\n"]) if inside else ""
    )
    body = "".join(
        f"{key}: {chance.choice(['1', '1e-6', 'x', '???', 'null', '{p: 1}', '[1, 2]', '${oc.env:HOME}', 'true'])}\n"
        for key in chance.sample(["seed", "lr", "x", "g", "size"], chance.randint(1, 3))
    )
    listed = "defaults:\n" + "".join(f"  - {entry}\n" for entry in entries) if entries else ""
    return header + listed + body

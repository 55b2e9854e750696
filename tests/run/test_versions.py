"""What a project pins today, and where it says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_migrate.dialects.specifiers import fits
from vllm_migrate.run import versions
from vllm_migrate.run.lint import lint
from vllm_migrate.run.pins import Pin, release_of
from vllm_migrate.run.settings import Options
from vllm_migrate.run.versions import (
    SUBFOLDERS,
    choose_framework,
    choose_source,
    find_releases,
    notes,
    own_pins,
    pins_in,
)


def said(pins: list[Pin]) -> list[tuple[str, str, str, int]]:
    return [
        (pin.package, pin.version, "exact" if pin.exact else "narrow" if pin.narrow else "open", pin.line)
        for pin in pins
    ]


def exactly(package: str, version: str, line: int) -> tuple[str, str, str, int]:
    return (package, version, "exact", line)


def vllm(version: str, line: int) -> tuple[str, str, str, int]:
    return exactly("vllm", version, line)


def one(name: str, text: str) -> list[tuple[str, str, str, int]]:
    return said(pins_in(name, text.encode()))


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("0.8.5", "0.8.5"),
        ("v0.8.5", "0.8.5"),
        ("0.8.5.post1", "0.8.5.post1"),
        ("0.8.5post1", "0.8.5.post1"),
        ("0.9.0.1", "0.9.0.1"),
        ("0.8.5+cu121", "0.8.5"),
        ("0.11.1.dev5+gabc123", ""),
        ("0.11.0+gabc123", ""),
        ("0.11.0+precompiled", ""),
        ("0.11.1rc2", ""),
        ("latest", ""),
        ("nightly-0f3e", ""),
        ("main", ""),
        ("5ee14494e4", ""),
        ("", ""),
    ],
)
def test_release_of(version: str, release: str) -> None:
    assert release_of(version) == release


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vllm==0.8.5", [vllm("0.8.5", 1)]),
        ("VLLM[audio] == 0.8.5 ; python_version > '3.9'", [vllm("0.8.5", 1)]),
        ("vllm===0.8.5 \\\n  --hash=sha256:aa", [vllm("0.8.5", 1)]),
        ("torch\nvllm>=0.8.5,<0.9  # why", [("vllm", "0.8.5", "narrow", 2)]),
        ("vllm~=0.8.5", [("vllm", "0.8.5", "narrow", 1)]),
        ("vllm==0.8.*", [("vllm", "0.8", "narrow", 1)]),
        ("vllm>=0.8.5", [("vllm", "0.8.5", "open", 1)]),
        ("vllm>=0.8.5,<=0.12.0", [("vllm", "0.8.5", "open", 1)]),
        ("vllm~=0.8", [("vllm", "0.8", "open", 1)]),
        ("nemo_rl==0.2.1", [exactly("nemo-rl", "0.2.1", 1)]),
        (
            "vllm @ https://x.example/v/vllm-0.8.5%2Bcu121-cp38-abi3-manylinux1_x86_64.whl",
            [vllm("0.8.5", 1)],
        ),
        ("vllm @ git+https://github.com/vllm-project/vllm.git@v0.9.1", [vllm("0.9.1", 1)]),
        ("vllm @ git+https://github.com/vllm-project/vllm.git@main", [("vllm", "", "open", 1)]),
        ("vllm==0.11.1.dev3+gabc", [("vllm", "", "open", 1)]),
        ("vllm", []),
        ("# vllm==0.8.5", []),
        ("vllm-router==0.1.14", []),
        ("not-vllm==0.8.5", []),
        ("vllm<0.9", [("vllm", "", "open", 1)]),
    ],
)
def test_requirement_lines(line: str, expected: list[tuple[str, str, str, int]]) -> None:
    assert one("requirements-gpu.txt", line) == expected
    assert one("requirements/base.in", line) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "pyproject.toml",
            '[project]\nname = "verl"\ndependencies = [\n  "vllm==0.18.1",  # was "vllm==0.8.5"\n'
            '  # "vllm==0.9.0",\n]\n'
            "[project.optional-dependencies]\n"
            "x = ['trl>=0.24,<0.25', \"verl[vllm]==0.7.0; sys_platform == 'linux'\"]\n",
            [vllm("0.18.1", 4), exactly("verl", "0.7.0", 8), ("trl", "0.24", "narrow", 8)],
        ),
        ("pyproject.toml", '[tool.poetry.dependencies]\nvllm = "0.8.5"\n', [vllm("0.8.5", 2)]),
        ("pyproject.toml", '[tool.poetry.dependencies]\nvllm = "^0.8.5"\n', [("vllm", "0.8.5", "narrow", 2)]),
        ("pyproject.toml", 'vllm = {version = "0.8.5", optional = true}\n', [vllm("0.8.5", 1)]),
        ("pyproject.toml", 'vllm = { git = "https://x/vllm.git", tag = "v0.9.2" }\n', [vllm("0.9.2", 1)]),
        ("pyproject.toml", 'vllm = { url = "https://x/vllm-0.9.2-py3.whl" }\n', [vllm("0.9.2", 1)]),
        ("pyproject.toml", 'vllm = [\n  "verl[core]",\n]\nvllm = "pkg.module:main"\n', []),
        ("setup.py", 'VLLM_REQUIRES = ["x", "vllm>=0.8.5,<=0.12.0"]\n', [("vllm", "0.8.5", "open", 1)]),
        ("setup.cfg", "[options.extras_require]\nvllm =\n    vllm==0.8.5\n", [vllm("0.8.5", 3)]),
        (
            "environment.yml",
            "- pip:\n  - vllm==0.8.5\n- trl=0.17.0\n",
            [vllm("0.8.5", 2), exactly("trl", "0.17.0", 3)],
        ),
    ],
)
def test_declarations(name: str, text: str, expected: list[tuple[str, str, str, int]]) -> None:
    assert one(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Dockerfile", "RUN pip install vllm==0.8.5 torch\n", [vllm("0.8.5", 1)]),
        ("Dockerfile.gpu", "ARG VLLM_VERSION=0.9.2\nRUN pip install vllm==${VLLM_VERSION}\n", [vllm("0.9.2", 2)]),
        ("Dockerfile", "RUN pip install vllm==${WHO_KNOWS}\n", [("vllm", "", "open", 1)]),
        ("Dockerfile", "FROM vllm/vllm-openai:v0.8.5 AS base\n", [vllm("0.8.5", 1)]),
        ("Dockerfile", "FROM mirror.example/hub/vllm/vllm-openai:0.11.0-x86_64\n", [vllm("0.11.0", 1)]),
        ("Dockerfile", "FROM vllm/vllm-openai-rocm:v0.26.0\n", [vllm("0.26.0", 1)]),
        ("Dockerfile", "FROM vllm/vllm-openai:latest\n", [("vllm", "", "open", 1)]),
        ("Dockerfile", "FROM vllm/vllm-openai:gptoss\n", [("vllm", "", "open", 1)]),
        ("Dockerfile", "FROM lmcache/vllm-openai:v0.3.9post2\n", []),
        ("Dockerfile", "FROM ghcr.io/volcano-sh/vllm-openai:v0.10.0-cu128-nixl\n", [vllm("0.10.0", 1)]),
        ("Dockerfile", "FROM registry.example/team/vllm-openai:v1.4.0\n", []),
        ("Dockerfile", "FROM ghcr.io/llm-d/llm-d-cuda:v0.9.0\n", []),
        ("Dockerfile", "# FROM vllm/vllm-openai:v0.8.5\n", []),
        ("Dockerfile", "FROM hub/verl:app-verl0.5-vllm0.8.5-mcore0.12\n", [vllm("0.8.5", 1)]),
        ("compose.yaml", "image: ${VLLM_IMAGE:-vllm/vllm-openai:v0.6.6}\n", [vllm("0.6.6", 1)]),
        ("k8s.yaml", '  image: "vllm/vllm-openai:v0.8.5.post1"\n', [vllm("0.8.5.post1", 1)]),
        ("values.yaml", "repository: vllm/vllm-openai\ntag: v0.9.0  # x\n", [vllm("0.9.0", 1)]),
        ("values.yaml", "a:\n  tag: 'v0.9.0'\n  repository: \"vllm/vllm-openai\"\n", [vllm("0.9.0", 3)]),
        ("values.yaml", "repository: lmcache/vllm-openai\ntag: v0.9.0\n", []),
        ("sky.yaml", 'setup: |\n  pip list | grep vllm || pip install "vllm==0.9.0"\n', [vllm("0.9.0", 2)]),
        ("train.sh", "uv run --with vllm==0.9.2 \\\n  python -m x\n", [vllm("0.9.2", 1)]),
        (
            "Dockerfile",
            "RUN git clone --depth 1 -b v0.12.0 https://github.com/vllm-project/vllm.git && cd vllm\n"
            "# git clone -b v0.9.0 https://github.com/vllm-project/vllm.git\n"
            "RUN git clone https://github.com/vllm-project/vllm.git\n",
            [vllm("0.12.0", 1)],
        ),
        ("train.slurm", "V=0.9.2\npip install 'trl[x]==1.0' vllm==$V\n", [vllm("0.9.2", 2), exactly("trl", "1.0", 2)]),
        ("train.sh", "# pip install vllm==0.9.2\nif [ $vllm == 1 ]; then vllm serve x; fi\n", []),
        ("run.sh", "# dependency: GPU vllm==0.18.0, transformers@<cc7>\n", [vllm("0.18.0", 1)]),
    ],
)  # fmt: skip
def test_commands_and_images(name: str, text: str, expected: list[tuple[str, str, str, int]]) -> None:
    assert one(name, text) == expected


LOCK = (
    'version = 1\n\n[[package]]\nname = "torch"\nversion = "2"\n\n'
    '[[package]]\nname = "vllm"\nversion = "{}"\nsource = {{}}\n'
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_a_lock_beats_a_requirement_and_an_exact_pin_beats_a_range(here: Path) -> None:
    (here / "pyproject.toml").write_text('dependencies = ["vllm>=0.8"]\n')
    (here / "Dockerfile").write_text("FROM vllm/vllm-openai:v0.9.0\n")
    chosen = choose_source(find_releases("."))
    assert chosen is not None
    assert (chosen.version, chosen.path, chosen.line, chosen.text) == (
        "0.9.0",
        "Dockerfile",
        1,
        "vllm/vllm-openai:v0.9.0",
    )
    (here / "requirements.txt").write_text("vllm==0.8.4\n")
    (here / "uv.lock").write_text(LOCK.format("0.8.5"))
    pins = find_releases(".")
    chosen = choose_source(pins)
    assert chosen is not None
    assert (chosen.version, chosen.path, chosen.line) == ("0.8.5", "uv.lock", 9)
    assert notes(pins) == [
        "requirements.txt:1 pins 0.8.4, but uv.lock:9 is used (0.8.5)",
        "Dockerfile:1 pins 0.9.0, but uv.lock:9 is used (0.8.5)",
    ]


def test_images_of_services_side_by_side_are_no_contradiction(here: Path) -> None:
    services = [f"  s{n}:\n    image: vllm/vllm-openai:v0.{n}.0\n" for n in (9, 10, 11)]
    (here / "compose.yaml").write_text("services:\n" + "".join(services))
    assert notes(find_releases(".")) == []
    (here / "requirements.txt").write_text("vllm==0.10.0\n")
    assert notes(find_releases(".")) == [
        f"compose.yaml:{line} pins {release}, but requirements.txt:1 is used (0.10.0)"
        for line, release in ((3, "0.9.0"), (7, "0.11.0"))
    ]


def test_a_locked_development_version_is_unknown_whatever_else_is_pinned(here: Path) -> None:
    (here / "uv.lock").write_text(LOCK.format("0.11.1.dev7+gabc"))
    (here / "requirements.txt").write_text("vllm==0.8.4\n")
    pins = find_releases(".")
    assert choose_source(pins) is None
    assert notes(pins)[0] == "uv.lock:9 asks for a version that is not a release (vllm 0.11.1.dev7+gabc)"


def test_ranges(here: Path) -> None:
    (here / "requirements.txt").write_text("vllm>=0.8\n")
    pins = find_releases(".")
    assert choose_source(pins) is None
    assert notes(pins) == [] and [pin.bounds for pin in pins] == [">=0.8"]
    (here / "requirements.txt").write_text("vllm~=0.8.4\n")
    chosen = choose_source(find_releases("."))
    assert chosen is not None
    assert (chosen.version, chosen.exact) == ("0.8.4", False)


def test_frameworks(here: Path) -> None:
    (here / "requirements.txt").write_text("verl==0.4.0\nvllm==0.8.5\ntrl>=0.17\n")
    pins = find_releases(".")
    verl = choose_framework(pins, "verl")
    assert verl is not None
    assert (verl.version, verl.line) == ("0.4.0", 1)
    assert choose_framework(pins, "trl") is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_lock_is_read_in_blocks(here: Path, monkeypatch: pytest.MonkeyPatch, newline: str) -> None:
    """Wherever a block happens to end, every table is found once, on its line, in whatever order they stand."""
    names = ["trl", "pkg-a", "vllm", "verl-x", "vllm", "vllm-router", "Verl"]
    tables = [f'[[package]]\nname = "{name}"\nversion = "{i}.2"\n#{"y" * 190 * i}\n' for i, name in enumerate(names)]
    meta = '[[manifest.dependency-metadata]]\nname = "vllm"\nversion = "9.9.9"\n\n'
    text = ("version = 1\n" + meta + "\n".join(tables)).replace("\n", newline)
    (here / "uv.lock").write_bytes(text.encode())
    lines = text.splitlines()
    for block in [*range(1, 60), *range(60, 1000, 37), 1 << 15]:
        monkeypatch.setattr(versions, "BLOCK", block)
        pins = find_releases(".")
        found = [(pin.package, pin.version) for pin in pins]
        assert found == [("trl", "0.2"), ("vllm", "2.2"), ("vllm", "4.2"), ("verl", "6.2")], block
        assert all(lines[pin.line - 1] == f'version = "{pin.version}"' for pin in pins)


def test_what_cannot_be_read_is_passed_over(here: Path) -> None:
    (here / "requirements.txt").mkdir()
    (here / "pyproject.toml").write_bytes(b'\xff\xfe"vllm==0.8.5"')
    (here / "setup.py").write_bytes(b" " * 300_000 + b'"vllm==0.8.4"')
    (here / "Dockerfile").write_text("FROM vllm/vllm-openai:\nRUN pip install vllm[ vllm== $ 'vllm==")
    assert said(find_releases(".")) == [vllm("0.8.5", 1)]


PIECES = [
    "vllm",
    "==",
    "0.8.5",
    "${",
    "V",
    "}",
    "@",
    "[",
    "]",
    "\n",
    " ",
    "#",
    '"',
    "'",
    ",",
    ">=",
    "=",
    "{",
    ":",
    "/",
    "vllm/vllm-openai",
    "tag:",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.binary(max_size=5))
def test_no_text_is_too_strange(text: str, rest: bytes) -> None:
    names = ["uv.lock", "requirements.txt", "pyproject.toml", "setup.cfg", "environment.yml", "Dockerfile", "a.yaml"]
    for name in names:
        for pin in pins_in(name, text.encode() + rest):
            assert pin.exact <= bool(pin.version)
            assert all(fits("1", clause) in (True, False) for clause in pin.bounds.split(",") if clause)
            assert 1 <= pin.line <= text.count("\n") + 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[project]\ndependencies = ["vllm==0.9.0"]\n', ""),
        ('[project]\ndependencies = ["vllm==0.9.0"\n', "pyproject.toml:3: not TOML: "),
        ("[project]\ndependencies = [vllm==0.9.0]\n", "pyproject.toml:2: not TOML: "),
        ("[project\nname = 1\n", ""),  # nothing in it is for us
    ],
)
def test_a_pyproject_that_is_no_toml_is_told_where_it_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "conf/serve.sh").write_text("vllm serve a\n")
    monkeypatch.chdir(tmp_path)

    def notes_of_run() -> list[str]:
        return [note for note in lint(Options(paths=("conf",)))[0].notes if "not TOML" in note]

    assert len(notes_of_run()) == bool(fault) and all(note.startswith(fault) for note in notes_of_run())
    (tmp_path / "requirements.txt").write_text("vllm==0.10.0\n")
    assert not notes_of_run(), "something else decides"


def test_a_notebook_shows_what_it_installs() -> None:
    text = (
        '{"cells": [\n"# vllm==0.9.0 is needed",\n"!uv pip install vllm==0.15.1\\n",\n"vllm==0.8.5 was printed"\n]}\n'
    )
    assert [(pin.version, pin.line) for pin in own_pins("run.ipynb", text.encode())] == [("0.15.1", 3)]


LONG = "9" * 5000
PLACES = {
    "requirements.txt": "vllm=={}\nvllm>={}\nvllm<{},>0\nvllm~={}\nverl=={}\n",
    "uv.lock": 'version = 1\n[[package]]\nname = "vllm"\nversion = "{}"\n',
    "poetry.lock": '[[package]]\nname = "verl"\nversion = "{}"\n',
    "pyproject.toml": '[project]\nname = "verl"\nversion = "{}"\ndependencies = ["vllm^{}", "vllm=={}"]\n',
    "setup.py": 'setup(name="verl", version="{}", install_requires=["vllm=={}"])\n',
    "Dockerfile": "FROM vllm/vllm-openai:v{}\nRUN pip install vllm=={}\n",
    "install.sh": "pip install 'vllm>={}' vllm=={}\n",
    "environment.yml": "dependencies:\n- vllm={}\n- pip:\n  - vllm=={}\n",
    "compose.yaml": "services:\n  a:\n    image: vllm/vllm-openai:v{}\n    command: --model x --swap-space 4\n",
    "a.sh": "pip install vllm=={}\nvllm serve x --swap-space 4\n",
    "vllm-migrate.toml": 'from = "{}"\n',
    "a.py": 'import vllm\nif vllm.__version__ >= "{}":\n    vllm.LLM("x", swap_space=4)\n',
}


@pytest.mark.parametrize(
    "version", [f"{LONG}.1", f"0.8.{LONG}", f"0.8.5.post{LONG}", f"0.8.5rc{LONG}", f"{LONG}!0.8.5", LONG]
)
@pytest.mark.parametrize("name", PLACES)
def test_a_number_that_is_too_long_is_no_release(
    name: str, version: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vllm_migrate.cli.main import main

    monkeypatch.delenv("VLLM_MIGRATE_TRACEBACK", raising=False)
    (here / "own.yaml").write_text("model: x\nmax-model-len: 5\nswap-space: 4\n")
    (here / name).write_text(PLACES[name].replace("{}", version))
    for command in (["lint", "."], ["migrate", "."], ["effective", "own.yaml"]):
        assert main(command) in ((2,) if name == "vllm-migrate.toml" else (0, 1))
        shown = "".join(capsys.readouterr())
        assert "internal error" not in shown and "VM900" not in shown
        assert len(max(shown.splitlines(), key=len)) < 6000


@pytest.mark.parametrize("folder", ["", *SUBFOLDERS])
@pytest.mark.parametrize("root", [".", "./", "sub"])
def test_a_place_is_written_in_one_form(
    folder: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / root / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / root / folder / "Dockerfile").write_text("RUN pip install vllm==0.9.2\n")
    (tmp_path / root / folder / "install.sh").write_text("pip install vllm==0.9.1\n")
    found = find_releases(os.path.normpath(root))
    assert found
    for pin in found:
        assert os.path.normpath(pin.path) == pin.path


@pytest.mark.parametrize(
    ("tag", "source", "words"),
    [
        ("26.03-py3", "0.17.1", "pins it"),
        ("25.10-py3", "0.10.2", "pins it"),
        ("26.02-py3", "0.11.1", "the oldest that"),
        ("26.02.post1-py3", "0.11.1", "the oldest that"),
        ("26.07-py3", "0.20.1", "the oldest that"),
        ("25.09-py3", "0.8.5", "the default, which"),
    ],
)
def test_the_month_of_nvidias_builds(tag: str, source: str, words: str) -> None:
    from vllm_migrate import effective

    compose = (
        f"services:\n  s:\n    image: nvcr.io/nvidia/vllm:{tag}\n    command: vllm serve org/m --max-model-len 8192\n"
    )
    (engine,) = effective(files={"compose.yaml": compose})
    assert engine.situation.source.value == source and words in engine.situation.source.because
    (engine,) = effective(
        files={"compose.yaml": "# nvcr.io/nvidia/vllm:26.03-py3\n" + compose.replace("/nvidia/", "/other/")}
    )
    assert engine.situation.source.value == "0.8.5"

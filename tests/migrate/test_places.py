"""Which pins of vLLM are replaced, and why others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.catalog import store
from vllm_migrate.documents.disk import DISK
from vllm_migrate.migrate.places import Place, apart, find, place_of

TARGET = "0.18.1"
CONFIG = "model: a\n"


def places(folder: Path, name: str, text: str) -> list[Place]:
    (folder / ".git").mkdir(exist_ok=True)
    (folder / "serve.yaml").write_text(CONFIG)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    found = find(["serve.yaml", *([name] if name.endswith((".yaml", ".sh")) else [])], ("vllm",), DISK)
    made = (place_of(pin, found.sources[pin.path], TARGET, store.load()) for pin in found.pins)
    return apart([place for place in made if place is not None])


def replaced(place: Place) -> str:
    text = place.source.text
    return text[: place.start] + TARGET + text[place.end :]


INDEX = '[[tool.uv.index]]\nname = "a"\nurl = "https://x.example/simple"\n'
WHEEL = "https://x.example/v0.8.5/vllm-0.8.5+cu118-cp38-abi3-linux.whl"
WRITTEN = [
    ("requirements.txt", "a\nvllm==0.8.5\n", "a\nvllm==0.18.1\n"),
    ("requirements.txt", "vllm[flashinfer] == 0.8.5.post1 ; x > '1'\n", "vllm[flashinfer] == 0.18.1 ; x > '1'\n"),
    ("requirements.txt", "# grüße\r\nvllm==0.8.5\r\n", "# grüße\r\nvllm==0.18.1\r\n"),
    ("requirements-dev.in", "vllm===0.8.5", "vllm===0.18.1"),
    ("pyproject.toml", '[project]\ndependencies = ["vllm==0.8.5"]\n', '[project]\ndependencies = ["vllm==0.18.1"]\n'),
    ("pyproject.toml", '[d]\nvllm = "0.8.5"\n', '[d]\nvllm = "0.18.1"\n'),
    ("pyproject.toml", '[d]\nvllm = {version = "==0.8.5"}\n', '[d]\nvllm = {version = "==0.18.1"}\n'),
    ("setup.py", "install_requires=['vllm==0.8.5']\n", "install_requires=['vllm==0.18.1']\n"),
    ("setup.cfg", "install_requires =\n    vllm==0.8.5\n", "install_requires =\n    vllm==0.18.1\n"),
    ("environment.yml", "dependencies:\n  - vllm=0.8.5\n", "dependencies:\n  - vllm=0.18.1\n"),
    ("Dockerfile", "FROM vllm/vllm-openai:v0.8.5 AS a\n", "FROM vllm/vllm-openai:v0.18.1 AS a\n"),
    (
        "Dockerfile",
        "RUN rm -f /x && pip install vllm==0.8.5 \\\n a\n",
        "RUN rm -f /x && pip install vllm==0.18.1 \\\n a\n",
    ),
    ("docker/Dockerfile", "FROM vllm/vllm-openai:v0.8.5\n", "FROM vllm/vllm-openai:v0.18.1\n"),
    ("compose.yaml", "image: 'vllm/vllm-openai:v0.8.5'\n", "image: 'vllm/vllm-openai:v0.18.1'\n"),
    ("install.sh", 'pip install "vllm==0.8.5"\n', 'pip install "vllm==0.18.1"\n'),
    ("requirements.txt", "vllm (==0.8.5)\n", "vllm (==0.18.1)\n"),
    (
        "kustomization.yaml",
        "images:\n  - name: vllm/vllm-openai\n    newTag: v0.8.5\n",
        "images:\n  - name: vllm/vllm-openai\n    newTag: v0.18.1\n",
    ),
    (
        "kustomization.yaml",
        "images:\n- newName: vllm/vllm-openai\n  newTag: 'v0.8.5'\n  name: a\n",
        "images:\n- newName: vllm/vllm-openai\n  newTag: 'v0.18.1'\n  name: a\n",
    ),
    (
        "values.yaml",
        "image: {repository: vllm/vllm-openai, tag: v0.8.5}\n",
        "image: {repository: vllm/vllm-openai, tag: v0.18.1}\n",
    ),
    (
        "pyproject.toml",
        f'[project]\ndependencies = ["vllm==0.8.5"]\n{INDEX}explicit = true\n',
        f'[project]\ndependencies = ["vllm==0.18.1"]\n{INDEX}explicit = true\n',
    ),
]


@pytest.mark.parametrize(("name", "before", "after"), WRITTEN)
def test_a_plain_pin_is_replaced(
    name: str, before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (place,) = places(tmp_path, name, before)
    assert place.obstacle == ""
    assert replaced(place) == after


def test_each_tag_of_a_values_file_is_the_one_beside_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "".join(
        f"- name: {name}\n  repository: vllm/vllm-openai\n  tag: {tag}\n"
        for name, tag in (("a", "v0.8.5"), ("b", "v0.9.2"))
    )
    found = places(tmp_path, "values.yaml", text)
    assert {place.line for place in found} == {3, 6}
    assert {text[place.start : place.end] for place in found} == {"0.8.5", "0.9.2"}


DIGEST = "digest: sha256:00"
KEPT = [
    ("requirements.txt", "vllm==0.8.5 \\\n    --hash=sha256:aa\n", "hashes", True),
    ("requirements.txt", "--extra-index-url https://x.example\nvllm==0.8.5\n", "index", True),
    ("requirements.txt", "vllm==0.8.5+cu121\n", "cu121", True),
    ("requirements.txt", "vllm==0.8.5; a\nvllm==0.9.2; b\n", "several", True),
    ("requirements.txt", "vllm>=0.8.5,<0.9\n", "does not allow", True),
    ("requirements.txt", "vllm>=0.8.5\n", "and others", False),
    ("requirements.txt", "vllm @ https://x.example/vllm-0.8.5-cp38-abi3-linux.whl\n", "URL", True),
    ("requirements-rocm.txt", "vllm==0.8.5\n", "hardware", False),
    ("Dockerfile", "ARG V=0.8.5\nRUN pip install vllm==$V\n", "variable", True),
    ("Dockerfile", "FROM vllm/vllm-openai:v0.8.5@sha256:00\n", "digest", True),
    ("Dockerfile", "RUN git clone -b v0.8.5 https://x.example/vllm-project/vllm\n", "clone", True),
    ("compose.yaml", "image: vllm/vllm-openai:${TAG:-v0.8.5}\n", "variable", True),
    ("compose.yaml", "image: vllm/vllm-openai:latest\n", "no release", False),
    ("compose.yaml", "image: x.example/verl:app-vllm0.8.5-cu\n", "image", True),
    ("requirements.txt", f"{WHEEL}\n", "URL", True),
    ("requirements.txt", "git+https://x.example/a/vllm.git@v0.8.5\n", "URL", True),
    ("requirements.txt", "-e git+https://x.example/a/vllm.git@v0.8.5#egg=vllm\n", "URL", True),
    ("requirements.txt", "vllm==0.8.5rc1\n", "not a plain release", True),
    ("Dockerfile", f"RUN pip install {WHEEL}\n", "URL", True),
    ("Dockerfile", "RUN pip install 'vllm @ git+https://x.example/a/vllm.git@v0.8.5'\n", "URL", True),
    ("Dockerfile", "ARG V=0.8.5\nFROM vllm/vllm-openai:v${V}\n", "variable", True),
    ("Dockerfile", "ARG TAG\nFROM vllm/vllm-openai:$TAG\n", "variable", True),
    ("Dockerfile", "FROM rocm/vllm:rocm6.3_vllm_0.8.5\n", "hardware", False),
    ("Dockerfile", "FROM quay.io/ascend/vllm-ascend:v0.8.5rc1\n", "hardware", False),
    *(
        ("Dockerfile", f"ENV {name}=https://x.example\nRUN pip install vllm==0.8.5\n", "index", True)
        for name in (
            "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL",
            "PIP_FIND_LINKS",
            "UV_INDEX_URL",
            "UV_INDEX",
            "UV_DEFAULT_INDEX",
        )
    ),
    ("pyproject.toml", f'[project]\ndependencies = ["vllm==0.8.5"]\n{INDEX}', "index", True),
    (
        "pyproject.toml",
        '[project]\ndependencies = ["vllm==0.8.5"]\n[tool.uv]\nextra-index-url = ["a"]\n',
        "index",
        True,
    ),
    *(
        ("setup.py", f"setup(install_requires=[{pin}])\n", "variable", True)
        for pin in ("f'vllm=={V}'", "'vllm==%s' % V", "'vllm==' + V", "'vllm=={}'.format(V)")
    ),
    ("kustomization.yaml", f"images:\n- name: vllm/vllm-openai\n  newTag: v0.8.5\n  {DIGEST}\n", "digest", True),
    ("values.yaml", f"image:\n  repository: vllm/vllm-openai\n  tag: v0.8.5\n  {DIGEST}\n", "digest", True),
    ("values.yaml", "image:\n  repository: vllm/vllm-openai\n  tag: v0.8.5@sha256:00\n", "digest", True),
]


@pytest.mark.parametrize(("name", "text", "why", "blocks"), KEPT)
def test_what_is_not_determinate_is_for_people(
    name: str, text: str, why: str, blocks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = places(tmp_path, name, text)
    assert found
    for place in found:
        assert why in place.obstacle
        assert place.blocks is blocks


def test_a_pin_at_the_target_or_past_it_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places(tmp_path, "requirements.txt", f"vllm=={TARGET}\n") == []
    assert places(tmp_path, "requirements.txt", "vllm==0.33.0\n") == []


def test_a_build_for_other_hardware_keeps_the_project_where_nothing_else_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM rocm/vllm:rocm6.3_vllm_0.8.5\n")
    found = find(["Dockerfile"], ("vllm",), DISK)
    place = place_of(found.pins[0], found.sources["Dockerfile"], TARGET, store.load(), alone=True)
    assert place is not None
    assert place.blocks

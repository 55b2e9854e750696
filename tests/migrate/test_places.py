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

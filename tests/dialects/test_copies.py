"""Configurations that an image holds: what a Dockerfile copies, and what compose files beside a script mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import effective, lint
from vllm_migrate.documents.dockerfile.copies import copied
from vllm_migrate.documents.dockerfile.document import parse_dockerfile
from vllm_migrate.documents.interface import Source

FROM = "FROM vllm/vllm-openai:v0.9.2\n"
CONFIG = "served-model-name: m\nmax-num-seqs: 8\nswap-space: 4\n"
RUNS = 'ENTRYPOINT ["vllm", "serve", "org/m", "--config", "/app/config.yaml"]\n'


def places(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(found.path, found.option) for found in lint(files=files).findings if found.severity == "error"]


@pytest.mark.parametrize(
    "copy",
    [
        "COPY config.yaml /app/config.yaml\n",
        "COPY ./config.yaml /app/\n",
        'COPY ["config.yaml", "/app/"]\n',
        "ADD --chown=1:1 config.yaml /app/config.yaml\n",
        "WORKDIR /app\nCOPY config.yaml .\n",
        "WORKDIR /app\nCOPY a.py \\\n  config.yaml ./\n",
        "COPY . /app\n",
        "COPY . /app/\n",
    ],
)
def test_what_an_image_copies(copy: str) -> None:
    files = {"Dockerfile": FROM + copy + RUNS, "config.yaml": CONFIG}
    assert places(files) == [("config.yaml", "swap_space")]
    (engine,) = effective(files=files)
    assert engine.path == "Dockerfile" and not [each for each in engine.situation.unread if "config" in each]


@pytest.mark.parametrize(
    "copy",
    [
        "COPY --from=other config.yaml /app/config.yaml\n",
        "COPY config.yaml /etc/config.yaml\n",
        "COPY $WHAT /app/config.yaml\n",
        "COPY other.yaml /app/config.yaml\n",
        "COPY https://example.org/config.yaml /app/config.yaml\n",
        "# COPY config.yaml /app/config.yaml\n",
    ],
)
def test_what_an_image_does_not_copy(copy: str) -> None:
    engines = effective(files={"Dockerfile": FROM + copy + RUNS, "config.yaml": CONFIG})
    assert sorted(engine.path for engine in engines) == ["Dockerfile", "config.yaml"]


@pytest.mark.parametrize("name", ["a.yaml", "z.yaml"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "compose.yaml",
            "services:\n  s:\n    image: vllm/vllm-openai:v0.9.2\n    volumes: [./NAME:/app/config.yaml:ro]\n"
            '    command: ["--model", "m", "--config", "/app/config.yaml"]\n',
        ),
        (
            "compose.yaml",
            "services:\n  s:\n    build: .\n    volumes: [./NAME:/app/config.yaml:ro]\n"
            '    entrypoint: ["vllm", "serve", "m", "--config", "/app/config.yaml"]\n',
        ),
        ("Dockerfile", FROM + "COPY NAME /app/config.yaml\n" + RUNS),
        ("job.yaml", "run: |\n  pip install vllm==0.9.2\n  vllm serve m --config NAME\n"),
    ],
)
def test_a_named_configuration_is_no_engine_of_its_own(name: str, path: str, text: str) -> None:
    """Whether it is read before or after the file that names it."""
    engines = effective(files={path: text.replace("NAME", name), name: CONFIG})
    assert [engine.path for engine in engines] == [path]


def test_a_script_of_an_image_reads_what_is_mounted_beside_it() -> None:
    script = "exec vllm serve org/m --config /app/config.yaml\n"
    files = {
        "start.sh": script,
        "Dockerfile": FROM + "COPY start.sh /app/start.sh\nENTRYPOINT ['/app/start.sh']\n",
        "compose.yaml": "services:\n  s:\n    build: .\n    volumes:\n      - ./config.yaml:/app/config.yaml:ro\n",
        "config.yaml": CONFIG,
    }
    assert ("config.yaml", "swap_space") in places(files)
    assert "start.sh" in [engine.path for engine in effective(files=files)]
    both = {
        **files,
        "more/other.yaml": CONFIG,
        "compose.2.yaml": files["compose.yaml"].replace("./config", "more/other"),
    }
    assert "config.yaml" in [engine.path for engine in effective(files=both)]  # which of the two is not decided


def test_the_last_copy_counts(tmp_path: Path) -> None:
    text = FROM + "COPY a.yaml /x/c.yaml\nCOPY b.yaml /x/c.yaml\nCOPY one two /y/\n"
    document = parse_dockerfile(Source(str(tmp_path / "Dockerfile"), text.encode(), text, False, "\n"))
    assert copied(document) == {"/x/c.yaml": "b.yaml", "/y": "two"}

"""Dockerfiles as carriers of engines: every form in which a container's program is written, and fixes in it."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from tests.dialects.reading import Reading

SERVE = ["vllm", "serve", "a/b", "--max-num-seqs", "64", "--num-scheduler-steps", "1"]
MODULE = [
    "python3",
    "-m",
    "vllm.entrypoints.openai.api_server",
    "--model",
    "a/b",
    "--max-num-seqs",
    "64",
    "--num-scheduler-steps",
    "1",
]
FORMS = {
    "exec": "CMD {list}",
    "exec entrypoint": "ENTRYPOINT {list}",
    "both": "ENTRYPOINT {head}\nCMD {rest}",
    "reset": "ENTRYPOINT []\nCMD {list}",
    "shell": "CMD {text}",
    "shell entrypoint": "ENTRYPOINT {text}\nCMD ignored",
    "exec'd": "CMD exec {text}",
    "lines": "CMD {lines}",
    "a shell's argument": 'ENTRYPOINT ["/bin/sh", "-c"]\nCMD [{quoted}]',
    "written by RUN": "RUN cat <<'EOF' > /s.sh\n{text}\nEOF\nCMD [\"/s.sh\"]",
    "written by COPY": 'COPY <<EOF /s.sh\n#!/bin/sh\n{text}\nEOF\nCMD ["/s.sh"]',
}


def dockerfile(form: str, words: list[str]) -> str:
    text = " ".join(words)
    body = FORMS[form].format(
        list=json.dumps(words),
        head=json.dumps(words[:3]),
        rest=json.dumps(words[3:]),
        text=text,
        lines=text.replace(" --", " \\\n    # of ours\n    --"),
        quoted=json.dumps(text),
    )
    return f"FROM python:3.12\nENV KEPT=1 VLLM_USE_V1=1\nRUN pip install vllm==0.8.5\n{body}\n"


@pytest.mark.parametrize(("form", "words"), list(product(FORMS, (SERVE, MODULE))))
def test_every_form_is_found_and_fixed(form: str, words: list[str], tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"Dockerfile": dockerfile(form, words)})
    assert reading.arrives("0.8.5")["max_num_seqs"] == 64
    assert "multi-step" in reading.names_of()
    reading.fix()
    after = reading.text("Dockerfile")
    assert "num-scheduler-steps" not in after and "64" in after
    assert Reading(tmp_path, {"Dockerfile": after}).arrives("0.18.1")["max_num_seqs"] == 64


@pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.8.5", "vllm/vllm-openai"])
@pytest.mark.parametrize(
    ("body", "seqs"),
    [
        ('ENTRYPOINT []\nCMD ["python3", "-m", "uvicorn", "main:app", "--port", "80"]', None),
        ('ENTRYPOINT [ ]\nCMD ["python3", "serve.py", "--max-num-seqs", "64"]', None),
        ('CMD ["--model", "a/b"]\nENTRYPOINT []\nCMD ["uvicorn", "main:app"]', None),
        ('ENTRYPOINT []\nCMD ["vllm", "serve", "a/b", "--max-num-seqs", "64"]', 64),
        ('CMD ["--model", "a/b", "--max-num-seqs", "64"]', 64),
    ],
)
def test_an_empty_entrypoint_takes_the_images_program_away(
    image: str, body: str, seqs: int | None, tmp_path: Path
) -> None:
    reading = Reading(tmp_path, {"Dockerfile": f"FROM {image}\n{body}\n"})
    assert bool(reading.names_of()) is (seqs is not None)
    if seqs is not None:
        assert reading.arrives("0.8.5")["max_num_seqs"] == seqs


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu", "serve.Dockerfile", "Containerfile", "dockerfile"])
def test_names(name: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {name: dockerfile("exec", SERVE)})
    assert reading.arrives("0.8.5")["max_num_seqs"] == 64


def test_the_images_own_program_and_its_variables(tmp_path: Path) -> None:
    text = 'ARG V=v0.8.5\nFROM vllm/vllm-openai:${V}\nENV VLLM_USE_V1=0\nCMD ["--model", "a/b"]\n'
    reading = Reading(tmp_path, {"Dockerfile": text})
    assert reading.engine.facts["env.VLLM_USE_V1"].value == "0"
    reading.fix()
    after = reading.text("Dockerfile")
    assert "VLLM_USE_V1" not in after and "--no-enable-prefix-caching" in after


def test_a_program_without_arguments_is_completed_elsewhere(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"Dockerfile": 'FROM vllm/vllm-openai:v0.8.5\nENTRYPOINT ["vllm", "serve"]\n'})
    assert reading.engine.origin.missing


@pytest.mark.parametrize(
    "text",
    [
        "FROM vllm/vllm-openai:v0.8.5\nRUN pip install x\n",
        'FROM vllm/vllm-openai:v0.8.5\nENTRYPOINT ["/app/start"]\nCMD ["--model", "a/b"]\n',
        'FROM vllm/vllm-openai:v0.8.5\nENTRYPOINT /app/start\nCMD ["--model", "a/b"]\n',
        'FROM x\n# CMD ["vllm", "serve", "a/b"]\n',
        'FROM x\nLABEL run="vllm serve a/b"\n',
    ],
)
def test_what_starts_no_engine(text: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    from vllm_migrate import lint

    assert not [found for found in lint([str(tmp_path)]).findings if found.code != "VM901"]

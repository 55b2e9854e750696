"""What takes a variable's place is written for every engine that the variable reaches, or the variable stays."""

from __future__ import annotations

import pytest

from vllm_migrate import fix

BACKEND, FLAG = "VLLM_ATTENTION_BACKEND", "--attention-backend FLASHINFER"
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers:
  - name: {name}
    image: vllm/vllm-openai:v0.8.5
    command: [vllm, serve, "{name}"]
    args: [--max-num-seqs, "8"]
    envFrom: [{{configMapRef: {{name: env}}}}]
"""
MAP = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: env}}\ndata:\n  {BACKEND}: FLASHINFER\n  OTHER: a\n"
SERVERS = {
    "exported": {"a.sh": f"export {BACKEND}=FLASHINFER\nvllm serve a\nvllm serve b --port 2\nvllm serve c --port 3\n"},
    "sourced": {
        "env.sh": f"export {BACKEND}=FLASHINFER\n",
        "a.sh": ". ./env.sh\nvllm serve a\n",
        "b.sh": "source env.sh\nvllm serve b\n",
    },
    "one file": {"env.sh": f"export {BACKEND}=FLASHINFER\n", "a.sh": "source env.sh\nvllm serve a\nvllm serve b\n"},
    "in a ConfigMap": {"pods.yaml": f"{MAP}---\n{POD.format(name='a')}---\n{POD.format(name='b')}"},
}


@pytest.mark.parametrize("files", SERVERS.values(), ids=SERVERS)
def test_every_engine_gets_it(files: dict[str, str]) -> None:
    plan = fix(files=files, unsafe=True, from_="0.8.5")
    after = {**files, **plan.texts}
    before = "".join(files.values())
    words = "".join(after.values()).replace(", ", " ").replace('"', "")
    assert words.count(FLAG) == before.count("vllm serve") + before.count("[vllm, serve")
    assert BACKEND not in words
    assert fix(files=after, unsafe=True, from_="0.8.5").texts == {}


def test_one_that_has_its_own_keeps_it() -> None:
    script = f"export {BACKEND}=FLASHINFER\nvllm serve a\nvllm serve b --attention-backend FLASH_ATTN\n"
    text = fix(files={"a.sh": script}, unsafe=True, from_="0.8.5").texts["a.sh"]
    assert text.count("FLASHINFER") == text.count("FLASH_ATTN") == 1


def test_engines_of_a_program() -> None:
    program = f'import os\nos.environ["{BACKEND}"] = "FLASHINFER"\nfrom vllm import LLM\na = LLM("a")\nb = LLM("b")\n'
    text = fix(files={"gen.py": program}, unsafe=True, from_="0.8.5").texts["gen.py"]
    assert text.count('attention_backend="FLASHINFER"') == 2 and BACKEND not in text


@pytest.mark.parametrize("other", ['bash -c "$A vllm serve b"', 'CMD="vllm serve b"\n$CMD'])
def test_where_one_cannot_be_written_the_variable_stays(other: str) -> None:
    script = f"export {BACKEND}=FLASHINFER\nvllm serve a\n{other}\n"
    plan = fix(files={"a.sh": script}, unsafe=True, from_="0.8.5")
    text = plan.texts.get("a.sh", script)
    assert (BACKEND in text) is (text.count(FLAG) < 2)

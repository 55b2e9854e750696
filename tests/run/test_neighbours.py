"""A server is a rollout where a program of the project trains on the logprobs that it asks the server for."""

from __future__ import annotations

import pytest

from vllm_migrate import effective, lint

SERVE = "vllm serve org/m --max-model-len 8192\n"
COMPOSE = "services:\n  rollout:\n    image: vllm/vllm-openai:v0.8.5\n    command: --model org/m\n"
KUBE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: rollout}
spec:
  template:
    spec:
      containers:
        - {name: v, image: "vllm/vllm-openai:v0.8.5", args: ["--model", "org/m"]}
"""
ASKS = [
    "client = openai.OpenAI(base_url=url)\nclient.completions.create(model=m, prompt=p, logprobs=1)\n",
    'requests.post(f"{url}/v1/completions", json={"prompt": p, "logprobs": 0})\n',
    "client.chat.completions.create(model=m, messages=ms, logprobs=True)\n",
]
TRAINS = [
    "advantages = rewards - mean\nloss.backward()\n",
    "loss = grpo(logp, old_logprobs)\naccelerator.backward(loss)\n",
]


def roles(files: dict[str, str], path: str) -> set[str]:
    return {engine.role for engine in effective(path, files={".git/HEAD": "", **files})}


@pytest.mark.parametrize("server", [("serve.sh", SERVE), ("compose.yaml", COMPOSE), ("k8s/rollout.yaml", KUBE)])
@pytest.mark.parametrize("asks", ASKS)
@pytest.mark.parametrize("trains", TRAINS)
def test_a_client_that_trains_makes_a_rollout(server: tuple[str, str], asks: str, trains: str) -> None:
    name, text = server
    assert roles({name: text, "rollout.py": asks, "train.py": trains}, name) == {"rl_rollout"}
    assert roles({name: text, "loop.py": asks + trains}, name) == {"rl_rollout"}
    if "/" not in name:
        assert roles({name: text, "src/rollout.py": asks, "src/train.py": trains}, name) == {"rl_rollout"}


@pytest.mark.parametrize(
    "files",
    [
        {"evaluate.py": ASKS[0]},
        {"train.py": TRAINS[0]},
        {"evaluate.py": ASKS[0], "train.py": "loss = cross_entropy(logits, labels)\nloss.backward()\n"},
        {"eval/evaluate.py": ASKS[0], "trainer/train.py": TRAINS[0]},
        {"chat.py": "client.chat.completions.create(model=m, messages=ms)\n", "train.py": TRAINS[0]},
        {"local.py": "llm.generate(p, SamplingParams(logprobs=1))\n", "train.py": TRAINS[0]},
        {"off.py": "client.chat.completions.create(model=m, logprobs=False)\n", "train.py": TRAINS[0]},
    ],
)
def test_a_server_stays_a_server(files: dict[str, str]) -> None:
    assert roles({"serve.sh": SERVE, **files}, "serve.sh") == {"serving"}


ACTOR = "class Actor:\n    def generate(self, *args, **kwargs):\n        return self.llm.generate(*args, **kwargs)\n"
CALLS = "import ray  # vllm\nout = llm.generate.remote(sampling_params=p, prompt_token_ids=ids)\n"


@pytest.mark.parametrize(
    ("actor", "found"),
    [(ACTOR, 1), (ACTOR.replace("*args, **kwargs", "prompt_token_ids, sampling_params"), 0), ("", 0)],
)
def test_an_actor_that_hands_on_what_it_gets(actor: str, found: int) -> None:
    files = {".git/HEAD": "", "trainer/ray/engine.py": actor, "trainer/ppo/maker.py": CALLS}
    named = [f for f in lint(["trainer/ppo/maker.py"], files=files).findings if f.name == "llm-generate-kwargs"]
    assert len(named) == found


def test_another_project_does_not_count_and_the_configuration_goes_first() -> None:
    loop = ASKS[0] + TRAINS[0]
    other = {"a/serve.sh": SERVE, "a/requirements.txt": "vllm==0.8.5\n", "loop.py": loop}
    assert roles(other, "a/serve.sh") == {"serving"}
    stated = {
        "serve.sh": SERVE,
        "loop.py": loop,
        "vllm-migrate.toml": '[per-file-settings]\n"*.sh" = {role = "eval"}\n',
    }
    assert roles(stated, "serve.sh") == {"eval"}


def test_it_is_said_why_and_in_any_order() -> None:
    files = {".git/HEAD": "", "serve.sh": SERVE, "src/loop.py": ASKS[1] + TRAINS[0]}
    (engine,) = effective("serve.sh", files=files)
    assert "src/loop.py asks a server for logprobs and trains" in str(engine)
    one, two = (lint(paths, files=files) for paths in (("serve.sh", "src/loop.py"), ("src/loop.py", "serve.sh")))
    assert [(f.code, f.place) for f in one.findings] == [(f.code, f.place) for f in two.findings]
    assert any(f.engine and f.engine.role == "rl_rollout" for f in one.findings)


INSIDE = """\
from vllm import LLM
def sync(llm, weights):
    llm.llm_engine.model_executor.driver_worker.model_runner.model.load_weights(weights)
"""


@pytest.mark.parametrize(
    "engine",
    [
        'llm = LLM(model="m", distributed_executor_backend="external_launcher")\n',
        'kwargs["distributed_executor_backend"] = "external_launcher"\n',
        'os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"\n',
    ],
)
def test_an_engine_that_the_package_keeps_in_its_process(engine: str) -> None:
    def found(path: str) -> list[str]:
        files = {".git/HEAD": "", "p/workers/sharding/sync.py": INSIDE, path: engine}
        return [f.code for f in lint("p/workers/sharding/sync.py", files=files, from_="0.8.5", to="0.18.1").findings]

    assert "VM707" not in found("p/workers/rollout/engine.py")
    assert "VM707" not in found("p/workers/sharding/engine.py")
    assert "VM707" in found("other/engine.py")
    assert "VM707" in found("p/workers/rollout/notes.txt")

"""What verify says of real engines is what they have: servers, logs and records of 0.8.5 and 0.18.1 on CPU."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.real.oracles.serving import FORCED, serving
from vllm_migrate.run.settings import Options
from vllm_migrate.verify import log, record, server
from vllm_migrate.verify.check import Sources, verify
from vllm_migrate.verify.compare import alike
from vllm_migrate.verify.model import Running, Verified

RELEASES = ("0.8.5", "0.18.1")
SERVE = "model: {model}\nmax-model-len: 512\ndtype: float32\nseed: 3\nenforce-eager: true\nenable-prefix-caching: false\nmax-num-seqs: 16\n"
# What another person changed on the way: a wrapper's flag, and a variable of the job.
PLANTED = ["--max-num-batched-tokens", "1024"]
VARIABLE = {"VLLM_IMAGE_FETCH_TIMEOUT": "3"}


class Started(NamedTuple):
    """A server with its configuration file, and where it logs and records."""

    url: str
    config: str
    log: str
    record: str


@pytest.fixture(scope="module", params=RELEASES)
def started(
    request: pytest.FixtureRequest,
    vllm_pythons: dict[str, str],
    tiny_model: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Started]:
    """`vllm serve --config` of a release, with the planted flag and variable, in development mode and recorded."""
    folder = tmp_path_factory.mktemp("serve")
    model = folder / "model"
    shutil.copytree(tiny_model, model)
    tokenizer = model / "tokenizer_config.json"
    tokenizer.write_text(
        json.dumps({**json.loads(tokenizer.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"})
    )
    config = folder / "serve.yaml"
    config.write_text(SERVE.format(model=model))
    words = ["--config", str(config), *PLANTED]
    try:
        with serving(vllm_pythons[request.param], request.param, words, VARIABLE, folder) as served:
            yield Started(served.url, str(config), served.log, served.record)
    except RuntimeError as error:
        pytest.fail(str(error))


def reported(source: Running) -> dict[str, Any]:
    return {name: one.value for name, one in source.reported.items() if not name.startswith("env.")}


def test_every_value_told_is_the_engines_own(started: Started) -> None:
    (own,) = record.running(started.record)
    truth = reported(own)
    with open(started.log, errors="replace") as lines:
        sources = [server.running(started.url), log.running(lines, started.log)]
    for source in sources:
        assert source.release == own.release
        common = {name: value for name, value in reported(source).items() if name in truth}
        wrong = {n: (v, truth[n]) for n, v in common.items() if not (alike(v, truth[n]) and alike(truth[n], v))}
        assert wrong == {} and len(common) >= 20


def compared(started: Started, **source: Any) -> Verified:
    found = verify(Options((started.config,), gpu="h100"), Sources(**source))
    return found[0]


@pytest.mark.parametrize("source", ["server", "log", "record"])
def test_planted_differences_are_named(started: Started, source: str) -> None:
    asked = {"server": {"server": started.url}, "log": {"log": started.log}, "record": {"record": started.record}}[
        source
    ]
    found = compared(started, **asked)
    differing = {one.option: one.running for one in found.differing if one.option not in FORCED}
    tokens = next(one for one in found.settings if one.option == "max_num_batched_tokens")
    if tokens.running is not None:  # 0.8.5's server prints no token budget
        assert differing.pop("max_num_batched_tokens") == 1024
    else:
        assert (source, found.release) == ("server", "0.8.5")
    variable = differing.pop("env.VLLM_IMAGE_FETCH_TIMEOUT", None)
    reported_there = source == "record" or (source == "server" and found.release != "0.8.5")
    assert (str(variable) == "3") is reported_there
    assert differing == {}
    caching = next(one for one in found.settings if one.option == "enable_prefix_caching")
    if found.release != "0.8.5":  # V0 has it off by itself
        assert caching.running is True and "VM301" in caching.confirms


def test_an_interpreter_makes_the_same(started: Started, vllm_pythons: dict[str, str]) -> None:
    (own,) = record.running(started.record)
    found = compared(started, python=vllm_pythons[own.release])
    assert found.release == own.release
    assert {one.option for one in found.differing if not one.option.startswith("env.")} <= {
        *FORCED,
        "max_num_batched_tokens",  # a CPU's
    }
    assert sum(one.verdict == "same" for one in found.settings) >= 8

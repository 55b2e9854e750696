"""Where no place pins a release, what is written for an engine shows which vLLM it needs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from vllm_migrate import lint
from vllm_migrate.catalog.store import load
from vllm_migrate.dialects.situation import SOURCE, TARGET

CATALOG = load()
NEWEST = CATALOG.releases[-1]


def releases(files: dict[str, str], path: str = "", **options: str) -> set[tuple[str, str]]:
    report = lint(path or (), files={".git/HEAD": "", **files}, **options)
    return {(project.source, project.target) for project in report.projects}


def later(release: str, other: str) -> str:
    return max(release, other, key=CATALOG.ordinal)


def flags() -> list[tuple[str, str, list[str], bool]]:
    """Options of the newest release that are newer than the default source: the flag, the release it is new in, a value that this
    release takes, and whether it is an argument of the engine."""
    out = []
    for name, flag in CATALOG.flags(NEWEST).items():
        entries = (("engine", flag.dest), ("llm", flag.dest), ("cli", name), ("frontend", name))
        lives = [life for section, key in entries if (life := CATALOG.life(section, key))]
        if name != "--" + flag.dest.replace("_", "-") or not lives:
            continue
        first = min((life[0][0] for life in lives), key=CATALOG.ordinal)
        known = CATALOG.flags(first).get(name)
        if CATALOG.ordinal(first) <= CATALOG.ordinal(SOURCE) or known is None:
            continue
        choices = [choice for choice in known.choices or () if choice is not None]
        value = (
            [] if not known.takes_value else [str(choices[0])] if choices else ["1"] if known.type == "int" else None
        )
        if value is not None and name != "--all2all-backend":  # its first value is one that a fix sets
            out.append((name, first, value, flag.dest in CATALOG.names("engine", first)))
    return out


FLAGS = flags()


def test_many_options_are_newer_than_the_default_source() -> None:
    assert len(FLAGS) > 80
    assert len({first for _, first, _, _ in FLAGS}) > 15


def sh(flag: str, value: list[str]) -> dict[str, str]:
    return {"serve.sh": f"vllm serve org/m {flag} {' '.join(value)}\n"}


def module(flag: str, value: list[str]) -> dict[str, str]:
    return {"serve.sh": f"python -m vllm.entrypoints.openai.api_server --model org/m {flag} {' '.join(value)}\n"}


def compose(flag: str, value: list[str]) -> dict[str, str]:
    command = json.dumps(["--model", "org/m", flag, *value])
    return {"compose.yaml": f"services:\n  a:\n    image: vllm/vllm-openai:latest\n    command: {command}\n"}


def pod(flag: str, value: list[str]) -> dict[str, str]:
    args = json.dumps(["serve", "org/m", flag, *value])
    spec = f"spec:\n  containers:\n  - name: v\n    image: vllm/vllm-openai:latest\n    command: [vllm]\n    args: {args}\n"
    return {"pod.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: v}}\n{spec}"}


def served(flag: str, value: list[str]) -> dict[str, str]:
    text = f"model: org/m\ntensor-parallel-size: 2\nmax-num-seqs: 8\n{flag[2:]}: {value[0] if value else 'true'}\n"
    return {"serve.yaml": text}


def code(flag: str, value: list[str]) -> dict[str, str]:
    shown = "True" if not value else value[0] if value[0].isdigit() else repr(value[0])
    return {
        "a.py": f"from vllm import AsyncEngineArgs\nargs = AsyncEngineArgs('org/m', {flag[2:].replace('-', '_')}={shown})\n"
    }


def list_of_arguments(flag: str, value: list[str]) -> dict[str, str]:
    return {"a.py": f"import subprocess\nsubprocess.run({['vllm', 'serve', 'org/m', flag, *value]!r})\n"}


FORMS = (sh, module, compose, pod, served, code, list_of_arguments)


@pytest.mark.parametrize("number", range(16))
@pytest.mark.parametrize("form", FORMS)
def test_an_option_shows_the_release_that_has_it(form: Callable[[str, list[str]], dict[str, str]], number: int) -> None:
    for name, first, value, of_engine in FLAGS[number + FORMS.index(form) :: 16]:
        refused = first == "0.9.0" and form in (module, compose, served)  # --model is short for two options there
        if (of_engine or form is not code) and not refused:
            assert releases(form(name, value)) == {(first, later(first, TARGET))}, name


SERVE = "vllm serve org/m {}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # a key inside an option, by each of its spellings
        ('--speculative-config \'{"method": "ngram", "attention_backend": "FLASH_ATTN"}\'', "0.21.0"),
        ("--speculative-config.attention_backend FLASH_ATTN", "0.21.0"),
        ("--attention-config.indexer_kv_dtype fp8", "0.24.0"),
        ('-cc \'{"pass_config": {"fuse_norm_quant": true}}\'', "0.12.0"),
        ("-cc.pass_config.fuse_norm_quant true", "0.12.0"),
        # a value that an older option takes later
        ("--kv-cache-dtype fp8_ds_mla", "0.11.1"),
        # the newest of several
        ("--async-scheduling --attention-backend FLASHINFER --enable-flashinfer-autotune", "0.16.0"),
        # a flag that is switched off, where no fix writes it
        ("--no-enable-log-outputs", "0.10.1"),
    ],
)
def test_keys_and_values_show_it_too(text: str, shown: str) -> None:
    assert releases({"serve.sh": SERVE.format(text)}) == {(shown, later(shown, TARGET))}


def test_a_variable_shows_it() -> None:
    firsts = {}
    for name in CATALOG.all_names("env"):
        lives = [life for section in ("env", "env_other") if (life := CATALOG.life(section, name))]
        firsts[name] = min((life[0][0] for life in lives), key=CATALOG.ordinal)
    newer = [
        (n, first)
        for n, first in firsts.items()
        if n[:5] == "VLLM_" and CATALOG.ordinal(first) > CATALOG.ordinal(SOURCE)
    ]
    assert len(newer) > 200
    for name, first in newer[::25]:
        assert releases({"serve.sh": f"export {name}=1\nvllm serve org/m\n"}) == {(first, later(first, TARGET))}, name


def test_why_names_the_key_and_the_place() -> None:
    files = {"a/serve.sh": "\n" + SERVE.format("--linear-backend cutlass")}
    (project,) = lint(files={".git/HEAD": "", **files}).projects
    assert project.why == "the oldest that a/serve.sh:2 allows (--linear-backend, new in 0.22.0)"
    assert project.target_why == "its own options need more than 0.18.1"


def test_a_stated_target_stays() -> None:
    files = {"serve.sh": SERVE.format("--linear-backend cutlass")}
    assert releases(files, to="0.18.1") == {("0.8.5", "0.18.1")}
    assert releases(files, to="0.22.0") == {("0.22.0", "0.22.0")}
    assert releases(files, to="0.33.0") == {("0.22.0", "0.33.0")}
    assert releases(files, from_="0.8.5") == {("0.8.5", "0.18.1")}
    report = lint(files={".git/HEAD": "", **files}, to="0.18.1")
    assert "VM209" in {finding.code for finding in report.findings}
    assert releases({**files, "vllm-migrate.toml": 'to = "0.18.1"\n'}) == {("0.8.5", "0.18.1")}


def test_engines_of_one_file_run_on_one_vllm() -> None:
    new, plain = SERVE.format("--linear-backend cutlass"), SERVE.format("")
    assert releases({"a.sh": new + plain}) == releases({"a.sh": plain + new}) == {("0.22.0", "0.22.0")}
    assert releases({"a.sh": new, "b.sh": plain}) == {("0.22.0", "0.22.0"), ("0.8.5", "0.18.1")}


def test_services_of_one_image_run_on_one_vllm() -> None:
    service = "  {}:\n    image: ${{VLLM_IMAGE:-own:local}}\n    command: vllm serve m {}\n"
    files = {"compose.yaml": "services:\n" + service.format("a", "--linear-backend cutlass") + service.format("b", "")}
    assert releases(files) == {("0.22.0", "0.22.0")}
    pinned = service.format("b", "").replace("${VLLM_IMAGE:-own:local}", "vllm/vllm-openai:v0.10.2")
    files = {"compose.yaml": "services:\n" + service.format("a", "--linear-backend cutlass") + pinned}
    assert ("0.10.2", "0.18.1") in releases(files)


def test_the_first_list_of_values_says_nothing_of_their_age() -> None:
    """0.10.0 alone lists the parsers; before and after, any name of a registered one is taken."""
    assert releases({"a.sh": SERVE.format("--tool-call-parser hermes")}) == {("0.8.5", "0.18.1")}
    assert releases({"a.sh": SERVE.format("--reasoning-parser glm45")}) == {("0.10.1", "0.18.1")}


def test_bounds_of_the_project_hold() -> None:
    files = {"serve.sh": SERVE.format("--attention-backend FLEX_ATTENTION")}
    assert releases({**files, "requirements.txt": "vllm>=0.15.0\n"}) == {("0.15.0", "0.18.1")}
    assert releases({**files, "requirements.txt": "vllm>=0.9.0\n"}) == {("0.13.0", "0.18.1")}
    assert releases({**files, "requirements.txt": "vllm>=0.9.0,<0.12\n"}) == {("0.9.0", "0.18.1")}
    assert releases({**files, "requirements.txt": "vllm==0.9.2\n"}) == {("0.9.2", "0.18.1")}


@pytest.mark.parametrize(
    "text",
    [
        # in the default source, or in no release
        "--max-model-len 8192 --no-enable-prefix-caching --kv-cache-dtype fp8",
        "--no-such-option 3",
        "--speculative-config.no_such_key 3",
        # one went before the other came
        "--linear-backend cutlass --swap-space 4",
        "--linear-backend cutlass --disable-log-requests",
        # what fixes write, with their values: the file may be fixed, and not yet moved
        "--no-async-scheduling --logprobs-mode processed_logprobs",
        "--attention-backend FLASHINFER --runner pooling",
        # of a plugin
        "--tool-parser-plugin p.py --tool-call-parser glm45",
    ],
)
def test_what_shows_nothing(text: str) -> None:
    assert releases({"serve.sh": SERVE.format(text)}) == {("0.8.5", "0.18.1")}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from vllm import LLM\nLLM('org/m', attention_config={'backend': 'FLASHINFER'})\n", "0.13.0"),
        ("from vllm import LLM, SamplingParams\nLLM('org/m')\nSamplingParams(structured_outputs=None)\n", "0.11.0"),
        (
            "from vllm import LLM\nfrom vllm.utils.argparse_utils import FlexibleArgumentParser\nLLM('org/m')\n",
            "0.11.1",
        ),
        # what runs at newer releases alone
        (
            "import vllm\nfrom packaging.version import Version\nfrom vllm import LLM\n"
            "if Version(vllm.__version__) >= Version('0.13.0'):\n    llm = LLM('org/m', attention_config={})\n"
            "else:\n    llm = LLM('org/m')\n",
            "",
        ),
        (
            "from vllm import LLM\ntry:\n    from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
            "except ImportError:\n    pass\nLLM('org/m')\n",
            "",
        ),
        (
            "from vllm import LLM\ndef f():\n    from vllm.utils.argparse_utils import FlexibleArgumentParser\nLLM('org/m')\n",
            "",
        ),
    ],
)
def test_a_program_shows_it_where_it_cannot_run_before(text: str, shown: str) -> None:
    assert releases({"a.py": text}) == {(shown or SOURCE, later(shown or SOURCE, TARGET))}


def test_a_frameworks_own_keys_show_nothing_and_what_it_hands_on_does() -> None:
    own = "actor_rollout_ref:\n  rollout:\n    name: vllm\n    logprobs_mode: raw_logits\n"
    handed_on = own + "    engine_kwargs:\n      vllm:\n        attention_backend: FLEX_ATTENTION\n"
    assert releases({"run.yaml": own}) == {("0.8.5", "0.18.1")}
    assert releases({"run.yaml": handed_on}) == {("0.13.0", "0.18.1")}


@pytest.mark.parametrize(
    ("value", "release"),
    [("dflash", "0.20.0"), ("ngram", "0.8.5"), ("no-such-method", "0.8.5"), ("suffix", "0.11.1")],
)
def test_a_value_inside_a_mapping_that_a_release_brought(value: str, release: str) -> None:
    from vllm_migrate import effective

    spec = f'{{"method": "{value}", "num_speculative_tokens": 3, "model": "a/b"}}'
    script = f"vllm serve m --speculative-config '{spec}'\n"
    (engine,) = effective(files={"serve.sh": script})
    assert engine.situation.source.value == release
    (engine,) = effective(files={"serve.sh": script, "requirements.txt": "vllm==0.15.0\n"})
    assert engine.situation.source.value == "0.15.0"  # what a file pins counts more

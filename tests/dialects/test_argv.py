"""Our simulation of the parser says what the releases' own parsers said (tests/real/serve_config_spellings.json)."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.reading import Reading
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects import argv
from vllm_migrate.dialects.commands import engines_of_script
from vllm_migrate.dialects.deliver import Delivery, deliver
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.load import load as load_knowledge

RELEASES = ("0.8.5", "0.18.1")
TABLE = Path(__file__).parents[1] / "real" / "serve_config_spellings.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
CATALOG = load_catalog()
SHELL = [dialect for dialect in load_knowledge().dialects if dialect.id == "vllm-argv"]

# What no parser decides: (why, the error of the real program). A line that matches no case must go.
ELSEWHERE = [
    ("a file that is no mapping, or that YAML refuses", r"has no attribute 'items'|(Composer|Constructor)Error"),
    ("whether a file is there shows when the server starts", r"FileNotFoundError|chat template string"),
    ("a check of options against each other, after parsing", r"^TypeError: Error: --enable-[\w-]+ requires"),
]


def delivered(case: dict[str, Any], release: str) -> Delivery:
    """What the command of a case delivers, read from a script as a user would write it."""
    program = "python -m vllm.entrypoints.openai.api_server" if case.get("entry") == "api_server" else "vllm"
    settings = [f"{name}={value}" for name, value in case.get("env", {}).items()]
    line = " ".join([*settings, program, *map(shlex.quote, case["argv"])])
    workspace = Workspace(["run.sh"], {**case.get("files", {}), "run.sh": line + "\n"})
    file = workspace.load("run.sh")
    assert file is not None
    (engine,) = engines_of_script(file, SHELL, CATALOG, workspace)
    return deliver(engine, CATALOG, release)


def outcome(case: dict[str, Any], release: str) -> dict[str, object] | None:
    """{option: value} that arrives; None: the program ends."""
    delivery = delivered(case, release)
    if any(diagnostic.kind not in ("dropped", "ignored", "lost") for diagnostic in delivery.diagnostics):
        return None
    found = {option: arrived.value for option, arrived in delivery.values.items() if arrived.written is not None}
    if found.get("model") == "m":
        del found["model"]  # the table leaves it out
    found.pop("config", None)  # the file is read, or --config=F is stored, and nothing follows from it
    return found


def expected(case: dict[str, Any], release: str) -> dict[str, object] | None:
    real = case[release]
    if "given" not in real:
        return None
    found = {key: value for key, value in real["given"].items() if key not in ("config", "model_tag")}
    if "model_tag" in real["given"] and case.get("entry") != "api_server":  # which never reads it
        found["model"] = real["given"]["model_tag"]
    return found


def agrees(got: dict[str, object] | None, real: dict[str, object] | None, release: str) -> bool:
    if got is None or real is None:
        return got is real
    return set(got) == set(real) and all(alike(got[key], real[key], release) for key in got)


def alike(simulated: object, real: object, release: str) -> bool:
    """Equal, types and all; of a configuration object every field that it changes."""
    if isinstance(real, dict) and "__class__" in real:
        assert isinstance(simulated, dict)
        return all(field(real["__class__"], k, simulated.get(k), v, release) for k, v in real.items() if k[0] != "_")
    if isinstance(real, list) and isinstance(simulated, list):
        return len(real) == len(simulated) and all(alike(a, b, release) for a, b in zip(simulated, real, strict=True))
    return simulated == real and type(simulated) is type(real)


def field(cls: str, name: str, simulated: object, real: object, release: str) -> bool:
    if simulated == real:
        return True
    # An enumeration's name stands for its value.
    facts = CATALOG.get("config", f"{cls}.{name}", release)
    return facts is not None and real in (facts.choices or ()) and isinstance(simulated, str)


@pytest.mark.parametrize("release", RELEASES)
def test_every_spelling(release: str) -> None:
    differing = []
    seen = set()
    for case in CASES:
        why = next((w for w, error in ELSEWHERE if re.search(error, case[release].get("error", ""))), None)
        if why is not None:
            seen.add(why)
            continue
        got, real = outcome(case, release), expected(case, release)
        if not agrees(got, real, release):
            differing.append((case["argv"], case.get("files"), got, case[release]))
    assert differing == []
    assert seen == {why for why, _ in ELSEWHERE}


def parsed(*words: str | Unknown, release: str = "0.18.1", entry: str = "serve") -> argv.Parsed:
    return argv.parse([argv.Token(word, i) for i, word in enumerate(words)], CATALOG, release, entry)


def values(*words: str | Unknown, release: str = "0.18.1") -> dict[str, object]:
    result = parsed("m", *words, release=release)
    assert result.refusals == [] and result.positional == []
    return {arrival.dest: arrival.value for arrival in result.arrivals if arrival.dest != "model"}


def test_a_refusal_names_its_setting_and_what_it_may_have_meant() -> None:
    (refusal,) = parsed("m", "--seed", "1", "--max-num", "8").refusals
    assert (refusal.kind, refusal.source) == ("ambiguous", 3)
    assert refusal.candidates[:2] == ("--max-num-batched-tokens", "--max-num-partial-prefills")


def test_kinds_of_refusals() -> None:
    wrong = {
        "--no-such": "unknown",
        "--max-num": "ambiguous",
        "--seed=x": "value",
        "--enable-prefix-caching=False": "value",
        "--logprobs-mode=processed": "choice",
        "--seed": "missing",
        "--help": "refused",
    }
    assert {word: parsed("m", word).refusals[0].kind for word in wrong} == wrong


def test_what_a_variable_holds_is_not_guessed() -> None:
    unknown = Unknown("$X")
    assert values("--seed", unknown) == {"seed": unknown}
    assert values("--logprobs-mode", unknown) == {"logprobs_mode": unknown}
    assert values("--hf-overrides.a", unknown) == {"hf_overrides": {"a": unknown}}
    # It may stand for nothing, for options, or for the model.
    assert parsed(Unknown("$ARGS"), "m").positional == []
    assert parsed("m", "--enforce-eager", Unknown("$ARGS")).positional == []


def test_joined_keys_name_all_settings_that_gave_them() -> None:
    result = parsed("m", "--hf-overrides.a", "1", "--seed", "2", "--hf-overrides.b", "2")
    both = [(a.source, a.value) for a in result.arrivals if a.dest == "hf_overrides"]
    assert both == [(1, {"a": 1, "b": 2}), (5, {"a": 1, "b": 2})]


def test_dashes_alone_end_the_options() -> None:
    assert parsed("--seed", "1", "--", "m").arrivals[-1].value == "m"


def test_an_option_whose_value_is_filled_in_later_is_an_option(tmp_path: Path) -> None:
    script = "vllm serve org/m --port 8000 --served-model-name=$NAME --max-num-seqs=64\n"
    reading = Reading(tmp_path, {"serve.sh": script})
    assert [written.key for written in reading.engine.options] == [
        "",
        "--port",
        "--served-model-name",
        "--max-num-seqs",
    ]
    assert reading.arrives("0.18.1")["max_num_seqs"] == 64
    assert not reading.diagnostics("0.18.1")


CARRIED = [
    'srun bash -lc "vllm serve $MODEL --max-num-seqs 8"',
    "ssh node1 'vllm serve org/m --max-num-seqs 8'",
    "docker run -e A=1 --entrypoint bash vllm/vllm-openai:v0.8.5 -c 'vllm serve org/m --max-num-seqs 8'",
    "docker run vllm/vllm-openai:v0.8.5 bash -c 'vllm serve org/m --max-num-seqs 8'",
    "docker run --entrypoint vllm vllm/vllm-openai:v0.8.5 serve org/m --max-num-seqs 8",
    "cat > run.sh <<EOF\nvllm serve org/m --max-num-seqs 8\nEOF",
    "sbatch --wrap='vllm serve org/m --max-num-seqs 8'",
]


@pytest.mark.parametrize("line", CARRIED)
def test_a_command_in_a_string_of_a_script_is_read_and_fixed(line: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": f"export VLLM_USE_V1=1\nMODEL=org/m\n{line}\n"})
    assert reading.arrives("0.18.1")["max_num_seqs"] in (8, "8")
    assert reading.fix().applied
    text = reading.text("run.sh")
    assert "--no-async-scheduling" in text[text.index("--max-num-seqs 8") :]


@pytest.mark.parametrize(("line", "core"), [("bash -c 'vllm serve org/m'", "0"), ("ssh node 'vllm serve org/m'", None)])
def test_exports_reach_a_shell_of_this_machine_only(line: str, core: str | None, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": f"export VLLM_USE_V1=0\n{line}\n"})
    given = reading.engine.facts.get("env.VLLM_USE_V1")
    assert (given.value if given else None) == core


def test_an_image_that_runs_another_program_is_no_engine(tmp_path: Path) -> None:
    script = "docker run --entrypoint python3 vllm/vllm-openai:v0.8.5 bench.py --model org/m\n"
    assert not Reading(tmp_path, {"run.sh": script}).engines


@pytest.mark.parametrize(
    "model",
    ['"$M"', "$M", "${M}", '"${M:-a/b}"', "${M:-a/b}", '"$1"', "$(cat m)", '"$DIR/m"', "--model $M", '--model "$M"'],
)
@pytest.mark.parametrize(
    "flag", ["--enable-chunked-prefill true", "--enable-chunked-prefill=true", "--enable-chunked-prefill False"]
)
def test_a_model_in_a_variable_leaves_no_place_for_a_stray_word(model: str, flag: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": f"vllm serve {model} {flag}\n"})
    assert "bool-cli-value" in reading.names_of()


@pytest.mark.parametrize("words", ['"$@"', '"${ARGS[@]}"', "$M $X", '"$M" "$X"', "--seed 1 $X"])
def test_a_stray_word_may_belong_to_what_a_variable_holds(words: str, tmp_path: Path) -> None:
    assert (
        "bool-cli-value"
        not in Reading(tmp_path, {"run.sh": f"vllm serve {words} --enable-chunked-prefill true\n"}).names_of()
    )

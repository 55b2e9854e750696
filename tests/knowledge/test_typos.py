"""Typing errors in rules/ are refused when it is compiled, with the file, the line, the field and what was meant."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge.build import RulesFolder, rules_folder
from vllm_migrate.knowledge.models import DIALECT, RULE
from vllm_migrate.knowledge.source import RuleSource

RULES = rules_folder()
RULE_FILES = sorted(RULES.glob("*.yaml"))
DIALECT_FILES = sorted((RULES / "dialects").glob("*.yaml"))

# A field that holds the author's own words as keys: they cannot be misspelt.
OPEN = {"files", "fork", "define", "facts", "keys", "absolute", "dead", "requires", "reads", "where", "document"}
OPEN |= {"defaults", "unset", "options", "shows", "to", "value"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of rules/ without its rules."""
    target = tmp_path / "rules"
    target.mkdir()
    for name in ("dialects", "effective", "predicates"):
        shutil.copytree(RULES / name, target / name)
    return target


def refused(folder: Path) -> str:
    with pytest.raises(VllmMigrateError) as error:
        RulesFolder(folder).compile()
    return error.value.message


# -- every field, misspelt by one letter


def misspelt(name: str) -> str:
    return name[:-2] + name[-1] + name[-2] if len(name) > 2 and name[-1] != name[-2] else name + "x"


def fields(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every field of a file."""
    if isinstance(node, dict):
        for key, value in node.items():
            # `values` of a key are what the framework writes; those of a transport are kinds of values.
            inside_open = bool(path) and (
                path[-1] in OPEN or (path[-1] == "values" and path[0] in ("keys", "absolute"))
            )
            if not inside_open:
                yield (*path, key)
            if not (inside_open and path[-1] in ("files", "fork", "options", "to", "value")):
                yield from fields(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from fields(value, (*path, number))


def changed(data: Any, path: tuple[str | int, ...], name: str) -> Any:
    """The data with the field at a path under another name."""
    head, *rest = path
    if rest:
        if isinstance(data, list):
            return [changed(v, tuple(rest), name) if i == head else v for i, v in enumerate(data)]
        return {k: changed(v, tuple(rest), name) if k == head else v for k, v in data.items()}
    return {name if key == head else key: value for key, value in data.items()}


@pytest.mark.parametrize("path", [*RULE_FILES, *DIALECT_FILES], ids=lambda path: path.stem)
def test_every_misspelt_field_is_refused_at_its_place(path: Path) -> None:
    source = RuleSource(path, RULES)
    if isinstance(source.data, dict) and "extends" in source.data:
        source.data = {**RuleSource(RULES / "dialects" / f"{source.data['extends']}.yaml", RULES).data, **source.data}
    model = DIALECT if path.parent.name == "dialects" else RULE
    source.check(model, source.data)
    # Of a list each field once: its items are alike.
    once = {tuple(step for step in field if isinstance(step, str)): field for field in fields(source.data)}
    for field in once.values():
        wrong = misspelt(str(field[-1]))
        with pytest.raises(VllmMigrateError) as error:
            source.check(model, changed(source.data, field, wrong))
        lines = error.value.message.splitlines()
        place = rf"rules/[\w/.-]+:\d+: \S*\b{re.escape(wrong)}: "
        assert any(re.match(place, line) for line in lines), (field, lines)
        assert any("(did you mean " in line for line in lines if f"{wrong}: " in line), (field, lines)


# -- named ones, through the whole build

Edit = tuple[str, str, str, str]
D = "dialects/"
TYPOS: list[Edit] = [
    (
        D + "verl.yaml",
        "kind: kwargs, none: omit",
        "kind: clii, none: omit",
        "transport[0].kind: 'clii' is not one of kwargs, cli (did you mean 'cli'?)",
    ),
    (
        D + "verl.yaml",
        "value: true, hard: true",
        "value: true, hrad: true",
        "passes[0].hrad: no such field (did you mean 'hard'?)",
    ),
    (D + "open-instruct.yaml", "hard: true", "haard: true", "passes[2].haard: no such field (did you mean 'hard'?)"),
    (D + "skyrl.yaml", "hard: true", "herd: true", ".herd: no such field (did you mean 'hard'?)"),
    (
        D + "verl.yaml",
        "duplicate: crash",
        "duplicate: crsh",
        "transport[0].duplicate: 'crsh' is not one of crash (did you mean 'crash'?)",
    ),
    (
        D + "verl.yaml",
        "none: omit",
        "none: omits",
        "transport[0].none: 'omits' is not one of omit (did you mean 'omit'?)",
    ),
    (D + "verl.yaml", "true: flag, false:", "true: flg, false:", "'flg' is not one of flag, no-flag"),
    (
        D + "verl.yaml",
        "true: flag, false:",
        "treu: flag, false:",
        "transport[1].values.treu: 'treu' is not one of true, false",
    ),
    (
        D + "verl.yaml",
        "compose: hydra",
        "compose: hidra",
        "compose: 'hidra' is not one of none, hydra, parent_files, ordered_files (did you mean 'hydra'?)",
    ),
    (D + "verl.yaml", "carriers: [yaml, shell]", "carriers: [yml, shell]", "carriers[0]: 'yml' is not one of"),
    (
        D + "verl.yaml",
        "  - role: judge",
        "  - role: juge",
        "'juge' is not one of rl_rollout, reference, judge, teacher, serving, eval, pooling (did you mean 'judge'?)",
    ),
    (D + "verl.yaml", "entrypoint: async_llm", "entrypoint: asyncllm", "'asyncllm' is not one of"),
    (D + "verl.yaml", 'prefix: "++"', 'prefix: "+++"', "prefix: '+++' is not one of"),
    (
        D + "verl.yaml",
        "verified: executed",
        "verified: excuted",
        "verified: 'excuted' is not one of source, executed (did you mean 'executed'?)",
    ),
    (D + "verl.yaml", "fw('<0.4.0')", "fw('<0.4.x')", "fw('<0.4.x'): not a framework's release"),
    (D + "verl.yaml", "fw('<0.4.0')", "fv('<0.4.0')", "no such function: fv (did you mean 'fw'?)"),
    (D + "verl.yaml", "fw('<0.4.0')", "fw('<0.4.0', 1)", "fw takes (specifier)"),
    (D + "verl.yaml", "fw('<0.4.0')", "since('0.10.0')", "since cannot be asked in a dialect"),
    (
        D + "verl.yaml",
        "carried == 'cli' and parallel == True",
        "carred == 'cli' and parallel == True",
        "no such name: carred (did you mean 'carried'?)",
    ),
    (
        D + "verl.yaml",
        "role != 'rl_rollout'\"",
        "role != 'rl_rolout'\"",
        "never 'rl_rolout': it is one of 'rl_rollout', 'reference'",
    ),
    (
        D + "verl.yaml",
        "rl.pauses: true",
        "rl.pausse: true",
        "facts.rl.pausse: no such fact (did you mean 'rl.pauses'?)",
    ),
    (
        D + "verl.yaml",
        "tensor_model_parallel_size: tensor_parallel_size",
        "tensor_model_parallel_size: tensor_paralel_size",
        "keys.tensor_model_parallel_size.to: no option 'tensor_paralel_size' (did you mean 'tensor_parallel_size'?)",
    ),
    (D + "verl.yaml", "{option: dtype, value", "{option: dtpye, value", "no option 'dtpye' (did you mean 'dtype'?)"),
    (D + "verl.yaml", 'key: "{typed}"', 'key: "{tpyed}"', "no placeholder {tpyed} (did you mean 'typed'?)"),
    (
        D + "verl.yaml",
        "no_{option}=True",
        "no_{optoin}=True",
        "switch_off: no placeholder {optoin} (did you mean 'option'?)",
    ),
    (
        D + "verl.yaml",
        'when: "value == False and',
        'when: "valeu == False and',
        "pins[0].when: no such name: valeu (did you mean 'value'?)",
    ),
    (
        D + "verl.yaml",
        "sampling: {via: explicit",
        "sampling: {via: explict",
        "sampling.via: 'explict' is not one of explicit, http, request (did you mean 'explicit'?)",
    ),
    (D + "verl.yaml", '0.9.0: ">=0.18.0"', '0.9.0: ">=0.18.0a"', "requires.0.9.0: '>=0.18.0a' is no range of releases"),
    (D + "verl.yaml", "pins:\n", "pines:\n", "pines: no such field (did you mean 'pins'?)"),
    (
        D + "openrlhf.yaml",
        "booleans: present",
        "booleans: presnt",
        "flags.booleans: 'presnt' is not one of present, literal (did you mean 'present'?)",
    ),
    (
        D + "prime-rl.yaml",
        "pin_file: root",
        "pin_file: rot",
        "pin_file: 'rot' is not one of own, root (did you mean 'root'?)",
    ),
    (D + "prime-rl.yaml", "lenient: true", "lenient: ture", "transport[0].lenient: "),
    (D + "rllm.yaml", "extends: verl", "extends: verll", "extends: there is no dialect verll (did you mean 'verl'?)"),
    (
        D + "vllm-python.yaml",
        "rollout_uses: [pause, weight-update]",
        "rollout_uses: [puase, weight-update]",
        "rollout_uses[0]: no use 'puase' (did you mean 'pause'?)",
    ),
    (D + "vllm-argv.yaml", "vllm('0.28.0')", "vllm('0.28.99')", "vllm('0.28.99'): not a release of vLLM"),
    (
        "effective/engine.yaml",
        "since('0.11.0')\", value: v1",
        "sicne('0.11.0')\", value: v1",
        "fixed[0].when: no such function: sicne (did you mean 'since'?)",
    ),
    (
        "effective/engine.yaml",
        "set('num_scheduler_steps')",
        "set('num_sheduler_steps')",
        "set('num_sheduler_steps'): not an option, `sampling.X`, `env.X` or a fact (did you mean 'num_scheduler_steps'?)",
    ),
    ("effective/engine.yaml", "option: engine\n", "optoin: engine\n", "optoin: no such field (did you mean 'option'?)"),
    (
        "effective/engine.yaml",
        "preemption_mode != None",
        "from.preemption_mode != None",
        "from.preemption_mode cannot be asked in effective/",
    ),
    ("predicates/gpus.yaml", "memory: 16", "memroy: 16", "t4.memroy: no such field (did you mean 'memory'?)"),
]
RULE_TYPOS: list[Edit] = [
    (
        "bool-cli-value.yaml",
        'when: "setting.diagnostic ==',
        'when: "setting.dianostic ==',
        "no such name: setting.dianostic (did you mean 'setting.diagnostic'?)",
    ),
    (
        "bool-cli-value.yaml",
        "severity: error",
        "severity: eror",
        "severity: 'eror' is not one of error, warning, info (did you mean 'error'?)",
    ),
    (
        "bool-cli-value.yaml",
        "each: setting",
        "each: seting",
        "each: 'seting' is not one of engine, setting, key, fact, remark, use, default, branch, refusal, written (did you mean 'setting'?)",
    ),
    (
        "bool-cli-value.yaml",
        "each: setting",
        "each: engine",
        "setting.diagnostic cannot be asked in a rule with each: engine",
    ),
    ("stale-prefix-cache.yaml", "  - each: use", "  - each: engine", "also[0].each: 'engine' is not one of use"),
    ("logprobs-semantics.yaml", "layer: semantic", "layer: semantc", "layer: 'semantc' is not one of semantic"),
    (
        "logprobs-semantics.yaml",
        "safety: safe\n  cost",
        "safety: save\n  cost",
        "fix.safety: 'save' is not one of safe, review, none (did you mean 'safe'?)",
    ),
    ("logprobs-semantics.yaml", "needs: 0.10.0", "needs: 0.10.99", "fix.needs: no release '0.10.99'"),
    (
        "logprobs-semantics.yaml",
        "{set: logprobs_mode,",
        "{set: logprob_mode,",
        "fix.do[0].set: no option 'logprob_mode' (did you mean 'logprobs_mode'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "{set: logprobs_mode, to:",
        "{sett: logprobs_mode, to:",
        "fix.do[0].sett: no such field (did you mean 'set'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "at: [logprobs_mode]",
        "at: [logprobs_mod]",
        "at[0]: no option 'logprobs_mod' (did you mean 'logprobs_mode'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "vLLM {to} returns logprobs",
        "vLLM {too} are those",
        "message: no placeholder {too} (did you mean 'to'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "role not in ['eval', 'pooling']",
        "role not in ['evla']",
        "never 'evla': it is one of",
    ),
    (
        "logprobs-semantics.yaml",
        "not written('logprobs_mode') and from",
        "not written('logprobs_mode', 1) and from",
        "written takes (option)",
    ),
    (
        "logprobs-semantics.yaml",
        "v0_to_v1 and not written",
        "v0_to_v2 and not written",
        "no such name: v0_to_v2 (did you mean 'v0_to_v1'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "from.logprobs_mode != to.logprobs_mode and",
        "form.logprobs_mode != to.logprobs_mode and",
        "no such name: form.logprobs_mode (did you mean 'from.logprobs_mode'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "maybe(rl.logprobs_in_loss)",
        "maybe(rl.logprob_in_loss)",
        "no such name: rl.logprob_in_loss (did you mean 'rl.logprobs_in_loss'?)",
    ),
    (
        "logprobs-semantics.yaml",
        "severity_when:",
        "severity_wehn:",
        "severity_wehn: no such field (did you mean 'severity_when'?)",
    ),
    (
        "inflight-weight-update.yaml",
        "options: [pause]",
        "options: [puase]",
        "options[0]: no use 'puase' (did you mean 'pause'?)",
    ),
    (
        "inflight-weight-update.yaml",
        "crosses('0.12.0') or",
        "crosses('0.12.99') or",
        "crosses('0.12.99'): not a release of vLLM",
    ),
    (
        "inflight-weight-update.yaml",
        "nearest('pause', 'resume') == ''",
        "nearest('pause', 'resmue') == ''",
        "nearest('resmue'): not the name of a use",
    ),
]


def named(typos: list[Edit]) -> list[Any]:
    return [pytest.param(*typo, id=f"{Path(typo[0]).stem}-{number}") for number, typo in enumerate(typos)]


@pytest.mark.parametrize(("name", "old", "new", "said"), named([*TYPOS, *RULE_TYPOS]))
def test_a_typo_is_refused_with_place_and_hint(folder: Path, name: str, old: str, new: str, said: str) -> None:
    path = folder / name
    if not path.exists():
        shutil.copy(RULES / name, path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    message = refused(folder)
    line = next((line for line in message.splitlines() if said in line), None)
    assert line is not None, message
    number = text[: text.index(old)].count("\n") + 1
    found = re.match(rf"rules/{re.escape(name)}:(\d+): ", line)
    assert found is not None, line
    # A condition over several lines is shown where it begins.
    assert abs(int(found[1]) - number) <= 8, (line, number)


# -- what only the whole of a record shows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["pins"].append({"prefix": "+"}), "neither key nor say"),
        (lambda d: d["pins"].append({"key": "x", "say": "no"}), "both key and say"),
        (lambda d: d["transport"].append({"kind": "kwargs", "values": {"true": "flag"}}), "values is of kind: cli alone"),
        (lambda d: d["transport"].append({"kind": "cli", "none": "omit"}), "none is of kind: kwargs alone"),
        (lambda d: d["recognise"].append({"mount": "a"}), "nothing that a file could have"),
        (lambda d: d["facts"].update({"rl.replicas": {"at": ["a"]}}), "neither value_of nor depends_on"),
        (lambda d: d.update(define={"role": [{"value": 1}]}), "role has a meaning already"),
    ],
)  # fmt: skip
def test_a_record_that_says_nothing_or_two_things(
    folder: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    path = folder / "dialects" / "verl.yaml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert said in refused(folder)

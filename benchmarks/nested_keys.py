"""Keys inside options whose value is a mapping: `python -m benchmarks.nested_keys SOURCES RELEASE... > benchmarks/nested_keys.md`.

For each release and option, every field that the class has in the release's own source (read here with `ast`, not by the catalog) and 20
names that are no fields are written for a shell command, a YAML file of `--config`, a call of LLM() and NeMo-RL's `vllm_kwargs`, and
linted. A field must not be reported. Of the other names all are, or none, as the release's own way in (the flag, EngineArgs, LLM())
refuses, drops or keeps them; `tests/real/test_nested_keys.py` holds that against real constructors. The exit code is 1 on any
disagreement.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterator
from pathlib import Path

from vllm_migrate import lint
from vllm_migrate.catalog import nested

OPTIONS = {
    "compilation_config": "",
    "speculative_config": "",
    "structured_outputs_config": "",
    "kv_transfer_config": "",
    "pooler_config": "override_pooler_config",
    "profiler_config": "kv_events_config",
}
REPORTED = ("VM216", "VM306", "VM716")
WHOLE = "VM210"  # the parser refuses the mapping as it is written, whatever is in it
ENTRIES = {"shell": "parser", "yaml": "parser", "python": "llm", "nemo-rl": "engine"}
HEAD = """# Keys inside options whose value is a mapping

Made by `python -m benchmarks.nested_keys SOURCES RELEASE...`. Every field that a class has in the release's source, and names that are
none, written on four carriers. Where the carriers differ, the release's ways in differ: a flag, LLM() and EngineArgs (NeMo-RL) each do
something of their own with a key that is no field. `whole`: the release's parser takes no mapping from a YAML file there.

| release | option | fields | of them reported | names that are none | a flag | LLM() | EngineArgs | told: shell | YAML | Python | NeMo-RL |
|---|---|---|---|---|---|---|---|---|---|---|---|"""
OTHERS = (
    *(f"zz_{n}" for n in range(10)),
    *("levels", "modes", "use_cuda", "backends", "num_tokens", "typ", "kv_conn", "enabled_", "maxlen", "draft"),
)
NEMO = (
    "policy:\n  model_name: m\n  generation:\n    backend: vllm\n    vllm_cfg: {async_engine: true}\n    vllm_kwargs:\n"
)


def classes(root: Path) -> dict[str, ast.ClassDef]:
    """The configuration classes of a release by name."""
    one, folder = root / "vllm/config.py", root / "vllm/config"
    modules = [one] if one.exists() else sorted(folder.glob("*.py"))
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in modules)
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def fields(known: dict[str, ast.ClassDef], name: str) -> Iterator[str]:
    """What `Class(...)` takes, its bases' fields first."""
    for base in known[name].bases:
        if ast.unparse(base) in known:
            yield from fields(known, ast.unparse(base))
    for node in known[name].body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)) or node.target.id[0] == "_":
            continue
        value = ast.unparse(node.value) if node.value is not None else ""
        if not ast.unparse(node.annotation).startswith("ClassVar") and "init=False" not in value:
            yield node.target.id


def carriers(option: str, keys: list[str]) -> dict[str, tuple[str, str]]:
    """Carrier -> name and text of a file that writes these keys."""
    kebab, rows = option.replace("_", "-"), "".join(f"  {key}: null\n" for key in keys)
    deep = "".join(f"        {key}: null\n" for key in keys)
    mapping: dict[str, object] = dict.fromkeys(keys)
    return {
        "shell": ("serve.sh", f"vllm serve m --{kebab} '{json.dumps(mapping)}'\n"),
        "yaml": ("serve.yaml", f"model: m\nmax-model-len: 64\n{kebab}:\n{rows}"),
        "python": ("gen.py", f"from vllm import LLM\nllm = LLM(model='m', {option}={mapping!r})\n"),
        "nemo-rl": ("grpo.yaml", f"{NEMO}      {option}:\n{deep}"),
    }


def reported(option: str, keys: list[str], release: str) -> dict[str, list[str]]:
    """Carrier -> the keys that are reported."""
    out: dict[str, list[str]] = {}
    for carrier, (name, text) in carriers(option, keys).items():
        report = lint(name, files={name: text}, from_=release, to=release)
        if any(finding.code == WHOLE for finding in report.findings):
            out[carrier] = [WHOLE]
            continue
        messages = [finding.message for finding in report.findings if finding.code in REPORTED]
        out[carrier] = [key for key in keys if any(f".{key} " in f"{message} " for message in messages)]
        out[carrier] += [key for key in keys if key not in out[carrier] and any(f".{key}:" in m for m in messages)]
    return out


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nested_keys", description=__doc__)
    parser.add_argument("sources", type=Path, help="folder with one source tree a release")
    parser.add_argument("releases", nargs="+")
    options = parser.parse_args()
    wrong, facts = 0, nested.load()
    print(HEAD, flush=True)
    for release in options.releases:
        known = classes(options.sources / release)
        for option, before in OPTIONS.items():
            name = option if facts.class_of(option, release) else before
            cls = facts.class_of(name, release) if name else None
            if cls is None:
                continue
            mine = list(dict.fromkeys(fields(known, cls)))
            faults = [key for keys in reported(name, mine, release).values() for key in keys if key != WHOLE]
            strange = [key for key in OTHERS if key not in mine]
            become = {entry: facts.unknown_key(name, entry, release) for entry in nested.ENTRIES}
            told = reported(name, strange, release)
            for carrier, keys in told.items():
                expected = len(strange) if become[ENTRIES[carrier]] in ("refused", "dropped") else 0
                wrong += keys != [WHOLE] and len(keys) != expected
            wrong += len(faults)
            counts = " | ".join("whole" if keys == [WHOLE] else str(len(keys)) for keys in told.values())
            ways = " | ".join(str(become[entry] or "other code reads it") for entry in ("parser", "llm", "engine"))
            print(
                f"| {release} | {name} | {len(mine)} | {len(faults)} | {len(strange)} | {ways} | {counts} |", flush=True
            )
    print(f"\nDisagreements: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

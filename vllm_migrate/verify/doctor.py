"""The machine that trains beside the configuration: one line a check, each with its remedy."""

from __future__ import annotations

import difflib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.catalog import requires, store
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.opening import loads, read_bytes
from vllm_migrate.resolve.table import rows
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.verify.python import Interpreter, ask
from vllm_migrate.verify.releases import known

OK, NOTE, WRONG = "ok", "note", "wrong"
SMOKE = ("torch", "transformers", "safetensors")
SMOKE_GIB = 2.0  # a recording, its scores, and what vLLM compiles
COMPARED = ("torch", "transformers", "ray", "flashinfer-python")
# Groups of plugins that can change what an engine runs with; the others add to it.
REWRITING = ("vllm.general_plugins", "vllm.platform_plugins")
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens")


class Line(NamedTuple):
    """One check: ok, note (worth knowing) or wrong, what was found, and what to do ("" for nothing)."""

    state: str
    what: str
    remedy: str = ""


def examine(options: Options, command: str | None) -> list[Line]:
    """Every check. command: the interpreter that trains; None for `python` on the path. Raises UsageError."""
    command = command or shutil.which("python") or shutil.which("python3")
    if command is None:
        raise UsageError("no python on the path", "--python PY, the interpreter that trains")
    found = ask(command)
    judged = Session(options).run(keep=True).judged
    lines = [*_vllm(found, command, judged), *_packages(found), *_plugins(found), *_environment(found)]
    lines += [*_gpu(found, options, judged), *_generation(judged), *_smoke(options)]
    return lines


def _vllm(found: Interpreter, command: str, judged: tuple[JudgedEngine, ...]) -> Iterator[Line]:
    if not judged:
        yield Line(
            NOTE, "no vLLM engine was recognised in the files", "name the configuration: vllm-migrate doctor CONFIG"
        )
    if not found.vllm:
        yield Line(WRONG, f"{command} (Python {found.python}) has no vLLM", "--python PY, the interpreter that trains")
        return
    if found.variables is None:
        yield Line(
            WRONG, f"vLLM {found.vllm} does not import: {found.error}", f"{command} -c 'import vllm.envs' shows it all"
        )
    else:
        yield Line(OK, f"vLLM {found.vllm} in {command} (Python {found.python})")
    releases = {one.engine.situation.source: one for one in judged}
    for release, one in releases.items():
        if _release(found) == release.value:
            yield Line(OK, f"{one.engine.file.path} is judged at that release: {release.because}")
        else:
            remedy = f"install vllm=={release.value}, or lint with --from {found.vllm.partition('+')[0]}"
            what = f"{one.engine.file.path} is judged at {release.value} ({release.because}), and {found.vllm} is installed"
            yield Line(NOTE if release.because == "the default" else WRONG, what, remedy)


def _release(found: Interpreter) -> str:
    """The catalog's name of the installed release; "" where it has none."""
    try:
        return known(found.vllm, "no vLLM")
    except UsageError:
        return ""


def _packages(found: Interpreter) -> Iterator[Line]:
    """Packages that this vLLM would not accept."""
    release = _release(found)
    if found.vllm and not release:
        yield Line(NOTE, f"vLLM {found.vllm} is not in the catalog", "`vllm-migrate catalog add PY` reads it")
        return
    cpu = any("cpu" in version for version in (found.vllm, found.versions.get("torch", "")))
    platform = "cpu" if cpu else "cuda"
    needs = requires.load()
    for name in COMPARED if release else ():
        version = found.versions.get(name)
        if version is None:
            continue
        declared = needs.package(name, release, platform) or needs.package(name, release)
        spec = " or ".join(sorted(set(declared.specs()))) if declared is not None else ""
        allowed = needs.allows(name, version.partition("+")[0], release, platform)
        if allowed is False and spec:
            yield Line(WRONG, f"{name} {version}: vLLM {release} requires {spec}", f"pip install '{name}{spec}'")
        else:
            yield Line(OK, f"{name} {version}")


def _plugins(found: Interpreter) -> Iterator[Line]:
    for group, points in found.plugins.items():
        names = ", ".join(point.partition(" = ")[0] for point in points)
        kind = group.removeprefix("vllm.").replace("_", " ")
        if group in REWRITING:
            remedy = "VLLM_PLUGINS='' loads none; `vllm-migrate verify --record` shows what they change"
            yield Line(NOTE, f"{kind} may rewrite settings: {names}", remedy)
        else:
            yield Line(OK, f"{kind}: {names}")


def _environment(found: Interpreter) -> Iterator[Line]:
    """Variables of this process that its vLLM does not know."""
    if found.variables is None:
        return
    catalog, release = store.load(), _release(found)
    names = set(found.variables) | (set(catalog.names("env_other", release)) if release else set())
    unknown = [name for name in found.env if name not in names and not name.startswith("VLLM_MIGRATE_")]
    for name in unknown:
        near = difflib.get_close_matches(name, sorted(names), 1, 0.85)
        ever = bool(catalog.life("env", name))
        remedy = f"did you mean {near[0]}?" if near else f"`vllm-migrate explain {name}`" if ever else f"unset {name}"
        why = "that release no longer reads it" if ever else "it has no effect"
        yield Line(WRONG, f"vLLM {found.vllm} has no variable {name}: {why}", remedy)
    if not unknown:
        yield Line(OK, f"{len(found.env)} vLLM variables are set, all known")


def _gpu(found: Interpreter, options: Options, judged: tuple[JudgedEngine, ...]) -> Iterator[Line]:
    """What the device is, and what it settles that a lint leaves open."""
    name = str(found.device.get("name") or "")
    gpu = gpu_named(name, found.device.get("memory_gib"))
    if not found.device.get("count"):
        yield Line(NOTE, _no_gpu(found), "run doctor where the engine runs, or pass --gpu NAME")
        return
    if gpu is None:
        yield Line(NOTE, f"no defaults are known for this GPU, {name}", "pass --gpu NAME with the closest known GPU")
        return
    before = _open(judged)
    after = _open(Session(options._replace(gpu=gpu)).run(keep=True).judged)
    settled = ", ".join(sorted({option for _, option in before - after}))
    remedy = f"lint --gpu {gpu} settles {settled}" if settled and options.gpu is None else ""
    yield Line(NOTE if remedy else OK, f"{found.device['count']} x {name} (CUDA {found.device.get('cuda')})", remedy)


def _no_gpu(found: Interpreter) -> str:
    """Why the interpreter names no GPU: only torch that is there has looked for one."""
    if "torch" not in found.versions:
        return "the GPU is not known: the interpreter has no torch"
    if "count" not in found.device:
        return "the GPU is not known: vLLM, which is asked for it, does not run here"
    return "torch sees no CUDA device here"


def gpu_named(name: str, memory: object) -> str | None:
    """The word of --gpu for a driver's name of a device, the one of its memory where several have it."""
    words = name.lower().replace("-", " ").split()
    fitting = [(key, gpu) for key, gpu in load_knowledge().gpus.items() if (gpu.name or key).partition("-")[0] in words]
    if not fitting:
        return None
    size = memory if isinstance(memory, int | float) else 0.0
    return min(fitting, key=lambda one: abs((one[1].memory or 0) - size))[0]


def _open(judged: tuple[JudgedEngine, ...]) -> set[tuple[str, str]]:
    """Options that no file decides, by engine."""
    return {
        (one.engine.id, row.option)
        for one in judged
        for row in rows(one.source, one.target)
        if row.source.undecided or row.target.undecided
    }


def _generation(judged: tuple[JudgedEngine, ...]) -> Iterator[Line]:
    """What the models' generation_config.json would set where a request does not."""
    seen = set()
    for one in judged:
        model = one.target.value("model").value
        if not isinstance(model, str) or model in seen:
            continue
        seen.add(model)
        folder = model_folder(model)
        if folder is None:
            yield Line(
                NOTE,
                f"{model} is not on this machine, so its generation_config.json is not known",
                f"hf download {model}",
            )
            continue
        found = _sampling(os.path.join(folder, "generation_config.json"))
        if one.target.value("generation_config").value == "vllm" or not found:
            yield Line(OK, f"{model}: generation_config.json sets no relevant sampling parameter")
            continue
        text = ", ".join(f"{name}={value}" for name, value in found.items())
        yield Line(
            NOTE,
            f"{model}: generation_config.json sets {text} for requests that leave it open",
            f"lint --model-config {folder}; generation_config: vllm switches it off",
        )


def model_folder(model: str) -> str | None:
    """Where a model lies: its own folder, or its newest snapshot in the Hugging Face cache."""
    if os.path.isdir(model):
        return model
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    snapshots = os.path.join(hub, "models--" + model.replace("/", "--"), "snapshots")
    try:
        below = [os.path.join(snapshots, name) for name in os.listdir(snapshots)]
    except OSError:
        return None
    return max(below, key=os.path.getmtime, default=None)


def _sampling(path: str) -> dict[str, object]:
    try:
        found = loads(read_bytes(path))
    except (OSError, ValueError):
        return {}
    return {name: found[name] for name in SAMPLING if isinstance(found, dict) and found.get(name) is not None}


def _smoke(options: Options) -> Iterator[Line]:
    """What the rollout proof needs: its packages, and room to write."""
    missing = [name for name in SMOKE if importlib.util.find_spec(name) is None]
    if missing:
        yield Line(NOTE, f"smoke cannot score here: no {', '.join(missing)}", "pip install 'vllm-migrate[smoke]'")
    else:
        yield Line(OK, "smoke can score here")
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 2**30
    if not os.access(folder, os.W_OK) or free < SMOKE_GIB:
        yield Line(WRONG, f"{folder} has {free:.1f} GiB free", f"TMPDIR, or smoke --workdir, with {SMOKE_GIB:.0f} GiB")
    else:
        yield Line(OK, f"{folder} has {free:.0f} GiB free")


def as_json(lines: list[Line]) -> dict[str, object]:
    """The contract of `doctor --output-format json`."""
    return {"schema": 1, "checks": [line._asdict() for line in lines]}


def as_text(lines: list[Line]) -> Iterator[str]:
    """A line a check; its remedy below it."""
    for line in lines:
        yield f"{line.state:6} {line.what}"
        if line.remedy:
            yield f"       -> {line.remedy}"

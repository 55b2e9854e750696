"""What a record tells that the recorder wrote inside a run: the engine's configuration, resolved."""

from __future__ import annotations

from collections.abc import Mapping

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import lines_of, loads, opened_text
from vllm_migrate.report.mask import mask_value
from vllm_migrate.verify.config import Reader
from vllm_migrate.verify.model import CONFIG, ENVIRONMENT, Reported, Running
from vllm_migrate.verify.releases import known, shown

SOURCE = "record"


def running(path: str, target: str | None = None) -> list[Running]:
    """The engines of a record, each once: the last line of each process and stage, equal ones together. Raises UsageError."""
    lines: dict[tuple[str, str], tuple[int, Mapping[str, object]]] = {}
    try:
        with opened_text(path, wait=True) as stream:
            for number, line in enumerate(lines_of(stream), 1):
                entry = _entry(line)
                if entry is not None:
                    lines[str(entry.get("pid")), str(entry.get("stage"))] = number, entry
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--record: {path}: {error}", "a file that the recorder wrote") from None
    if not lines:
        raise UsageError(
            f"--record: {path} has no line from the recorder", "`vllm-migrate recorder --help` shows how it writes one"
        )
    started = {pid for pid, stage in lines if stage == "started"}
    found: list[Running] = []
    for (pid, stage), (number, entry) in lines.items():
        if stage == "started" or pid not in started:
            one = of_entry(entry, SOURCE, f"{path}:{number}", target)
            if not any(_values(one) == _values(other) for other in found):
                found.append(one)
    return found


def of_entry(entry: Mapping[str, object], source: str, where: str, target: str | None = None) -> Running:
    """The engine of one line. Raises UsageError."""
    stated = shown(str(entry.get("release") or ""), target)
    release = known(stated or target or "", f"{where} does not show the release")
    reader = Reader(release)
    config, env, sampling = entry.get("config"), entry.get("env"), entry.get("sampling")
    reported = reader.tree(config, where) if isinstance(config, dict) else {}
    if isinstance(env, dict):
        reported.update(reader.variables(env, where, ENVIRONMENT, resolved=False))
    if isinstance(sampling, dict):
        reported.update({f"sampling.{name}": Reported(value, CONFIG, where) for name, value in sampling.items()})
    reported["engine"] = Reported(entry.get("core"), CONFIG, where)
    masked = {name: one._replace(value=mask_value(name, one.value)) for name, one in reported.items()}
    return Running(source, where, release if stated else "", masked)


def _entry(line: str) -> Mapping[str, object] | None:
    try:
        entry = loads(line, parse_constant=str)  # as the recorder writes what is no number of JSON
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("schema") == 1 and "config" in entry else None


def _values(one: Running) -> dict[str, object]:
    return {name: reported.value for name, reported in one.reported.items()}

"""The Dockerfiles that the services of a compose file are built from: what they pin is what those services run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.dialects.mounts import dockerfile_of
from vllm_migrate.documents.disk import Disk
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.pins import VLLM, Pin
from vllm_migrate.run.versions import choose_source, contents, pins_in

_BUILD = re.compile(rb"^([ \t]+)build:[ \t]*([^\s#{][^\r\n#]*)?[ \t]*(?:#[^\r\n]*)?\r?$", re.MULTILINE)
_KEY = re.compile(rb"([ \t]*)(context|dockerfile):[ \t]*[\"']?([^\s\"'#]+)")


class Build(NamedTuple):
    """Where a service's `build` stands, its context, and the Dockerfile in it ("": the usual one)."""

    at: int
    context: str
    dockerfile: str


def built_pins(path: str, data: bytes, dependencies: Dependencies, disk: Disk) -> list[Pin]:
    """The release of vLLM in the Dockerfile of each service that is built, each at the offset of its `build`."""
    out = []
    for build in _builds(data) if b"build:" in data and path.endswith((".yml", ".yaml")) else ():
        where = dockerfile_of(path, build.context, build.dockerfile)
        pin = choose_source([pin for pin in _pins(where, dependencies, disk) if pin.package == VLLM]) if where else None
        if pin is not None:
            pin.at = build.at
            out.append(pin)
    return out


def _pins(path: str, dependencies: Dependencies, disk: Disk) -> list[Pin]:
    dependencies.note(path)
    data = b"" if disk.outside(path) else contents(path, disk)
    return pins_in(path, data) if data else []


def _lines(data: bytes, at: int) -> Iterator[bytes]:
    """The lines from an offset on, one by one."""
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[at:end]
        at = end + 1


def _builds(data: bytes) -> Iterator[Build]:
    """Found without parsing, as all pins are."""
    for found in _BUILD.finditer(data):
        written = (found[2] or b"").strip().strip(b"\"'").decode("utf-8", "replace")
        if written:
            yield Build(found.end(1), written, "")
            continue
        keys: dict[bytes, str] = {}
        for line in _lines(data, found.end() + 1):
            indent = line[: len(line) - len(line.lstrip(b" \t"))]
            if line.strip() and len(indent) <= len(found[1]):
                break
            key = _KEY.match(line)
            if key is not None:
                keys.setdefault(key[2], key[3].decode("utf-8", "replace"))
        if keys:
            yield Build(found.end(1), keys.get(b"context", "."), keys.get(b"dockerfile", ""))

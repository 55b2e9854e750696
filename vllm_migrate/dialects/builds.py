"""Compose services whose image is built from a Dockerfile of the project: what that Dockerfile makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.dialects.mounts import build_of, dockerfile_of, text_at
from vllm_migrate.dialects.tree import Tree, tree_of

if TYPE_CHECKING:
    from vllm_migrate.dialects.workspace import Workspace


def stage_of(service: Tree, key: str, workspace: Workspace) -> Tree | None:
    """The last stage of the Dockerfile that `build` of a service means; None where the project has none, or another is named."""
    build = service.at(key) if key else None
    if build is None:
        return None
    context, name = build_of(build)
    path = dockerfile_of(build.place.file.outermost.path, context, name)
    file = workspace.load(path) if path else None
    if (
        file is None
        or file.data is None
        or file.data.carrier != "dockerfile"
        or (build.is_map and text_at(build, "target"))
    ):
        return None
    roots = file.data.roots
    return tree_of(file, len(roots) - 1) if roots else None

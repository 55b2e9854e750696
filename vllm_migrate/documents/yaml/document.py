"""YAML files: `parse_yaml`, and the document it returns. Errors: Unreadable."""

from __future__ import annotations

from vllm_migrate.documents.interface import DataDocument, Source
from vllm_migrate.documents.yaml.compose import C_PARSER, compose
from vllm_migrate.documents.yaml.nodes import YamlContext, YamlNode

__all__ = ["C_PARSER", "YamlDocument", "parse_yaml"]


class YamlDocument(DataDocument):
    """A YAML file. `omegaconf`: scalars read as OmegaConf reads them (`1e-6` is a float)."""

    __slots__ = ("context", "trees")
    carrier = "yaml"

    def __init__(self, source: Source, context: YamlContext, trees: list[YamlNode]) -> None:
        self.source = source
        self.context = context
        self.trees = trees
        self.roots = list(trees)

    def read_as_omegaconf(self) -> None:
        self.context.omegaconf = True


def parse_yaml(source: Source, omegaconf: bool = False) -> YamlDocument:
    """The documents of a YAML file. Raises Unreadable: too-large, too-deep, alias-bomb, template, syntax."""
    raws, shared = compose(source.text)
    context = YamlContext(source.text, omegaconf, shared)
    return YamlDocument(source, context, [YamlNode(raw, context) for raw in raws])

"""What a rule can ask about one key inside an option whose value is a mapping: the words of a setting, asked of the class's fields."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from vllm_migrate.catalog import nested
from vllm_migrate.catalog.store import Rename
from vllm_migrate.dialects.inner import Inner, field_of, keys_of
from vllm_migrate.dialects.model import Engine
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.setting import Setting


class InnerSetting(Setting):
    """One key inside a mapping, seen at both releases. option: `compilation_config.level`."""

    __slots__ = ("_nested", "inner", "outer")

    def __init__(self, source: View, target: View, inner: Inner) -> None:
        self.inner = inner
        self._nested = nested.load(target.catalog)
        number = inner.outer.number
        named = source.delivery.named.get(number) or target.delivery.named.get(number)
        self.outer = named or inner.outer.key.partition(".")[0].lstrip("-").replace("-", "_")
        super().__init__(source, target, inner.written)

    @property
    def quiet(self) -> bool:
        """It arrives at both releases."""
        return not (self.source.diagnostics_of(self.written) or self.target.diagnostics_of(self.written))

    def _option(self) -> str:
        return ".".join((self.outer, *self.inner.path))

    def _dotted(self) -> str:
        return self.option

    def _in(self, view: View) -> bool:
        found = field_of(self._nested, self.outer, self.inner.path, view.release)
        return found is not None and found[1] is not None

    def _existed(self) -> bool:
        return self._in(self.source)

    def _entries(self) -> list[tuple[str, str]]:
        classes = dict.fromkeys(self._class(view) for view in (self.source, self.target))
        return [("config", f"{cls}.{self.inner.path[-1]}") for cls in classes if cls]

    def _class(self, view: View) -> str:
        found = field_of(self._nested, self.outer, self.inner.path, view.release)
        return found[0] if found is not None else ""

    def rename(self) -> Rename | None:
        """The curated rename of this field that lies between the two releases."""
        catalog = self.target.catalog
        names = {name for _, name in self._entries()}
        low, high = catalog.ordinal(self.source.release), catalog.ordinal(self.target.release)
        for rename in catalog.renames:
            if rename.section == "config" and rename.old in names and low < catalog.ordinal(rename.since) <= high:
                return rename
        return None

    def hint(self) -> str:
        """Where a field that neither release has is known, or which names are nearest; begins with "; " or is ""."""
        catalog, cls = self.target.catalog, self._class(self.target)
        lives = [life for section, name in self._entries() if (life := catalog.life(section, name))]
        if lives and all(life[-1][1] is not None for life in lives):
            return f"; it was removed in {self.removed_in()}"
        if lives:
            return f"; it was added in {min((life[0][0] for life in lives), key=catalog.ordinal)}"
        near = difflib.get_close_matches(self.inner.path[-1], self._nested.fields_of(cls, self.target.release), 2, 0.75)
        return f"; did you mean {' or '.join(near)}?" if near else ""

    def successor(self) -> str:
        """The name that took its place, as it is written in the mapping; "" when none did."""
        rename = self.rename()
        return (rename.new or "").rpartition(".")[2] if rename is not None else ""


def inner_settings(source: View, target: View) -> Iterator[InnerSetting]:
    """The keys inside mappings that do not arrive at one of the releases, or that a release says something against."""
    engine = target.engine
    for inner in keys_of(engine) if isinstance(engine, Engine) else ():
        setting = InnerSetting(source, target, inner)
        if not setting.quiet:
            yield setting

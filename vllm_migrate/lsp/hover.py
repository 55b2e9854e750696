"""What an editor shows beside a key: effective values at both releases, what becomes of the setting, the option's life."""

from __future__ import annotations

from vllm_migrate.library import option_story
from vllm_migrate.resolve.table import Cell, SettingRow
from vllm_migrate.run.inspect import InspectedEngine, WrittenSetting

WIDEST = 60
MOST_ROWS = 12


def setting_text(engine: InspectedEngine, setting: WrittenSetting) -> str:
    """Markdown on one written setting."""
    parts = [f"**{setting.option}** ({engine.name.dialect}, {engine.name.role})", _table(engine, [setting.row], False)]
    parts += [f"- {remark}" for remark in setting.remarks]
    depends = setting.row.target.depends_on or setting.row.source.depends_on
    if depends:
        parts.append(f"Depends on {depends}.")
    story = option_story(setting.option)
    if story:
        parts.append(f"```text\n{story}\n```")
    return "\n\n".join(parts)


def engine_text(engine: InspectedEngine) -> str:
    """Markdown on an engine: what changes for it."""
    source, target = engine.releases
    title = f"**{engine.name.role} engine** ({engine.name.dialect})"
    if not engine.changed:
        return f"{title}: nothing changes between {source} and {target}."
    rows = list(engine.changed[:MOST_ROWS])
    more = len(engine.changed) - len(rows)
    text = f"{title}: {len(engine.changed)} settings change.\n\n{_table(engine, rows, True)}"
    return f"{text}\n\n{more} more: `vllm-migrate effective`" if more else text


def _table(engine: InspectedEngine, rows: list[SettingRow], named: bool) -> str:
    source, target = engine.releases
    name = "option | " if named else ""
    lines = [f"| {name}vLLM {source} | vLLM {target} |", f"|{'---|' if named else ''}---|---|"]
    for row in rows:
        lines.append(f"| {f'{row.option} | ' if named else ''}{_cell(row.source)} | {_cell(row.target)} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    if cell.absent:
        return "no such option"
    if cell.undecided and isinstance(cell.value, list):
        value = " or ".join(f"`{_short(each)}`" for each in cell.value)
    else:
        value = "undetermined" if cell.undecided else f"`{_short(cell.value)}`"
    return f"{value} ({cell.origin})".replace("|", "\\|")


def _short(value: object) -> str:
    text = str(value).replace("`", "'").replace("\n", " ")
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."

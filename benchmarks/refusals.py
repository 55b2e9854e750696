"""Every refusal over two settings or more of all releases, and which of them are asked of an engine.

`python -m benchmarks.refusals > benchmarks/refusals.md`
"""

from __future__ import annotations

from vllm_migrate.catalog import refusals, store
from vllm_migrate.resolve.refusals import runs_always

HEAD = """# Refusals over two settings or more

The `raise` and `assert` statements of all releases whose conditions read two settings or more, one row a message, made by
`python -m benchmarks.refusals`. Evaluated ones are asked of every engine by VM218: what their condition reads and no file
decides leaves them silent.

| | refusals |
|---|---|
| all | {all} |
| evaluated | {evaluated} |
| left out, no message to name it by | {unnamed} |
| left out, not in a function that every start or request runs | {elsewhere} |
| besides, numbers of one setting out of bounds | {bounds} |
| of these evaluated (VM231) | {bounded} |

| refusal | settings | releases | |
|---|---|---|---|
"""


def verdict(known: refusals.Refusals, name: str, releases: list[str]) -> tuple[str, refusals.Refusal]:
    """What becomes of a refusal, and what it is at the newest release that has it."""
    held = [one for release in releases if (one := known.get(name, release)) is not None]
    if not any(one.text for one in held):
        return "no message", held[-1]
    always = any(one.text and any(map(runs_always, one.sites)) for one in held)
    return "evaluated" if always else "elsewhere", held[-1]


def main() -> None:
    catalog = store.load()
    known = refusals.load(catalog)
    rows, count = list[str](), dict.fromkeys(("evaluated", "no message", "elsewhere"), 0)
    for name in known.names():
        kind, one = verdict(known, name, list(catalog.releases))
        count[kind] += 1
        text = (one.text or one.sites[0].when)[:110].replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
        lives = ", ".join(f"{since} to before {until}" if until else f"{since} on" for since, until in known.life(name))
        rows.append(f"| {text} | {', '.join(sorted(one.settings))} | {lives} | {kind} |")
    bounds = {one.id: one for release in catalog.releases for one in known.bounds(release)}
    bounded = sum(1 for one in bounds.values() if any(map(runs_always, one.sites)))
    head = HEAD.format(
        all=len(rows),
        evaluated=count["evaluated"],
        unnamed=count["no message"],
        elsewhere=count["elsewhere"],
        bounds=len(bounds),
        bounded=bounded,
    )
    print(head + "\n".join(rows))


if __name__ == "__main__":
    main()

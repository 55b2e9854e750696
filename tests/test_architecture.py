"""The import graph of the package is the one that docs/architecture.md draws, and it goes one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vllm_migrate"
DOC = ROOT / "docs" / "architecture.md"
NAME = "vllm_migrate"


def modules() -> dict[str, Path]:
    """Every module of the package by dotted name."""
    out = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        out[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return out


MODULES = modules()


def imports_of(path: Path) -> Iterator[str]:
    """The modules of the package that a module imports anywhere, those for type checkers alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unchecked = {id(node) for block in ast.walk(tree) if for_types(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in unchecked:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


GRAPH = {name: {other for other in imports_of(path) if other != name} for name, path in MODULES.items()}


def room(module: str) -> str:
    """The top-level package or module that a module belongs to; the package itself is the library."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "(library)"


def drawn() -> dict[str, list[str]]:
    """What each room imports, as the code has it."""
    out: dict[str, set[str]] = {room(name): set() for name in GRAPH}
    for name, others in GRAPH.items():
        out[room(name)] |= {room(other) for other in others} - {room(name)}
    return {name: sorted(others) for name, others in out.items()}


def cycle(graph: dict[str, list[str]]) -> list[str]:
    """One circle of the graph, empty where there is none."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in graph[name]:
            found = visit(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := visit(name, []))), [])


def text(rooms: dict[str, list[str]]) -> str:
    """The graph as the document has it: a room a line, whoever imports above what is imported."""
    order: list[str] = []

    def place(name: str) -> None:
        for other in rooms[name]:
            if other not in order:
                place(other)
        if name not in order:
            order.append(name)

    for name in sorted(rooms):
        place(name)
    return "\n".join(f"{name} -> {', '.join(rooms[name])}".rstrip(" ->") for name in reversed(order))


def test_rooms_are_imported_one_way() -> None:
    assert cycle(drawn()) == []


def test_modules_are_imported_one_way() -> None:
    inner = {name: sorted(other for other in others if other != NAME) for name, others in GRAPH.items()}
    assert cycle(inner) == []


def test_nobody_imports_the_command_line() -> None:
    assert [name for name, others in drawn().items() if "cli" in others] == ["__main__"]


def test_the_document_draws_the_graph() -> None:
    block = DOC.read_text(encoding="utf-8").partition("```imports\n")[2].partition("\n```")[0]
    assert block == text(drawn())


# -- one way to open a file

# What runs by itself in the user's interpreter, where this package is not.
ALONE = ("vllm_migrate.smoke.worker", "vllm_migrate.verify.recorder")
WRITING = {"w", "wb", "a", "ab", "x", "xb"}
READERS = {"read_text", "read_bytes", "fromfile", "ParquetFile"}
OPENERS = {("io", "open"), ("codecs", "open"), ("os", "open"), ("gzip", "open"), ("bz2", "open"), ("lzma", "open")}
OPENERS |= {
    ("tarfile", "open"),
    ("zipfile", "ZipFile"),
    ("mmap", "mmap"),
    ("linecache", "getline"),
    ("tokenize", "open"),
}


def openings(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that open a file to read it, whatever stands in for it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, text = node.func, ast.unparse(node)
        if isinstance(called, ast.Name):
            modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
            makes = any(isinstance(mode, ast.Constant) and mode.value in WRITING for mode in modes)
            opens = called.id == "open" and not makes
        elif isinstance(called, ast.Attribute):
            owner = called.value.id if isinstance(called.value, ast.Name) else ""
            opens = called.attr in READERS or (owner, called.attr) in OPENERS
        else:
            opens = False
        if opens and not opens_something_else(node, text):
            yield node


def opens_something_else(node: ast.Call, text: str) -> bool:
    """Whether it is what `opening` has opened, bytes, a folder to be locked, or a file to be made."""
    first = ast.unparse(node.args[0]) if node.args else ""
    stream = first.startswith("opened(") or first == "raw" or any(keyword.arg == "fileobj" for keyword in node.keywords)
    shipped = "resources.files" in text
    return (
        stream
        or shipped
        or "O_WRONLY" in text
        or (text.startswith("os.open(") and first in ("folder", "path", "os.devnull"))
    )


def test_every_file_is_opened_in_one_way() -> None:
    found = []
    for name, path in MODULES.items():
        if name == "vllm_migrate.opening" or name in ALONE:
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"{name}:{call.lineno}: {ast.unparse(call)}" for call in openings(ast.parse(text))]
    assert found == []


def test_the_one_way_is_told_from_others() -> None:
    others = [
        "open(p)",
        "open(p, 'rb')",
        "os.open(p2, os.O_RDONLY)",
        "Path(p).read_text()",
        "gzip.open(p)",
        "io.open(p)",
    ]
    assert [len(list(openings(ast.parse(text)))) for text in others] == [1] * len(others)
    for text in ("open(p, 'w')", "gzip.open(opened(p))", "os.open(p, os.O_WRONLY)", "resources.files(x).read_text()"):
        assert list(openings(ast.parse(text))) == []

"""Commands that a program hands to a shell in one string: `os.system(f"vllm serve {model} ...")`.

The string is read as a script in its place, with variables where it interpolates. None of it is edited.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from vllm_migrate.dialects.tree import File, Inside
from vllm_migrate.documents.interface import Source, Unreadable
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.values import dotted_name
from vllm_migrate.documents.shell.document import parse_shell

# One of these stands in a module in which a string may start an engine.
SIGNS = ("vllm serve", "-m vllm.entrypoints", "vllm-openai")
REFUSED = "the command stands in a string of a program"
_SHELLS = frozenset(
    ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell")
)
_PROGRAMS = frozenset(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output"))
_LITERAL = re.compile(r"([A-Za-z]{0,2})(\"\"\"|'''|\"|')")
_BETWEEN = re.compile(r"(?:\s|\\\n|#[^\n]*)*")


def scripts_in(file: File, code: PythonDocument) -> list[File]:
    """The strings of a module that a shell reads, or that are split into the words of a command."""
    if not any(sign in file.source.text for sign in SIGNS):
        return []
    found: dict[int, list[ast.expr]] = {}
    for call in code.calls:
        argument = None if call.in_string else _command(call)
        parts = _strings(code, call, argument) if argument is not None else []
        if parts:
            found.setdefault(code.span(parts[0])[0], parts)
    scripts = (_script(file, code, parts, number) for number, (_, parts) in enumerate(sorted(found.items())))
    return [script for script in scripts if script is not None]


def _command(call: Call) -> ast.expr | None:
    """What a call gives to a shell, or splits into words."""
    first = (
        call.node.args[0]
        if call.node.args
        else next((k.value for k in call.node.keywords if k.arg in ("args", "cmd")), None)
    )
    if call.resolved in _SHELLS:
        return first
    if call.resolved not in _PROGRAMS or first is None:
        return None
    if isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "split":
        return first.args[0] if dotted_name(first.func) == "shlex.split" and first.args else first.func.value
    shell = next((k.value for k in call.node.keywords if k.arg == "shell"), None)
    if not isinstance(shell, ast.Constant) or shell.value is not True:
        return None
    # Of a list, a shell gets the first as its script: subprocess.run(["vllm serve a/b"], shell=True).
    return first.elts[0] if isinstance(first, ast.List | ast.Tuple) and first.elts else first


def _strings(code: PythonDocument, call: Call, argument: ast.expr) -> list[ast.expr]:
    """The literal that an argument is, or the last that is assigned to the name before the call, with what is added to it."""
    name = dotted_name(argument) if isinstance(argument, ast.Name | ast.Attribute) else ""
    if not name:
        return list(_literal(argument))
    until = call.node.lineno
    assigned = [
        node for node in code.nodes(ast.Assign) if node.lineno < until and name in map(dotted_name, node.targets)
    ]
    if not assigned:
        return []
    last = max(assigned, key=lambda node: node.lineno)
    first = list(_literal(last.value))
    added = [
        node
        for node in code.nodes(ast.AugAssign)
        if last.lineno < node.lineno < until and isinstance(node.op, ast.Add) and dotted_name(node.target) == name
    ]
    added.sort(key=lambda node: node.lineno)
    return first and [*first, *(part for node in added for part in _literal(node.value))]


def _literal(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        node = node.func.value
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node


def _script(host: File, code: PythonDocument, parts: list[ast.expr], number: int) -> File | None:
    """A script of the texts that a program puts together, each in its place; what stands between them is blank."""
    text, masked, at = host.source.text, "", 0
    for part in parts:
        start, end = code.span(part)
        inside = _shown(text[start:end], formatted=text.startswith(".format", end))
        if inside is None or start < at:
            return None
        before = text[at:start]
        masked += (" " * len(before) if at else re.sub(r"[^\r\n]", " ", before)) + inside
        at = end
    if not any(sign in masked for sign in SIGNS):
        return None
    masked += re.sub(r"[^\r\n]", " ", text[at:])
    try:
        document = parse_shell(Source(host.path, b"", masked, False, "\n"))
    except Unreadable:
        return None
    file = File(host.source, document, host.requested)
    file.inside = Inside(host, number, (), REFUSED, "string")
    return file


def _shown(literals: str, formatted: bool) -> str | None:
    """The text of string literals that stand one after another, each character in its place; None where it cannot be shown."""
    out: list[str] = []
    at = 0
    while at < len(literals):
        opening = _LITERAL.match(literals, at)
        if opening is None:
            return None
        quote, prefix = opening[2], opening[1].lower()
        end = _closing(literals, opening.end(), quote)
        if end < 0 or "b" in prefix:
            return None
        inner = literals[opening.end() : end]
        shown = inner if "r" in prefix else _unescaped(inner)
        if shown is None:
            return None
        inner = shown
        if "f" in prefix or formatted:
            inner = _interpolated(inner)
        out += [" " * (opening.end() - at), inner, " " * len(quote)]
        at = end + len(quote)
        between = _BETWEEN.match(literals, at)
        assert between is not None
        out.append(" " * (between.end() - at))
        at = between.end()
    return "".join(out)


def _closing(text: str, at: int, quote: str) -> int:
    """Where the closing quote stands; -1 where it does not."""
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(quote, at):
            return at
        else:
            at += 1
    return -1


_ESCAPE = re.compile(r"\\([\s\S])")


def _unescaped(text: str) -> str | None:
    """What escapes stand for, as long as they are; None where that cannot be shown.

    A quote gets a blank outside of what it quotes, where one does no harm.
    """
    out, at, opened = [], 0, ""
    for escape in _ESCAPE.finditer(text):
        char, before = escape[1], text[max(escape.start() - 1, 0) : escape.start()]
        out.append(text[at : escape.start()])
        at = escape.end()
        if char in "nt":
            out.append({"n": "\n ", "t": "  "}[char])
        elif char == "\n":
            out.append(" \n" if before == "\\" else "\\\n")
        elif char == "\\" and text[at : at + 1] == "\n":
            out.append(" \\")
        elif char in "\"'" and opened == char:
            out.append(char + " ")
            opened = ""
        elif char in "\"'" and not opened and (not before or before in " \t\n{[(,:"):
            out.append(" " + char)
            opened = char
        else:
            return None
    return None if opened else "".join([*out, text[at:]])


def _interpolated(text: str) -> str:
    """The text of an f-string with variables where it interpolates."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            out.append({"{{": "{ ", "}}": " }"}[text[at : at + 2]])
            at += 2
        elif text[at] == "{":
            end = _brace(text, at)
            length = end - at
            out.append("${" + "_" * (length - 3) + "}" if length > 3 else "$" + "_" * (length - 1))
            at = end
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def _brace(text: str, at: int) -> int:
    """Behind the brace that closes the one at an index."""
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return end + 1
    return len(text)

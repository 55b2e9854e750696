"""Edits of keywords in Python calls, in each call's own style (one line, or one argument a line)."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

from vllm_migrate.documents.interface import DELETE, RENAME, SET, CannotEdit, DataDocument, Edit, Op
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.python.calls import Call, CallOp, PythonDocument
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.documents.python.literals import render
from vllm_migrate.documents.python.mappings import dict_edits
from vllm_migrate.documents.python.ops import call_ops
from vllm_migrate.documents.python.unpacked import Entry

_SKIP = re.compile(r"(?:[ \t\f\r\n]|\\\r?\n|#[^\r\n]*)*")
_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_LINE_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=\r|\n|\Z)")


def plan_mappings(document: DataDocument, ops: list[Op], index: int) -> list[Edit]:
    """Edits that make `ops` on call number `index`, a mapping of its keywords. Raises CannotEdit."""
    assert isinstance(document, PythonData)
    code = document.code
    if index >= len(code.calls):
        return sorted(dict_edits(code, code.dicts[index - len(code.calls)], ops, _file_quote(code)))
    return plan(code, call_ops(document, ops, index))


def plan(document: PythonDocument, ops: list[CallOp]) -> list[Edit]:
    """Raises CannotEdit: no such call or keyword, `**kwargs` that may hold the keyword, changes of one place."""
    edits: list[Edit] = []
    inserted: dict[int, list[CallOp]] = {}
    renamed = {(op.call, op.new_name): op.name for op in ops if op.kind == RENAME}
    for wanted in ops:
        # A value for what another change gives its name goes to where it stands.
        old = renamed.get((wanted.call, wanted.name), "") if wanted.kind == SET else ""
        op = wanted._replace(name=old) if old else wanted
        if not 0 <= op.call < len(document.calls):
            raise CannotEdit(f"no call {op.call}")
        call = document.calls[op.call]
        if call.in_string:
            raise CannotEdit("the call is inside an f-string")
        if op.kind == SET and call.get(op.name) is None:
            _check_new(call, op.name)
            inserted.setdefault(op.call, []).append(op)
            continue
        found = call.get(op.name)
        if found is None:
            raise CannotEdit(f"the call has no {op.name}")
        if found.entry is not None:
            edits += _in_dict(document, found.entry, op)
            continue
        if op.kind == SET:
            if not equal(found.value, op.value):
                text = render(op.value, _quote(document, call))
                edits.append(Edit(found.value_start, found.value_end, text))
        elif op.kind == RENAME:
            _check_new(call, op.new_name)
            if not document.source.text.startswith(op.name, found.start):
                raise CannotEdit("the keyword is spelled in another Unicode form")
            edits.append(Edit(found.start, found.start + len(op.name), op.new_name))
        elif op.kind != DELETE:
            raise CannotEdit(f"no such change: {op.kind}")
    deleted: dict[int, set[str]] = {}
    for op in ops:
        found = document.calls[op.call].get(op.name)
        if op.kind == DELETE and (found is None or found.entry is None):
            deleted.setdefault(op.call, set()).add(op.name)
    for index, names in deleted.items():
        edits += _Layout(document, document.calls[index]).delete(names)
    for index, new in inserted.items():
        call = document.calls[index]
        texts = [(op.after, f"{op.name}={render(op.value, _quote(document, call))}") for op in new]
        edits += _Layout(document, call).insert(texts, deleted.get(index, set()))
    edits.sort()
    if any(a.end > b.start for a, b in pairwise(edits)):
        raise CannotEdit("these changes touch the same place")
    return edits


def _in_dict(document: PythonDocument, entry: Entry, op: CallOp) -> list[Edit]:
    """A change of what `**name` brings, in the dict literal that has it."""
    if entry.sure and isinstance(entry.owner, ast.Call):
        number = next(call.index for call in document.calls if call.node is entry.owner)
        return plan(document, [op._replace(call=number)])
    if not entry.sure or not isinstance(entry.owner, ast.Dict):
        raise CannotEdit(f"{entry.key} comes from a dict that it cannot be changed in")
    change = Op(op.kind, (op.name,), op.value, op.new_name)
    return dict_edits(document, entry.owner, [change], _file_quote(document))


def _check_new(call: Call, name: str) -> None:
    if not name.isidentifier():
        raise CannotEdit(f"{name!r} is no keyword")
    if call.has_kwargs:
        raise CannotEdit("the call passes **kwargs, which may hold the same keyword")
    if call.get(name) is not None:
        raise CannotEdit(f"the call has {name} already")


def _quote(document: PythonDocument, call: Call) -> str:
    """The quote that strings of the call, or of the whole file, are written with."""
    inside = document.source.text[call.start : call.end]
    if "'" in inside or '"' in inside:
        return "'" if inside.count("'") > inside.count('"') else '"'
    return _file_quote(document)


def _file_quote(document: PythonDocument) -> str:
    text = document.source.text
    return "'" if text.count("'") > text.count('"') else '"'


class _Layout:
    """Where the arguments of one call stand: (node, start, end) in order, parentheses around an argument included."""

    def __init__(self, document: PythonDocument, call: Call) -> None:
        self.text = document.source.text
        self.call = call
        node = call.node
        self.close = call.end - 1
        self.open = self._find_open(document.span(node.func)[1])
        found: list[tuple[str, int, int]] = []
        for arg in node.args:
            found.append(("", *document.span(arg)))
        for keyword in node.keywords:
            found.append((keyword.arg or "", *document.span(keyword)))
        found.sort(key=lambda item: item[1])
        if len(found) == 1 and isinstance(node.args[0] if node.args else None, ast.GeneratorExp):
            raise CannotEdit("the call has a bare generator as its only argument")
        self.names = [name for name, _, _ in found]
        self.starts = [start for _, start, _ in found]
        self.commas: list[int] = []  # offset of the comma after each argument; -1 for none
        self.ends: list[int] = []
        for _, _, end in found:
            self._close_argument(end)
        for index in range(len(found)):  # an opening parenthesis around the argument belongs to it
            low = self.commas[index - 1] + 1 if index else self.open
            self.starts[index] = self._skip(low)

    def _skip(self, at: int) -> int:
        m = _SKIP.match(self.text, at)
        return m.end() if m else at

    def _find_open(self, at: int) -> int:
        """Offset after the call's opening parenthesis; closing ones of the callee may come first."""
        while True:
            at = self._skip(at)
            if self.text[at] == "(":
                return at + 1
            at += 1

    def _close_argument(self, end: int) -> None:
        at = self._skip(end)
        while at < self.close and self.text[at] == ")":
            end = at + 1
            at = self._skip(end)
        self.ends.append(end)
        self.commas.append(at if self.text[at] == "," else -1)

    def _line_start(self, at: int) -> int:
        return max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1

    def _leads(self, at: int) -> bool:
        return not self.text[self._line_start(at) : at].strip(" \t\f")

    def _own_lines(self, index: int) -> bool:
        """The argument stands first on its line, and so does the one before it or after it, if there is one."""
        if not self._leads(self.starts[index]):
            return False
        others = [i for i in (index - 1, index + 1) if 0 <= i < len(self.starts)]
        return not others or self._leads(self.starts[others[-1]]) or index == 1

    def _fills_line(self, index: int) -> bool:
        """Nothing else stands on the lines of the argument and its comma, but for a comment at the end."""
        after = max(self.ends[index], self.commas[index] + 1)
        return self._leads(self.starts[index]) and _LINE_REST.match(self.text, after) is not None

    def insert(self, texts: list[tuple[str, str]], deleted: set[str]) -> list[Edit]:
        """`texts` are (sibling or "", source of the new keyword)."""
        if not self.starts:
            return [Edit(self.open, self.open, ", ".join([text for _, text in texts]))]
        places: dict[int, list[str]] = {}
        for after, text in texts:
            places.setdefault(self._place(after, deleted), []).append(text)
        return [edit for index, new in places.items() for edit in self._insert_at(index, new, deleted)]

    def _place(self, after: str, deleted: set[str]) -> int:
        """Index of the argument that the new one follows."""
        index = self.names.index(after) if after and after in self.names else len(self.starts) - 1
        if self.names[index] and self.names[index] in deleted:
            kept = [i for i, name in enumerate(self.names) if not name or name not in deleted]
            if not kept or not all(i < index for i in kept):
                raise CannotEdit("the neighbour of the new keyword is deleted in the same step")
            index = kept[-1]
        return index

    def _insert_at(self, index: int, texts: list[str], deleted: set[str]) -> list[Edit]:
        end, comma = self.ends[index], self.commas[index]
        if not self._own_lines(index):
            return [Edit(end, end, "".join([", " + text for text in texts]))]
        start = self.starts[index]
        indent = self.text[self._line_start(start) : start]
        newline = "\r\n" if "\r\n" in self.text else "\n"
        rest = _LINE_REST.match(self.text, comma + 1 if comma >= 0 else end)
        if rest is None or self._tail(deleted) == index + 1 < len(
            self.names
        ):  # an argument follows on the line, or a deletion
            return [Edit(end, end, "".join(["," + newline + indent + text for text in texts]))]
        lines = "".join([newline + indent + text + "," for text in texts])
        if comma >= 0:
            return [Edit(rest.end(), rest.end(), lines)]
        added = Edit(rest.end(), rest.end(), lines[:-1])
        if rest.end() == end:
            return [added._replace(text="," + added.text)]
        return [Edit(end, end, ","), added]

    def _tail(self, deleted: set[str]) -> int:
        """Index of the first of the last arguments if all of them go and not line by line; else their number."""
        first = count = len(self.names)
        while first and self.names[first - 1] and self.names[first - 1] in deleted:
            first -= 1
        return count if all(self._fills_line(index) for index in range(first, count)) else first

    def delete(self, names: set[str]) -> list[Edit]:
        edits = []
        tail = self._tail(names)
        if tail == 0:
            return [Edit(self.starts[0], max(self.ends[-1], self.commas[-1] + 1), "")]
        if tail < len(self.names):
            edits.append(Edit(self.ends[tail - 1], self.ends[-1], ""))
        index = 0
        while index < tail:
            first, index = index, index + 1
            if self.names[first] not in names:
                continue
            if self._fills_line(first):
                rest = _LINE.match(self.text, max(self.ends[first], self.commas[first] + 1))
                edits.append(Edit(self._line_start(self.starts[first]), rest.end() if rest else self.ends[first], ""))
                continue
            while self.names[index] in names:
                index += 1
            edits.append(Edit(self.starts[first], self.starts[index], ""))
        return edits

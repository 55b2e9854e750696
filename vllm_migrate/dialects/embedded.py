"""Documents inside a scalar of another: a shell script in `run: |`, YAML in `serveConfigV2: |`.

The text inside is parsed with everything around it blanked out, so that its offsets are those of the file and an edit of
it is an edit of the file. That holds where the scalar shows its value character for character; where it has escapes the
text inside is read but not edited. Edits are proved twice: by the document inside, and by the one around it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vllm_migrate.dialects.tree import File, Inside, Place
from vllm_migrate.documents.editing import prove_several, reparse
from vllm_migrate.documents.interface import SET, CannotEdit, DataDocument, Edit, Node, Op, ProofFailed, Source
from vllm_migrate.documents.steps import CHARACTERS_A_STEP, spend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.documents.shell.document import ShellDocument

RAW = "raw"  # the style of a Dockerfile's scripts
# What a template fills in: to a shell something undecided that stands there, as long.
_TEMPLATE = re.compile(r"\{\{[^\r\n]*?\}\}")
# One in single quotes, where a shell expands nothing: what the quotes hold is undecided.
_QUOTED = re.compile(r"(?<=[\s=])'[^'\r\n]*?\{\{[^'\r\n]*?\}\}[^'\r\n]*'(?=\s|\\|\Z)")
# The same of a text that a program fills in: `--port {port}`.
_FIELD = re.compile(r"(?<![$\w{])\{[A-Za-z_]\w*\}(?!\})")

ESCAPES = "the text is in a YAML scalar with escapes or folds"


def embedded(place: Place, kind: str) -> File | None:
    """The document in the scalar at `place`; None when it cannot be read.

    kind: "shell" for a script, "words" for one command in which line ends are blanks, "yaml".
    """
    text, exact = masked(place, kind)
    if text is None:
        return None
    host = place.file
    if kind != "yaml":
        start, end = place.node.start, place.node.end if exact else len(text)
        text = text[:start] + _blank_templates(text[start:end]) + text[end:]
    source = Source(host.path, b"", text, False, host.source.newline)
    document = _parse(source, kind)
    if document is None:
        return None
    file = File(host.source, document, host.requested)
    if exact and file.shell is not None and _folds(place.node, text, host.source.text):
        file.shell.layout = host.source.text
    shared = "it is under a YAML anchor that others share" if place.node.shared else ""
    file.inside = Inside(host, place.index, place.path, shared or ("" if exact else ESCAPES), kind)
    return file


def _folds(node: Node, text: str, outer: str) -> bool:
    """Whether line ends of the file are blanks in the text of its scalar."""
    return text.count("\n", node.start, node.end) < outer.count("\n", node.start, node.end)


# Signs of a script inside a script, so that others are not searched for one.
NESTING = re.compile(
    r" -c|-lc|<<|ssh |tmux |eval |--wrap|\$\(\s*(?:sudo|docker|podman|nerdctl|vllm|ray job|nohup|python|\"?\$)"
)


def scripts_inside(file: File) -> list[File]:
    """The scripts that stand in strings and heredocs of a script: `bash -c "..."`, `cat > run.sh <<EOF`."""
    document = file.shell
    if document is None or (file.inside is not None and file.inside.kind not in ("shell", "words", "cell")):
        return []
    if not document.argument_of and NESTING.search(document.source.text) is None:
        return []
    from vllm_migrate.documents.shell.nested import nested

    out: list[File] = []
    for inner in nested(document):
        found = File(file.source, inner, file.requested)
        found.inside = Inside(file, 0, (), "", "nested")
        found.variables, found.env_sources = file.variables, file.env_sources
        out.append(found)
    return out


def cells_inside(file: File) -> tuple[File | None, list[File]]:
    """The Python of a notebook, as one module, and its shell commands; what cannot be read is left out."""
    from vllm_migrate.documents.interface import Unreadable
    from vllm_migrate.documents.notebook.document import Notebook
    from vllm_migrate.documents.python.document import parse_python_data
    from vllm_migrate.documents.shell.document import parse_shell

    assert isinstance(file.data, Notebook)
    module, *scripts = (file.data.module, *file.data.scripts)
    found: list[File | None] = []
    for number, source in enumerate((module, *scripts)):
        inner: File | None = None
        if source is not None:
            try:
                parsed = parse_shell(source) if number else parse_python_data(source)
                inner = File(source, parsed, file.requested)
                inner.inside = Inside(file, 0, (), "", "cell")
            except Unreadable:
                inner = None
        found.append(inner)
    return found[0], [script for script in found[1:] if script is not None]


def in_host(file: File, edits: list[Edit]) -> list[Edit]:
    """Edits of a document as edits of the file it stands in. Raises CannotEdit."""
    while file.inside is not None:
        if file.inside.kind == "cell":
            from vllm_migrate.documents.notebook.document import CellSource

            assert isinstance(file.source, CellSource)
            edits = file.source.on_disk(edits)
        file = file.inside.host
    return edits


def _parse(source: Source, kind: str) -> DataDocument | ShellDocument | None:
    from vllm_migrate.documents.interface import Unreadable

    try:
        if kind != "yaml":
            from vllm_migrate.documents.shell.document import parse_shell

            return parse_shell(source)
        from vllm_migrate.documents.yaml.document import parse_yaml

        return parse_yaml(source)
    except Unreadable:
        return None


def masked(place: Place, kind: str) -> tuple[str | None, bool]:
    """The file's text with all but the scalar blanked out, and whether its offsets are exact."""
    node, outer = place.node, place.file.source.text
    value = node.value
    if not isinstance(value, str):
        return None, False
    spend(len(outer) // (10 * CHARACTERS_A_STEP))  # all but the scalar is blank
    style = getattr(node, "style", "")
    start, end = node.start, node.end
    inner = outer[start:end]
    if style in ("|", ">"):
        head = len(inner.partition("\n")[0])
        start, inner = start + head, inner[head:]
    elif style and style != RAW:
        start, inner = start + 1, inner[1:-1]
    if style == RAW:  # as long as in the file, unless a line of it had to go
        inner, exact = value, len(value) == end - start
    elif style == "|" and kind != "words":
        exact = [line.strip() for line in inner.strip().splitlines()] == [
            line.strip() for line in value.strip().splitlines()
        ]
    else:
        # A fold is a blank; where it is a line break, the text cannot be shown in place.
        inner = inner.replace("\r", " ").replace("\n", " ")
        exact = inner.split() == value.split() and (kind == "words" or "\n" not in value.strip())
        if not exact and style == '"' and kind != "yaml" and "\n" not in value.strip():
            # `\"a\"` is `""a""` to a shell, as long: the same word, where no quotes are around it.
            inner = inner.replace('\\"', '""')
            exact = "\\" not in inner and _words(inner) == _words(value)
    if not exact:
        inner = value.replace("\n", " ") if kind == "words" else value
    blank = place.file.source.blank
    return blank[:start] + inner + (blank[start + len(inner) :] if exact else ""), exact


def _blank_templates(text: str) -> str:
    text = _QUOTED.sub(lambda found: '"${' + "_" * (len(found[0]) - 5) + '}"', text)
    text = _TEMPLATE.sub(lambda found: "${" + "_" * (len(found[0]) - 3) + "}", text)
    return _FIELD.sub(lambda found: "$" + "_" * (len(found[0]) - 1), text)


def _words(text: str) -> list[list[str]] | None:
    """The words of every command of a script; None for one that cannot be read."""
    from vllm_migrate.documents.interface import Unreadable
    from vllm_migrate.documents.shell.document import parse_shell

    try:
        document = parse_shell(Source("", b"", _blank_templates(text), False, "\n"))
    except Unreadable:
        return None
    return [[word.value if word.value is not None else word.raw for word in c.words] for c in document.commands]


def check_editable(file: File) -> None:
    """Raises CannotEdit where the text inside, or one around it, is not shown as it is."""
    inside = file.inside
    while inside is not None:
        if inside.refused:
            raise CannotEdit(inside.refused)
        inside = inside.host.inside


Changed = tuple[File, list[Edit]]


def prove_outside(changed: Sequence[Changed]) -> None:
    """Raise ProofFailed unless the edits of documents inside others leave those around them as they were, but for the
    scalars, and the new value of each scalar reads as the edited document inside. Each host is read once."""
    hosts: dict[File, list[Changed]] = {}
    for file, edits in changed:
        if file.inside is not None:
            hosts.setdefault(file.inside.host, []).append((file, edits))
    if not hosts:
        return
    for host, inner in hosts.items():
        _prove_host(host, inner)
    prove_outside([(host, _all_edits(inner)) for host, inner in hosts.items() if host.inside is not None])


def _all_edits(changed: Sequence[Changed]) -> list[Edit]:
    return sorted({edit for _, edits in changed for edit in edits})


def _prove_host(host: File, inner: list[Changed]) -> None:
    scalars: list[Changed] = []
    for file, edits in inner:
        assert file.inside is not None
        if file.inside.kind == "cell":
            from vllm_migrate.documents.notebook.document import CellSource
            from vllm_migrate.documents.notebook.proof import prove_cells

            assert isinstance(file.source, CellSource)
            prove_cells(file.source, edits)
        elif file.inside.kind == "container":
            assert host.data is not None
            reparse(host.data, edits)
        elif file.inside.kind not in ("list", "nested"):
            scalars.append((file, edits))
    nested = [(file, edits) for file, edits in inner if file.inside is not None and file.inside.kind == "nested"]
    if nested:
        from vllm_migrate.documents.shell.proof import prove_around

        assert host.shell is not None
        prove_around(host.shell, _all_edits(nested))
    if scalars:
        _prove_scalars(host, scalars)


def _prove_scalars(host: File, scalars: list[Changed]) -> None:
    assert host.data is not None
    edits = _all_edits(scalars)
    after = reparse(host.data, edits)
    ops: dict[int, list[Op]] = {}
    for file, own in scalars:
        inside = file.inside
        assert inside is not None
        node = after.roots[inside.document] if inside.document < len(after.roots) else None
        found = node.at(inside.path) if node is not None else None
        if found is None or not isinstance(found.value, str):
            raise ProofFailed("the text around it reads back differently")
        _same_inside(file, own, found)
        ops.setdefault(inside.document, []).append(Op(SET, inside.path, found.value))
    prove_several(host.data, edits, ops)


def _same_inside(file: File, edits: list[Edit], found: Node) -> None:
    """The text as edited in place, and as the scalar's new value gives it, are the same document."""
    from vllm_migrate.documents.text.source import edited

    value = str(found.value)
    if file.shell is not None:
        inside = file.inside
        value = value.replace("\n", " ") if inside is not None and inside.kind == "words" else value
        if _words(edited(file.shell.source, file.shell.unfolded(edits)).text) != _words(value):
            raise ProofFailed("the scalar reads back as a different script")
        return
    assert file.data is not None
    from vllm_migrate.documents.yaml.document import parse_yaml

    mine = reparse(file.data, edits)
    theirs = parse_yaml(Source(file.path, b"", value, False, "\n"))
    if [root.plain() for root in mine.roots] != [root.plain() for root in theirs.roots]:
        raise ProofFailed("the scalar reads back as a different document")

"""Engines started by a command line: the words after `vllm serve` and the environment they run in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.argv import is_option
from vllm_migrate.dialects.composition import Composed, UnreadInput
from vllm_migrate.dialects.env_files import EnvSource, variables_from
from vllm_migrate.dialects.images import image_at, image_name, image_text, tells
from vllm_migrate.dialects.model import CommandLine, Engine, Fact, Origin, Spot, Written
from vllm_migrate.dialects.named import laid_over, named_config, unfound_config
from vllm_migrate.dialects.overrides import Above, Override, is_assumed, overrides_in, tree_of_overrides
from vllm_migrate.dialects.own_flags import tree_of_flags
from vllm_migrate.dialects.reading import Reader, engines_in, of_spec
from vllm_migrate.dialects.recognition import at_command, carries, origin_of, recognised
from vllm_migrate.dialects.remarks import remarks_on_options, remarks_on_overrides
from vllm_migrate.dialects.tree import File, Place, Tree, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.shell.document import Command, ShellDocument, Word
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.records import Dialect, Sign

SHELLS = frozenset(("sh", "bash", "dash", "zsh"))
# What prints its words, tests them, looks for them or works on files: `echo vllm serve MODEL` starts nothing.
_NEVER_STARTS = frozenset(
    (
        *("echo", "printf", "print", "log", "info", "warn", "warning", "error", "debug", "die", "fail"),
        *("msg", "say", "usage", "read", "cat", "tee", "less", "head", "tail", "wc", "sort", "cut"),
        *("tr", "sed", "awk", "grep", "egrep", "fgrep", "rg", "[", "[[", "test", ":", "true", "false"),
        *("exit", "return", "shift", "cd", "pushd", "popd", "pwd", "sleep", "wait", "set", "unset"),
        *("export", "local", "declare", "typeset", "readonly", "alias", "trap", "ulimit", "umask"),
        *("pgrep", "pkill", "killall", "kill", "ps", "which", "type", "whereis", "man", "mkdir", "rm"),
        *("rmdir", "cp", "mv", "ln", "ls", "touch", "chmod", "chown", "tar", "unzip", "rsync", "scp"),
        *("curl", "wget", "git", "pip", "pip3", "conda", "apt", "apt-get", "yum", "dnf", "brew"),
        "nvidia-smi",
    )
)


def engines_of_script(file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace) -> list[Engine]:
    """Every engine that a script's commands start, by options of their own or by overrides of a configuration."""
    assert file.shell is not None
    out: list[Engine] = []
    dialects = [dialect for dialect in dialects if carries(dialect, file)]
    for command in file.shell.commands:
        if command.after >= 0:
            continue  # no command, but what a broken continuation took from one
        if command.written and command.written[0].raw in _NEVER_STARTS:
            continue
        line = _Line(file, file.shell, command, catalog, workspace)
        for dialect in dialects:
            engines = line.engines(dialect)
            if engines is not None:
                # The number among the script's engines, not among its commands: fixes add and drop commands.
                out.extend(engine.replace(ident=f"{engine.id}{n}") for n, engine in enumerate(engines, len(out)))
                break
    return out


class _Line:
    """One command, its words read once for all dialects."""

    def __init__(
        self, file: File, document: ShellDocument, command: Command, catalog: Catalog, workspace: Workspace
    ) -> None:
        self.file = file
        self.document = document
        self.command = command
        self.catalog = catalog
        self.workspace = workspace
        self.texts = [word.value if word.value is not None else word.raw for word in command.words]
        self.names = [text.rpartition("/")[2] for text in self.texts]
        self._overrides: list[Override] | None = None
        self._tree: Tree | None = None
        self._named: dict[str, Composed | None] = {}
        self._configured: dict[str, Tree | None] = {}

    def engines(self, dialect: Dialect) -> list[Engine] | None:
        """The engines that the command starts, as a dialect reads it, their ids without a number; None where the dialect
        does not know it."""
        kind = dialect.compose
        if kind != "none":
            if self._overrides is None:
                self._tree = tree_of_overrides(self.file, self.command, self.overrides)
            if kind not in self._configured:
                self._configured[kind] = self._configuration(dialect, self._tree)
            configuration = self._configured[kind]
            engines = self._composed(dialect, configuration) if configuration is not None else []
            if not engines and self.command.lost:
                engines = self._all_cut_off(dialect)
            return engines or None
        begin = self._begins(dialect) if self._may_begin(dialect) else None
        if begin is None:
            return None
        start, entrypoint = begin
        return (
            self._by_flags(dialect, start)
            if dialect.flags is not None
            else [self._by_options(dialect, start, entrypoint)]
        )

    @cached_property
    def image(self) -> int:
        """Index of the image that the command runs a container of; 0 where it runs none."""
        return image_at(self.command.words, self.catalog)

    def _may_begin(self, dialect: Dialect) -> bool:
        """False only where none of a dialect's signs is in the command."""
        first = dialect.first_words
        return first is None or not first.isdisjoint(self.names) or (dialect.knows_images and bool(self.image))

    def _begins(self, dialect: Dialect) -> tuple[int, str] | None:
        """Index of the first word after the dialect's sign in a command, and the program that the sign starts ("": the
        dialect's own); None when the sign is not there."""
        texts, names = self.texts, self.names
        for sign in dialect.recognise:
            if sign.words and (sign.telling or sign.words[0] in names):
                first, *others = sign.words
                for at, name in enumerate(names[: len(names) - len(others)]):
                    end = at + len(sign.words)
                    named = name == first if not sign.telling else self.command.words[at].value is None
                    if (
                        named
                        and texts[at + 1 : end] == others
                        and not _gives(texts[at:], sign.without_option)
                        and all(_gives(texts[end:], option) for option in sign.with_option.split())
                        and (not sign.telling or self._options_tell(end, sign.telling))
                    ):
                        return end, sign.entrypoint or ""
            if sign.image and self.image and self._runs_image(sign):
                started = _own_program(texts, self.image, dialect)
                if started is not None:
                    return started or self.image + 1, sign.entrypoint or ""
        return None

    def _options_tell(self, start: int, least: int) -> bool:
        """Whether the options behind a program that the file does not name are vLLM's."""
        first = next((at for at in range(start, len(self.texts)) if is_option(self.texts[at])), None)
        return first is not None and tells("", self.texts[first:], (), least, self.catalog)

    def _runs_image(self, sign: Sign) -> bool:
        """Whether the command runs one of a sign's images with the arguments that it asks for."""
        if "*" in sign.image and self._enters_vllm():
            return True
        image, behind = image_text(self.command.words[self.image]), self.command.words[self.image + 1 :]
        if sign.with_option and not _gives(self.texts[self.image + 1 :], sign.with_option):
            return False
        if not sign.telling:
            return image_name(image) in sign.image
        before = [found[1] for text in self.texts[: self.image] if (found := _NAMED.match(text))]
        variables = [*before, *(name for name, _ in self.command.assignments)]
        arguments = [_known(word) or word.raw.strip("\"'") for word in behind]
        return tells(image, arguments, variables, sign.telling, self.catalog)

    def _enters_vllm(self) -> bool:
        """Whether the container's program is vLLM's by its name: `--entrypoint /usr/bin/vllm IMAGE serve MODEL`."""
        return _entrypoint(self.texts, self.image) == "vllm" and self.texts[self.image + 1 : self.image + 2] == [
            "serve"
        ]

    @property
    def overrides(self) -> list[Override]:
        if self._overrides is None:
            self._overrides = overrides_in(self.command.words)
        return self._overrides

    def _configuration(self, dialect: Dialect, over: Tree | None) -> Tree | None:
        """What the command configures word by word, over the configuration that it names."""
        kind = dialect.compose
        if kind == "ordered_files":
            over = None
        elif over is None:
            return None
        if kind not in self._named:
            self._named[kind] = named_config(self.file, self.command, self.workspace, kind)
        named = self._named[kind]
        if named is not None and kind == "ordered_files" and dialect.flags is not None:
            # Such a command is known by the files it names; its flags go over them.
            over = tree_of_flags(self.file, self.command, 1, dialect.flags)
        return over if named is None else named.tree if over is None else laid_over(named, over)

    def _composed(self, dialect: Dialect, configuration: Tree) -> list[Engine]:
        """Engines of a command that sets a framework's configuration."""
        tree = recognised(dialect, configuration, self.catalog)
        if tree is None:
            return []
        named, word = self._named[dialect.compose], self.command.words[0]
        origin = self._origin(dialect, 0)
        lost = unfound_config(self.file, self.command, dialect.own_configs) if named is None else None
        missing = [lost] if lost is not None and dialect.compose == "hydra" else []
        script = self._script()
        if script is not None:
            missing.append(self._unread_word(_shown(script.raw), script))
        origin = origin._replace(missing=missing) if missing else origin
        engines = engines_in(origin, tree, named, self._variables(0))
        for engine in engines[:1]:  # further ones stand where their own settings begin
            remarks = remarks_on_overrides(engine, self.command, self.overrides, named.tree if named else None)
            engines[0] = engine.replace(container=Spot(self.file, word.start, word.end), remarks=remarks)
        return [engine.replace(ident=f"{engine.id}#") for engine in engines]

    def _script(self) -> Word | None:
        """The script that gets what the command sets, and may set more: `bash train.sh trainer.x=1`."""
        shell = next((at for at, name in enumerate(self.names) if name in SHELLS), len(self.names))
        words = (word for word in self.command.words[shell + 1 :] if not word.raw.startswith("-"))
        first = next(words, None)
        return first if first is not None and first.raw.strip("\"'").endswith((".sh", ".bash")) else None

    def _all_cut_off(self, dialect: Dialect) -> list[Engine]:
        """An engine all of whose overrides a broken continuation takes away: it runs with what the framework passes."""
        words = [*self.command.words, *(word for broken in self.command.lost for word in broken.lost)]
        tree = tree_of_overrides(self.file, self.command, overrides_in(words))
        configuration = self._configuration(dialect, tree)
        engines = self._composed(dialect, configuration)[:1] if configuration is not None else []
        return [Engine(e.id, e.origin, e.facts, e.container, remarks=e.remarks) for e in engines]

    def _by_flags(self, dialect: Dialect, start: int) -> list[Engine]:
        """Engines of a command of a framework with flags of its own."""
        tree = tree_of_flags(self.file, self.command, start, dialect.flags) if dialect.flags is not None else None
        if tree is None:
            return []
        word = self.command.words[start - 1]
        container = Spot(self.file, word.start, word.end)
        remarks = remarks_on_options(self.file, self.command, start)
        engines = engines_in(self._origin(dialect, start), tree, None, self._variables(start))
        return [
            engine.replace(ident=f"{dialect.id}:", container=container, remarks=() if number else remarks)
            for number, engine in enumerate(engines)
        ]

    def _by_options(self, dialect: Dialect, start: int, entrypoint: str) -> Engine:
        """The engine of a command with vLLM's own options."""
        origin = of_spec(self._origin(dialect, start), dialect.engines[0])
        if entrypoint:
            origin = origin._replace(entrypoint=entrypoint)
        words = self.command.words
        groups = _groups(words, start)
        origin = origin._replace(missing=self._unread(groups, origin))
        configs = [config for group in groups if (config := self._config_file(group)) is not None]
        if configs:
            origin = origin._replace(files=[configs[-1], self.file])
        reader = Reader(origin, self._variables(start))
        for config in configs:
            reader.options.extend(_settings_in(config, len(reader.options)))
        from_files = len(reader.options)
        reader.options.extend(self._option(group, number) for number, group in enumerate(groups, from_files))
        first, last = words[max(start - 2, 0)], words[start - 1]
        container = Spot(self.file, first.start, max(last.end, first.end))
        remarks = remarks_on_options(self.file, self.command, start)
        return reader.engine(f"{dialect.id}:", container, remarks)

    def _origin(self, dialect: Dialect, start: int) -> Origin:
        origin = at_command(origin_of(self.file, dialect, self.workspace), self.command.start, self.command.end)
        sources = self._env_sources(start)
        unread = tuple(each.shown for each in sources if variables_from(each, self.workspace) is None)
        return origin._replace(argv=CommandLine(self.command.index, start), unread_variables=unread)

    def _option(self, group: list[int], number: int) -> Written:
        """An option with the values behind it, or the model before any option."""
        words = self.command.words
        head = words[group[0]]
        values: list[object] = [_value(words[at]) for at in group[1:]]
        key, eq, _ = _known(head).partition("=")
        if not key.startswith("-"):
            key = eq = ""
            values.insert(0, _value(head))
        elif eq:
            text = head.assumed
            values.insert(0, Unknown(_behind(head.raw)) if text is None else text.partition("=")[2])
        value: object = True if not values else values[0] if len(values) == 1 else values
        spot = Spot(self.file, head.start, head.end)
        value_spot = Spot(self.file, head.start, words[group[-1]].end)
        assumed = " ".join(_shown(words[at].unknown) for at in group if is_assumed(words[at]))
        return Written(key, "", value, spot, value_spot, number, value, words=group, attached=bool(eq), assumed=assumed)

    def _config_file(self, group: list[int]) -> File | None:
        """The file of `--config FILE`. `--config=FILE` reads nothing."""
        words = self.command.words
        name = words[group[1]].value if len(group) > 1 and words[group[0]].value == "--config" else None
        if not name:
            return None
        if name.startswith("/") and name.endswith((".yaml", ".yml")):
            from vllm_migrate.dialects.mounts import mounted

            config = mounted(self.file, name, self.workspace)
            if config is not None and tree_of(config) is not None:
                if config.inside is None:
                    self.workspace.claimed.add(os.path.normpath(config.path))
                return config
        for path in dict.fromkeys((os.path.join(os.path.dirname(self.file.path), name), name)):
            config = self.workspace.load(path) if path.endswith((".yaml", ".yml")) else None
            if config is not None:
                if tree_of(config) is None:
                    return None
                self.workspace.claimed.add(os.path.normpath(config.path))
                return config
        return None

    def _sourced(self) -> Iterator[Fact]:
        """What scripts export that are sourced before the command, where they lie beside this one; of each the last time counts."""
        names: dict[str, None] = {}
        for command in self.document.sourcing:
            words = command.words
            if command.start < self.command.start:
                name = words[1].value or words[1].raw.rpartition("/")[2].strip('"')  # "$(dirname "$0")/env.sh"
                names.pop(name, None)
                names[name] = None
        for name in names:
            if not name.endswith((".sh", ".bash")) or name.startswith(("/", "~", "$")):
                continue
            other = self.workspace.load(os.path.normpath(os.path.join(os.path.dirname(self.file.path), name)))
            if other is not None and other.shell is not None and other is not self.file:
                yield from (variable(other, key, word) for key, word in other.shell.exports)

    def _unread(self, groups: list[list[int]], origin: Origin) -> list[UnreadInput]:
        """What may hold more options than are seen: a `--config` file that is not here, words that an expansion brings."""
        out: list[UnreadInput] = []
        words, flags = self.command.words, self.catalog.flags(origin.target)
        for number, group in enumerate(groups):
            head = _known(words[group[0]])
            name, eq, _ = head.partition("=")
            if head == "--config" and len(group) > 1 and self._config_file(group) is None:
                out.append(self._unread_word(f"--config {words[group[1]].raw}", words[group[1]]))
            flag = flags.get(name) if name.startswith("-") else None
            if flag is not None and flag.takes_value and not eq:
                values = group[1:] if flag.nargs in ("+", "*") else group[2:]
            elif name.startswith("-"):
                values = group[1:] if flag is not None else group[2:]
            else:
                values = group[1:] if number == 0 else group  # the first word is the model
            several = [at for at in group if _is_list(words[at].raw)]
            out += [
                self._unread_word(_shown(words[at].raw), words[at])
                for at in dict.fromkeys((*several, *values))
                if words[at].assumed is None and not words[at].prefix and (at in several or self._splits(words[at]))
            ]
        return out

    def _unread_word(self, name: str, word: Word) -> UnreadInput:
        place = Place(self.file, self.command.index, (), Above(word), word.start, word.end)
        return UnreadInput(name, place, inline=True)

    def _splits(self, word: Word) -> bool:
        """Whether a shell makes several words of one that it expands: not in quotes, nor where no shell reads it."""
        return word.raw.startswith("$") and (self.file.inside is None or self.file.inside.kind != "container")

    def _env_sources(self, start: int) -> list[EnvSource]:
        """What the container of the command, and words such as `--env-file FILE` before the program, take variables from."""
        found, words = list(self.file.env_sources), self.command.words[: start or None]
        for word, after in zip(words, (*words[1:], None), strict=False):
            name, equals, value = (word.value or "").partition("=")
            if name == "--env-file" and (equals or after is not None):
                path = value if equals or after is None else after.value or after.raw
                found.append(EnvSource("file", path, self.file.outermost))
        return found

    def _variables(self, start: int) -> dict[str, Fact]:
        """Variables around the script, exported before the command, and written in front of it, the nearest last."""
        file, command = self.file, self.command
        found = [fact for source in self._env_sources(start) for fact in variables_from(source, self.workspace) or ()]
        found.extend(_around(name, value, item) for name, value, item in file.variables)
        if self.document.outer is not None and file.inside is not None:
            found.extend(_around_string(file.inside.host, self.document.outer, command))
        found.extend(self._sourced())
        found.extend(variable(file, name, word) for name, word in self.document.exports if word.start < command.start)
        found.extend(variable(file, name, word) for name, word in command.assignments)
        found.extend(_set_by_words(file, command.words[:start]))
        return {fact.written.option: fact for fact in found if fact.written is not None}


def _is_list(raw: str) -> bool:
    """Whether an expansion gives all of a list: "$@", "${ARGS[@]}"."""
    return raw.strip('"') in ("$@", "$*", "${@}", "${*}") or "[@]" in raw or "[*]" in raw


def _settings_in(config: File, number: int) -> Iterator[Written]:
    """The settings of a `--config` file, which go before those of the command line."""
    tree = tree_of(config)
    assert tree is not None
    for key, child in tree.children.items():
        value = child.plain() if child.is_map or child.is_seq else child.value
        place = child.place
        spot = Spot(config, place.key_start, place.key_end)
        yield Written(key, "", value, spot, Spot(config, place.node.start, place.node.end), number, value, child)
        number += 1


def _own_program(texts: list[str], image: int, dialect: Dialect) -> int | None:
    """Index of the first argument where `--entrypoint` or the first word behind the image names the program: 0 when the
    image's own runs, None when it is another that this dialect does not know here."""
    named = _entrypoint(texts, image)
    if named is None:
        return None if os.path.basename("".join(texts[image + 1 : image + 2])) in SHELLS else 0
    rest = [named, *texts[image + 1 :]]
    for sign in dialect.recognise:
        if sign.words and tuple(rest[: len(sign.words)]) == sign.words:
            return image + len(sign.words)
    return None


def _entrypoint(texts: list[str], image: int) -> str | None:
    """The name of the program that `--entrypoint` puts in the place of the image's."""
    named = None
    for at, text in enumerate(texts[:image]):
        if text.partition("=")[0] == "--entrypoint":
            named = text.partition("=")[2] or texts[at + 1]
    return None if named is None else os.path.basename(named)


def _gives(texts: list[str], option: str) -> bool:
    return bool(option) and any(text.partition("=")[0] == option for text in texts)


def _groups(words: list[Word], start: int) -> list[list[int]]:
    """Indexes of the words of each option: the option itself and what follows up to the next one."""
    out: list[list[int]] = []
    for at in range(start, len(words)):
        if is_option(_known(words[at])):
            out.append([at])
        elif out:
            out[-1].append(at)
        else:
            out.append([at])  # the model, before any option
    return out


def _known(word: Word) -> str:
    """A word's text; of one that is partly decided elsewhere, `--option=` where that much is known, else ""."""
    if word.value is not None:
        return word.value
    return word.prefix if word.prefix.startswith("--") and "=" in word.prefix else ""


def _value(word: Word) -> object:
    value = word.assumed
    return Unknown(_shown(word.raw)) if value is None else value


def _behind(raw: str) -> str:
    """What stands behind the `=` of a word, without the end of a quote that begins before it."""
    value = raw.partition("=")[2]
    return value.removesuffix(raw[0]) if raw[0] in ("'", '"') else value


# As a template stands in a script that is read (embedded.py).
_TEMPLATED = re.compile(r"\$\{__+\}")


def _shown(raw: str) -> str:
    """A word that the file does not decide, as a report shows it."""
    return _TEMPLATED.sub("{{...}}", raw) if "${__" in raw else raw


# What starts a command elsewhere: the variables of the script do not come with it, those on its command line do.
ELSEWHERE = frozenset(("ssh", "docker", "podman", "nerdctl", "kubectl", "ray", "enroot", "singularity", "apptainer"))


def _around_string(host: File, outer: ShellDocument, inner: Command) -> Iterator[Fact]:
    """The environment of a script in a string or heredoc: what is exported before it, and what stands on its command."""
    before = [command for command in outer.commands if command.start < inner.start]
    if not before:
        yield from (variable(host, name, word) for name, word in outer.exports if word.start < inner.start)
        return
    holder = before[-1]
    if ELSEWHERE.isdisjoint(os.path.basename(word.raw) for word in holder.written[:2]):
        yield from (variable(host, name, word) for name, word in outer.exports if word.start < inner.start)
        yield from (variable(host, name, word) for name, word in holder.assignments)
    yield from _set_by_words(host, holder.written)


# A word that sets a variable for what a command starts: `A=1`, and with the flag in one word `--env=A=1`, `-eA=1`.
_NAMED = re.compile(r"(?:--env=|-e=?)?([A-Z0-9_]*[A-Z][A-Z0-9_]*)=([\s\S]*)\Z")


def _set_by_words(file: File, words: Sequence[Word]) -> Iterator[Fact]:
    """`NAME=value` among the words of a command (`env A=1 vllm serve`, `docker run -e A=1`)."""
    for word in words:
        found = _NAMED.match(word.value or "")
        if found is not None:
            yield variable(file, found[1], word, found[2])


# A variable with a default, as compose and shells write it.
_DEFAULT = re.compile(r"\$\{\w+:?-([^${}]+)\}")


def _around(name: str, value: Tree, item: Tree) -> Fact:
    node = value.place.node
    text = value.value if isinstance(value.value, str) else value.place.file.source.text[node.start : node.end]
    spot = Spot(item.place.file, item.place.key_start, node.end)
    default = _DEFAULT.fullmatch(text)
    if default is not None:
        return Fact(default[1], Written(name, f"env.{name}", default[1], spot, spot, tree=item, assumed=text))
    return Fact(text, Written(name, f"env.{name}", text, spot, spot, tree=item))


def variable(file: File, name: str, word: Word, own: str | None = None) -> Fact:
    """A variable that a word sets. `own`: the value, where the word holds more than that."""
    value = own if own is not None else word.assumed
    spot = Spot(file, word.start if own is not None else _name_start(file, name, word), word.end)
    if value is None:
        unknown = Undetermined((f"the value of {name}",))
        return Fact(unknown, Written(name, f"env.{name}", Unknown(word.raw), spot, spot))
    assumed = word.unknown if own is None and is_assumed(word) else ""
    return Fact(value, Written(name, f"env.{name}", value, spot, spot, assumed=assumed))


def _name_start(file: File, name: str, word: Word) -> int:
    """Where `NAME=` begins, which stands directly before its value."""
    start = word.start - len(name) - 1
    return start if file.source.text.startswith(name + "=", start) else word.start

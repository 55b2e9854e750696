"""What vLLM does to the words of a command line before argparse sees them, release by release.

`FlexibleArgumentParser.parse_args` moves or refuses `--model`, puts the configuration file's words in their place,
reads `_` as `-`, rewrites `-O3`, and joins dotted keys (`--compilation-config.mode 3`) to one JSON object. Read from
the sources of all releases; `tests/real` holds it against the real parsers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.documents.interface import Unknown


class Token(NamedTuple):
    """One argument and the number of the setting it came from.

    text: Unknown where the files do not decide it; a mapping stands for its JSON. also: the numbers of further settings
    that were joined to this one.
    """

    text: object
    source: int
    also: tuple[int, ...] = ()


class Stop(Exception):
    """The program ends before argparse is asked. `source`: the setting to blame."""

    def __init__(self, text: str, source: int) -> None:
        super().__init__(text)
        self.text = text
        self.source = source


class Era(NamedTuple):
    """How a release treats its words.

    level: what `-O3` becomes ("" nothing, "--optimization-level", else a dotted key); renamed: `-O.` is `-cc.`; dotted: keys with dots are
    joined ("" no, "text" values stay text and only long options count, "json"); humans: 2k is a number in dotted
    values too; whole_head: `_` is `-` behind a dot too; model: `--model` behind `serve` is "refused" or moved to the
    "front"; name: `--served-model-name` needs the model first; bare: the server's module takes a word
    for the model, and reads `--model` all the same; config: it reads `--config` as its first word.
    """

    level: str
    renamed: bool
    dotted: str
    humans: bool
    whole_head: bool
    model: str
    name: bool
    bare: bool
    config: bool


@lru_cache(64)
def era(catalog: Catalog, release: str) -> Era:
    """How a release treats its words. Raises UnknownRelease."""
    at = catalog.ordinal(release)
    since = {r: at >= catalog.ordinal(r) for r in _CHANGES}
    level = "" if not since["0.9.2"] else "-O.level" if not since["0.11.1"] else "-O.mode"
    return Era(
        level="--optimization-level" if since["0.12.0"] else level,
        renamed=since["0.12.0"] and not since["0.13.0"],
        dotted="json" if since["0.9.2"] else "text" if since["0.9.0"] else "",
        humans=since["0.20.0"],
        whole_head=not since["0.9.1"],
        model="front" if since["0.11.1"] else "refused",
        name=since["0.17.0"],
        bare=since["0.10.0"],
        config=since["0.10.2"],
    )


_CHANGES = ("0.9.0", "0.9.1", "0.9.2", "0.10.0", "0.10.2", "0.11.1", "0.12.0", "0.13.0", "0.17.0", "0.20.0")


def assemble(command: list[Token], config: list[Token], serve: bool, rules: Era, unread: bool = False) -> list[Token]:
    """The words of a command line with the configuration file's spliced in. unread: more may be set, which is not seen. Raises Stop."""
    words = _model_first(command, rules) if serve else list(command)
    at = next((i for i, word in enumerate(words) if word.text == "--config"), -1)
    if at < 0:
        # A file by itself, or one of a framework that passes its settings in another way.
        return words[:1] + config + words[1:] if words and not _dashed(words[0]) else config + words
    if sum(word.text == "--config" for word in words) > 1:
        raise Stop("more than one --config", words[at].source)
    if at == len(words) - 1:
        raise Stop("--config expects a file", words[at].source)
    name = words[at + 1].text
    if isinstance(name, str) and not name.endswith((".yaml", ".yml")):
        raise Stop(f"--config reads .yaml and .yml files only, not {name}", words[at].source)
    rest = words[at + 2 :]
    if serve:
        if not _dashed(words[0]):
            return [words[0], *config, *words[1:at], *rest]
        if not unread and not any(word.text == "--model" for word in config):
            raise Stop("no model: neither the first word nor the configuration file names one", words[at].source)
        return [*config, *words[:at], *rest]
    if rules.config and _dashed(words[0]):
        return [*config, *words[:at], *rest]
    return [words[0], *config, *words[1:at], *rest]


def _dashed(word: Token) -> bool:
    return isinstance(word.text, str) and word.text.startswith("-")


def _model_first(command: list[Token], rules: Era) -> list[Token]:
    """`vllm serve --model X`: refused, or read as `vllm serve X`."""
    words = list(command)
    for at, (text, source, _) in enumerate(words):
        if not isinstance(text, str) or not (text == "--model" or text.startswith("--model=")):
            continue
        if rules.model == "refused":
            if text == "--model":
                raise Stop("vllm serve takes the model as its first argument or from the file, not as --model", source)
            continue
        attached = text.startswith("--model=")
        if not attached and at + 1 >= len(words):
            raise Stop("--model expects a value", source)
        model = Token(text[len("--model=") :], source) if attached else words[at + 1]
        words = [model, *words[:at], *words[at + (1 if attached else 2) :]]
        break
    if rules.name and words and _dashed(words[0]) and not any(_is_option(word, "--config") for word in words):
        named = next((word for word in words if _is_option(word, "--served-model-name")), None)
        if named is not None:
            raise Stop("vllm serve takes the model as its first argument, before --served-model-name", named.source)
    return words


def _is_option(word: Token, option: str) -> bool:
    head = word.text.partition("=")[0] if isinstance(word.text, str) else ""
    return head.replace("_", "-") == option


def option_text(word: str, whole_head: bool = False) -> str:
    """An option word as the parser compares it: `--max_model_len` is `--max-model-len`, keys behind a dot stay."""
    if not word.startswith("--"):
        return word
    head, eq, tail = word.partition("=")
    name, dot, rest = (head, "", "") if whole_head else head.partition(".")
    return name.replace("_", "-") + dot + rest + eq + tail


def rewrite(words: list[Token], rules: Era) -> list[Token]:
    """The words as argparse gets them. Raises Stop."""
    out: list[Token] = []
    dots = False
    for at, word in enumerate(words):
        text = word.text
        if not isinstance(text, str) or not text.startswith("-") or len(text) < 2:
            out.append(word)
        elif text.startswith("--help="):
            out.append(word._replace(text="--help"))
        elif text.startswith("--"):
            text = option_text(text, rules.whole_head)
            dots = dots or "." in text
            out.append(Token(text, word.source, word.also))
        elif text.startswith("-O") and rules.level:
            new = _level(text, words[at + 1].text if at + 1 < len(words) else None, rules)
            dots = dots or any("." in part for part in new)
            out.extend(word._replace(text=part) for part in new)
        else:
            dots = dots or "." in text
            out.append(word)
    return _joined(out, rules) if dots and rules.dotted else out


def _level(text: str, following: object, rules: Era) -> list[str]:
    """-O3, -O=3 and -O 3."""
    option = rules.level
    if text == "-O":
        return [option] if following in ("0", "1", "2", "3") else [text]
    if text[2] == "." and rules.renamed:
        return ["-cc" + text[2:]]
    level = text[3:] if text[2] == "=" else text[2:]
    if option == "--optimization-level":
        return [option, level]
    return [text] if text[2] == "." else [f"{option}={level}"]


def _joined(words: list[Token], rules: Era) -> list[Token]:
    """Dotted keys, joined to one mapping an option, behind all other words."""
    out: list[Token] = []
    mappings: dict[str, dict[str, object]] = {}
    sources: dict[str, list[int]] = {}
    prefix = "--" if rules.dotted == "text" else "-"
    at = 0
    while at < len(words):
        word = words[at]
        text = word.text if isinstance(word.text, str) else ""
        at += 1
        head, eq, attached = text.partition("=")
        if not text.startswith(prefix) or "." not in head:
            out.append(word)
            continue
        value: object = attached
        if not eq:
            if at >= len(words):
                raise Stop(f"{text} expects a value", word.source)
            value = words[at].text
            at += 1
        key, *keys = head.split(".")
        _merge(mappings.setdefault(key, {}), _nested(keys, value, rules))
        sources.setdefault(key, []).append(word.source)
    for key, mapping in mappings.items():
        first, also = sources[key][-1], tuple(dict.fromkeys(sources[key][:-1]))
        out += [Token(key, first, also), Token(mapping, first, also)]
    return out


def _nested(keys: list[str], value: object, rules: Era) -> dict[str, object]:
    if rules.dotted == "json":
        if keys[-1].endswith("+"):
            keys = [*keys[:-1], keys[-1][:-1]]
            value = list(value.split(",")) if isinstance(value, str) else [value]
        else:
            value = _literal(value, rules.humans)
    for key in reversed(keys):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _literal(value: object, humans: bool) -> object:
    if not isinstance(value, str) or isinstance(value, Unknown):
        return value
    import json

    from vllm_migrate.dialects.argv_types import Refused, human

    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        return human(value) if humans else value
    except Refused:
        return value


def _merge(mapping: dict[str, object], update: dict[str, object]) -> None:
    for key, value in update.items():
        old = mapping.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            old.extend(value)
        else:
            mapping[key] = value

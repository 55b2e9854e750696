"""The search for secrets in one text, whatever its syntax: each name of a secret, and the value that follows it.

A value follows its name through the punctuation that YAML, JSON, TOML, shell, Python, Dockerfiles, requirement lines and
texts inside strings put between the two; so one search does for all of them, and for files that do not parse. Each value is
given as it stands and as it is read: without quotes, with escapes resolved, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.documents.text.names_of_secrets import is_harmless, is_secret, words_of
from vllm_migrate.documents.text.patterns import compiled

NAMES = (
    *("token", "key", "pass", "pwd", "secret", "cred", "auth", "bearer", "cookie", "jwt", "dsn", "webhook"),
    *("_pat", "-pat", "connection", "conn_str"),
)
WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
# How far a name is looked back from the hint in it, and how long a value may be.
LONGEST_NAME, LONGEST_VALUE = 80, 8_000
SHORTEST, SHORTEST_PLAIN, SHORTEST_WORDS = 6, 8, 16
LONGEST_ADDRESS = 2_000
# How far the rest of a line is read.
LONGEST_REST = 400

QUOTE = r"\\*(?:\"|')"
# From a name to its value. Alternatives, in order: a pair of Kubernetes or of an option's default; what assigns; a comma
# behind a quoted name (an argument, or the next word of a list); the next item of a list; a space behind a flag.
BEFORE_VALUE = re.compile(
    rf"(?P<close>{QUOTE})?[\])]*"
    r"(?P<link>"
    rf"\s*,?\s*(?:-\s+)?{QUOTE}?(?:value|default|defaultValue|default_value|val)\b{QUOTE}?\s*[:=]\s*"
    rf"|\s*,[^()\n]{{0,160}}?\bdefault\s*=\s*"
    r"|\s*(?:\[[^\]\n]{0,60}\])?\s*:[^\S\n]+[\w.\[\]| \"]{1,60}?=\s*(?=(?:\w*[fF]ield\(\s*(?:default\s*=\s*)?)?[rbfuRBFU]{0,2}[\"'])"
    r"|:[-=?+]|-(?=[^\s}]*\})|\s*(?:[:=?+!]?=>?|:)[^\S\n]*|[ \t]*<<<[ \t]*|(?:,[ \t]*\w+)+[ \t]*=[ \t]*(?=[\"'])"
    r"|\s*,\s*"
    r"|\s*\n[ \t]*-[ \t]+"
    r"|[ \t]*\\\n[ \t]*|[ \t]+"
    r")"
    # What may stand between: continued and next lines, comments on lines of their own, anchors, tags, a call or a
    # command that wraps, an authentication's scheme.
    r"(?P<lead>(?:\\\n|\s|-[ \t]+|&[\w-]+[ \t]+|!{1,2}[\w:/.-]*[ \t]+|[\[(]\s*|\{\s*[\"']?(?:value|default)[\"']?\s*:\s*"
    r"|(?<=\s)#[^\n]*\n|(?:(?:str|SecretStr|Secret|os\.getenv|bytes)\(|\w*[fF]ield\(\s*(?:default\s*=)?)\s*"
    r"|\"?\$\((?:echo|printf)[ \t]+|\"?\$\(cat[ \t]*<<-?[ \t]*[\"']?\w+[\"']?\n"
    r"|(?:Bearer|Basic|Token|token|bearer)[ \t]+(?=[\w$<{]))*)"
)
BACK = re.compile(
    rf"(?:value|val){QUOTE}?\s*[:=]\s*(?P<value>{QUOTE}[^\"'\n]*{QUOTE}|[^\s,}}\"']+)\s*,?\s*(?:-\s+)?{QUOTE}?(?:name|key){QUOTE}?\s*[:=]\s*{QUOTE}?$"
)
OPENING = re.compile(r"(?P<prefix>[rbfuRBFU]{0,2}|\$)(?P<quote>\\*(?:\"\"\"|'''|\"|'))")
BARE = re.compile(r"[^\s,;)\]}\"'`|<>]+")
ARGUMENT = re.compile(r"\((?:\s*[\w.]+\s*,(?<=[, ]))?[\"' \n\\]*$")
BLOCK = re.compile(r"[|>][+\-0-9]*[ \t]*(?:#[^\n]*)?\r?\n")
LINE_REST = re.compile(r"[^\n]*?(?=[ \t]+#|[ \t]*\r?(?:\n|\Z))")
REFERENCE = re.compile(
    r"\$\{[^{}]*?(?::[-=?+]|(?<![:\w])-|,)(?P<default>[^{}]*)\}|\$\{?[A-Za-z_0-9][\w:.]*(?:-(?P<plain>[^{}]*))?\}?"
)
NEXT_ITEM = re.compile(r"\s*(?:,\s*|\n[ \t]*-[ \t]+)?(?=[rbfuRBFU]{0,2}\\*[\"'])")
NEXT_BARE_ITEM = re.compile(r"[ \t]*(?:,[ \t]*|\r?\n[ \t]*-[ \t]+)(?![\w.-]*:[ \t\n])")

# What is a secret by its own shape: how it begins, and what follows. Then what stands before one of any beginning.
TOKENS = {
    **dict.fromkeys(("gho_", "ghp_", "ghs_", "ghu_", "ghr_"), r"[A-Za-z0-9]{20,}"),
    **dict.fromkeys(("AKIA", "ASIA"), r"[A-Z0-9]{16}"),
    **dict.fromkeys(("sk_live_", "sk_test_", "rk_live_", "rk_test_", "hf_"), r"[A-Za-z0-9]{16,}"),
    **dict.fromkeys(("gsk_", "r8_"), r"[A-Za-z0-9]{20,}"),
    **dict.fromkeys(("AIza", "pypi-"), r"[\w\-]{30,}"),
    **dict.fromkeys(("nvapi-", "ya29.", "hvs."), r"[\w\-]{20,}"),
    "sk-": r"[A-Za-z0-9_\-]{16,}",
    "github_pat_": r"\w{20,}",
    "glpat-": r"[\w\-]{16,}",
    "xox": r"[abeprs]-[A-Za-z0-9\-]{10,}",
    "npm_": r"[A-Za-z0-9]{30,}",
    "eyJ": r"[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]*",
    "dckr_": r"(?:pat|oat)_[\w\-]{16,}",
    "SG.": r"[\w\-]{16,}\.[\w\-]{16,}",
    "tskey-": r"[\w\-]{10,}",
    "wandb_v": r"\d+_\w{20,}",
    "dapi": r"[0-9a-f]{32}",
}
AFTER = {"hooks.slack.com/services/": r"[\w/]{16,}", "AccountKey=": r"[\w+/=]{20,}"}
# Of an address: a password, a user that is itself a token, and the parts of a query that let somebody in.
IN_ADDRESS = re.compile(
    r"://(?:[^\s/@:\"'$<{]*:(?P<password>[^\s/@$<{\"'][^\s/@\"']*)|(?P<user>[^\s/@:\"'${<]{8,}))@"
    r"|[?&;](?:[\w.-]*(?:token|key|sig|signature|secret|password|credential|auth))=(?P<query>[^\s&#\"'$<{]+)",
    re.IGNORECASE,
)
# The word that follows `wandb login` or `login(`, which take a key without a name.
LOGIN = re.compile(
    r"\blogin(?:[ \t]+--?[\w-]+(?:=\S+)?)*(?:[ \t]+|[\"']?[ \t]*,[ \t]*|\([ \t]*)\\*[\"']?"
    r"(?P<word>[A-Za-z0-9_\-]{20,100}|(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,19})\b"
)
# A password that a command takes as `-p`, behind the name of a user, or from a pipe.
PASSED = {
    "login": r"\blogin\b[^\n|;&]*?[ \t]-p[ \t]*[\"']?(?P<word>[^\s\"'$<]{6,200})",
    "sshpass": r"\bsshpass[ \t]+-p[ \t]*[\"']?(?P<word>[^\s\"'$<]{6,200})",
    "-u": r"[ \t\"'](?:-u|--user)[ \t=\"',]+[\w.@-]+:(?P<word>[^\s\"'$<:/]{8,200})",
    "auth": r"\bauth\b[\"']?[ \t]*[:=][ \t]*[\[(]?[ \t]*[\"']?[\w.@-]+[\"']?[ \t]*[,:][ \t]*[\"']?(?P<word>[^\s\"'$<,)\]:/]{8,200})",
    "BasicAuth": r"BasicAuth\([ \t]*[\"'][^\"'\n]*[\"'][ \t]*,[ \t]*[\"'](?P<word>[^\s\"'$<]{6,200})",
    "-stdin": r"[ \t\"'](?P<word>[^\s\"'$<|]{8,200})[\"']?[ \t]*(?:<<<|\|)?[^\n|]*--password-stdin",
}
# Behind the name in the same statement: what stands in for a value that is missing.
OTHERWISE = re.compile(r"[^\n#]*?\b(?:or|else)[ \t]+(?=[rbfuRBFU]{0,2}[\"'])")
SPACE = re.compile(r"\s")
NAMED_INSIDE = re.compile(r"[\w.+-]+=[^=]")
# The data of a Secret of Kubernetes, whatever its keys are called.
SECRET = r"(?m)^kind:[ \t]*[\"']?Secret\b"
SECRET_DATA = r"(?m)^(?:data|stringData):[^\n]*(?:\n[ \t]+[^\n]*|\n[ \t]*(?=\n))+"
SECRET_LINE = r"(?m)^[ \t]+(?:[\w.-]+:[ \t]+)?[\"']?([^\s|>\"'$<{#][^\n]*?)[\"']?[ \t]*$"
# Headers and base64, however the lines are quoted and joined; a marker that a program looks for has none behind it.
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----(?P<body>(?:[A-Z][\w-]+: [^\n\\]*+|[\w+/=\s\\\"',#>|])*+)")
LONG_ENOUGH = re.compile(r"[\w+/=]{16}")
SCHEME = re.compile(r"^(?:Bearer|Basic|bearer|basic|token|Token)\s+")
ESCAPES = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))", re.DOTALL)
SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "a": "\a"}


def secrets_of(text: str, code: bool) -> tuple[str, ...]:
    """The secrets of a text in every spelling it may be shown in. code: words without quotes are expressions."""
    found: dict[str, None] = {}
    for name, value in values_of(text, code):
        for variant in _variants(value):
            if _distinct(name, variant):
                found[variant] = None
    for value in shapes_of(text):
        for variant in _variants(value):
            if len(variant) >= SHORTEST:
                found[variant] = None
    return tuple(found)


def shapes_of(text: str) -> Iterator[str]:
    """What is a secret by its own shape, or by its place in an address."""
    for start, stop in tokens_in(text):
        yield text[start:stop]
    for hint, pattern in PASSED.items():
        if hint in text:
            for match in compiled(pattern).finditer(text):
                if any(c.isdigit() for c in match["word"]) and any(c.isalpha() for c in match["word"]):
                    yield match["word"]
    if "login" in text.lower():
        for match in LOGIN.finditer(text):
            if drawn(match["word"]):
                yield match["word"]
    at = text.find("://")
    while at >= 0:
        # One address: as far as nothing in it could be white space.
        end = min(len(text), at + LONGEST_ADDRESS)
        for match in IN_ADDRESS.finditer(text, at, _address_end(text, at, end)):
            if match["user"] is None or drawn(match["user"]):
                yield match["password"] or match["user"] or match["query"]
        at = text.find("://", at + 3)
    if "Secret" in text and compiled(SECRET).search(text) is not None:
        for document in text.split("\n---"):
            if compiled(SECRET).search(document) is not None:
                for data in compiled(SECRET_DATA).finditer(document):
                    yield from compiled(SECRET_LINE).findall(data[0])
    if "-----BEGIN" in text:
        for match in PEM.finditer(text):
            if LONG_ENOUGH.search(match["body"]) is not None:
                yield match["body"][:LONGEST_VALUE]


def tokens_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text has what is a secret by its own shape, in order, apart from each other."""
    found: list[tuple[int, int]] = []
    for beginning, rest in (*TOKENS.items(), *AFTER.items()):
        at = text.find(beginning)
        while at >= 0:
            first = at + len(beginning)
            alone = beginning in AFTER or not (text[at - 1 : at].isascii() and text[at - 1 : at].isalnum())
            match = compiled(rest).match(text, first) if alone else None
            if match is not None:
                found.append((first if beginning in AFTER else at, match.end()))
            at = text.find(beginning, at + 1)
    end = 0
    for start, stop in sorted(found, key=lambda span: (span[0], -span[1])):
        if start >= end:
            yield start, stop
            end = stop


def _places(text: str) -> list[int]:
    """Where a text has a part of a name of a secret, in order. Searching for each is faster than one pattern for all."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capital letters have longer small ones
        lowered = "".join(c.lower() if c.isascii() else c for c in text)
    places: list[int] = []
    for hint in NAMES:
        at = lowered.find(hint)
        while at >= 0:
            places.append(at)
            at = lowered.find(hint, at + 1)
    return sorted(places)


def _address_end(text: str, at: int, end: int) -> int:
    found = SPACE.search(text, at, end)
    return end if found is None else found.start()


def values_of(text: str, code: bool) -> Iterator[tuple[str, str]]:
    """Names of secrets with each value that follows one, as they stand in the text."""
    done = 0
    for start in _places(text):
        if start < done:
            continue
        end = start + 1
        first = max(0, start - LONGEST_NAME)
        while start > first and text[start - 1] in WORD:
            start -= 1
        last = min(len(text), end + LONGEST_NAME)
        while end < last and text[end] in WORD:
            end += 1
        done = end
        if text.startswith("${", start - 2) and "-" in text[start:end]:  # `${NAME-default}`
            done = end = text.index("-", start)
        name = text[start:end].strip("-.")
        if not is_secret(name):
            continue
        for value in _values(text, start, end, code):
            if not is_harmless(name, value):
                yield name, value


def _values(text: str, start: int, end: int, code: bool) -> Iterator[str]:
    if (back := BACK.search(text, max(0, start - 300), start)) is not None:
        yield back["value"].strip("\\\"'")
    found = BEFORE_VALUE.match(text, end)
    if found is None:
        # A default inside a reference: `${HF_TOKEN-value}`; elsewhere a dash is a part of the name.
        return
    quoted, link, at = bool(found["close"]), found["link"], found.end()
    flag = text[start] == "-"
    in_reference = text.rfind("${", max(0, start - 40), start) >= 0
    if link.strip() == "" and "\n" not in link and not flag and not quoted and not _directive(text, start):
        return
    argument = quoted and ARGUMENT.search(text, max(0, start - 60), start) is not None
    if link.strip() == "," and not (flag or in_reference or argument):
        return
    if "\n" in link and "-" in link and not (flag or ":" in link):
        return
    yield from _value_at(text, at, code and not in_reference, link, start)


def _directive(text: str, start: int) -> bool:
    """Whether a name is the word of a line that takes its value after a space: ENV of a Dockerfile, a netrc file."""
    before = text[max(0, start - 80) : start].rpartition("\n")[2].strip().lower()
    words = before.split()
    if len(words) > 1 and words[-2] == "login":  # `login USER password`
        return True
    return before in ("env", "arg", "set", "export", "login") or before.endswith((" login", "setx", "%set_env"))


def _value_at(text: str, at: int, code: bool, link: str, name_at: int) -> Iterator[str]:
    if (block := BLOCK.match(text, at)) is not None and ":" in link:
        yield _indented(text, block.end(), name_at)
        return
    for _ in range(50):
        opening = OPENING.match(text, at)
        if opening is not None:
            if code and ":" in link and len(opening["quote"]) == 3 and "\n" in text[name_at:at]:
                return  # the docstring of what has the name
            close = _closing(text, opening.end(), opening["quote"])
            value = text[opening.end() : close]
            made = "f" in opening["prefix"].lower() and "{" in value  # of parts that the program has elsewhere
            if not made and not (code and "\n" in value and len(opening["quote"]) == 1):
                yield value
            at = close + len(opening["quote"])
            following = NEXT_ITEM.match(text, at)
            # `"a" "b"` is one value in two parts; `["a", "b"]` are two. A comma elsewhere begins something else.
            if following is None or ("," in following[0] and "[" not in text[name_at:at]):
                return
            at = following.end()
            continue
        if code:  # a text inside a string, or an expression: only what looks drawn at random
            bare = BARE.match(text, at)
            if bare is not None and link in ("=", ":", " ") and drawn(bare[0]) and bare[0].isalnum():
                yield bare[0]
            elif (otherwise := OTHERWISE.match(text, at, at + LONGEST_REST)) is not None and "=" in link:
                at = otherwise.end()
                continue
            return
        if text.startswith("$", at):
            reference = REFERENCE.match(text, at)
            default = (reference["default"] or reference["plain"]) if reference is not None else None
            if default:
                yield default.strip("\"' ")
            return
        bare = BARE.match(text, at)
        if (
            bare is None
            or bare[0].startswith(("-", "{", "#", "*", "&", "!"))
            or text[bare.end() : bare.end() + 1] in ("(",)
        ):
            return
        if bare[0].endswith(":") or text[bare.end() : bare.end() + 2] == '":':
            return
        yield bare[0]
        if ":" in link:
            rest = LINE_REST.match(text, at, at + LONGEST_REST + 1)
            if rest is not None and "://" not in rest[0] and len(rest[0]) < LONGEST_REST:
                yield rest[0].rstrip("}],")
        following = NEXT_BARE_ITEM.match(text, bare.end())
        if following is None or ("," in following[0] and "[" not in text[name_at:at]):
            return
        at = following.end()


def _indented(text: str, at: int, name_at: int) -> str:
    """The lines of a block scalar: those that are indented more than the line of its name."""
    line = text.rfind("\n", 0, name_at) + 1
    depth = 0
    while text[line + depth : line + depth + 1] in (" ", "\t"):
        depth += 1
    end = at
    while end < len(text) and end - at < LONGEST_VALUE:
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop + 1
        here = text[end:stop]
        if here.strip() and len(here) - len(here.lstrip(" \t")) <= depth:
            break
        end = stop
    return text[at:end]


def _closing(text: str, at: int, quote: str) -> int:
    """Where a quoted value ends; the end of its line where it is not closed."""
    limit = min(len(text), at + LONGEST_VALUE)
    while at < limit:
        if text.startswith(quote, at):
            if quote == "'" and text.startswith("''", at) and not text.startswith("'' ", at):
                at += 2
                continue
            return at
        at += 2 if text[at] == "\\" and not quote.startswith("\\") else 1
    return limit


def _variants(value: str) -> Iterator[str]:
    """A value as it stands, as it is read, and each of its lines."""
    read = ESCAPES.sub(_unescaped, value).replace("''", "'")
    for whole in dict.fromkeys((value, read, value.replace('\\"', '"'), value.replace("\\\\", "\\"))):
        whole = SCHEME.sub("", whole.strip(" \t\r\n\"'\\"))
        yield whole
        if "\n" in whole or "\\n" in whole:
            for line in whole.replace("\\n", "\n").split("\n"):
                yield line.strip(" \t\r\"'\\-")
            yield " ".join(whole.split())
        if "}" in whole:
            yield whole.partition("}")[0]


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16))
    return chr(int(match[3], 8)) if match[3] else SIMPLE.get(match[4], match[4])


def _distinct(name: str, value: str) -> bool:
    """Whether a value is one that hides no other text: long enough, and neither words nor a name of something."""
    if (
        not SHORTEST <= len(value) <= LONGEST_VALUE
        or is_harmless(name, value)
        or value.startswith(("-", "$", "{", "secret:"))
    ):
        return False
    if NAMED_INSIDE.match(value) or (value.startswith(("http://", "https://")) and not _is_address(name)):
        return False
    if value.endswith(("(", "[")) or (" " in value and words_of(name)[-1:] in KEYS):
        return False
    if value.isupper() and "_" in value and value.isidentifier() and not any(c.isdigit() for c in value):
        return False  # the name of a variable
    letters = value.replace("-", "").replace("_", "").replace(".", "")
    if letters.isalpha() and (letters.islower() or letters.isupper() or letters.istitle() or is_secret(value)):
        return len(value) >= SHORTEST_WORDS and not is_secret(value)
    if value.startswith("/") and not any(c.isdigit() for c in value):
        return False
    return len(value) >= SHORTEST_PLAIN or any(c.isdigit() for c in value)


KEYS = (["key"], ["keys"], ["token"], ["tokens"], ["secrets"])  # of these, none has words


def _is_address(name: str) -> bool:
    lowered = name.lower()
    return "webhook" in lowered or "dsn" in lowered or "connection" in lowered


def drawn(text: str) -> bool:
    return any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and len(text) >= 12

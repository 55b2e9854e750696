"""Secrets never reach an output: values of keys that look like one, and texts that have the shape of one, become `***`.

`mask` is the one door: every format gets its texts through it (see items.py). What names a secret without being one
(a reference `${HF_TOKEN}`, a file name, `eos_token`) stays readable.
"""

from __future__ import annotations

HIDDEN = "***"

# What a key with a secret has in it, and how the well-known kinds of tokens begin. Patterns are loaded (and compiled,
# which costs more than a small lint may) only for a text with one of them in the right surroundings.
KEY_HINTS = ("token", "key", "passw", "passphrase", "secret", "credential", "authorization")
SHAPE_HINTS = (
    *("hf_", "sk-", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat", "glpat"),
    *("xox", "akia", "asia", "aiza", "eyj", "npm_", "pypi-"),
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ALWAYS = _set(
    "password passwd passphrase secret secrets credential credentials authorization "
    "apikey apikeys apitoken accesstoken authtoken secretkey accesskey privatekey"
)
# The last word of a name that only points at a secret, or counts it.
POINTERS = _set("name names file path paths dir ref env var type length field column id ids url count")
# Words before "key" that make it a secret one; any other (`reward_fn_key`, `prompt_key`) names a column or a field.
KEY_OWNERS = _set(
    "api access secret private auth account master signing encryption license licence service storage ssh "
    "subscription admin wandb swanlab openai anthropic hf session shared client deploy"
)
# Words before "token" that make it one of a tokenizer or a budget.
TEXT_TOKENS = _set(
    "eos bos pad unk mask sep cls stop image video audio special per next first last new max min num think thinking "
    "end start begin reasoning tool call each any one placeholder prompt response output input generated sampled "
    "draft spec extra added chat assistant user"
)

PLAIN = _set("true false null none yes no on off ~ ??? | > |- >- -") | {"", HIDDEN}


# The same rule says the same of many places: what was found to hold no secret is remembered, up to so many texts.
REMEMBERED = 4096
# A text longer than this that hints at a secret is hidden whole: nobody reads it, and the search is not linear.
LONGEST = 20_000
_clean: set[str] = set()


def mask(text: str, known: tuple[str, ...] = ()) -> str:
    """The text with every secret hidden; `known` are secrets found elsewhere, hidden wherever they stand."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return text if text in _clean else mask_span(text, 0, 0)[0]


def mask_span(text: str, start: int, end: int) -> tuple[str, int, int]:
    """As mask, and where the span start:end of the text has moved to."""
    out, at, spans = [], 0, secret_spans(text)
    moved = [start, end]
    for low, high in spans:
        out += [text[at:low], HIDDEN]
        for i, offset in enumerate((start, end)):
            if offset >= high:
                moved[i] += len(HIDDEN) - (high - low)
            elif offset > low:
                moved[i] += (low if i == 0 else low + len(HIDDEN)) - offset
        at = high
    out.append(text[at:])
    return "".join(out), moved[0], moved[1]


def mask_value(key: str, value: object) -> object:
    """A value of a key (its last part decides), containers deeply."""
    if isinstance(value, dict):
        return {mask(str(name)): mask_value(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(key, inner) for inner in value]
    if is_secret(key) and not _harmless(key, value):
        return HIDDEN
    return mask(value) if isinstance(value, str) else value


def is_secret(key: str) -> bool:
    """Whether a key (`api-key`, `WANDB_API_KEY`, `env.HF_TOKEN`, `apiKey`) is the name of a secret."""
    lowered = key.lower()
    for hint in KEY_HINTS:
        if hint in lowered:
            break
    else:
        return False
    words = _words(key.rpartition(".")[2])
    if not words or words[-1] in POINTERS:
        return False
    if not ALWAYS.isdisjoint(words):
        return True
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in ("key", "keys"):
        return before in KEY_OWNERS or not before
    return last == "token" and before not in TEXT_TOKENS


def _words(name: str) -> list[str]:
    """`WANDB_API_KEY`, `api-key`, `apiKey` -> lower-case words."""
    out, word = [], ""
    for i, c in enumerate(name):
        if not c.isalnum():
            out.append(word)
            word = ""
            continue
        if c.isupper() and i and name[i - 1].islower():
            out.append(word)
            word = ""
        word += c.lower()
    out.append(word)
    return [word for word in out if word]


def _harmless(key: str, value: object) -> bool:
    """Values that are no secret whatever their key: nothing, a switch, a reference, a number where counts are usual."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return ALWAYS.isdisjoint(_words(key))
    return _harmless_text(key, str(value))


def _harmless_text(key: str, text: str) -> bool:
    text = text.strip("\"' ")
    if text.lower() in PLAIN:
        return True
    if text.startswith(("$", "{{", "<")):
        return text[:2] != "$$" and _default_of(text).lower() in PLAIN
    words = _words(key.rpartition(".")[2])
    if words in (["key"], ["keys"], ["token"]):  # too common a name on its own: only what looks drawn at random
        return len(text) < 20 or not (any(c.isdigit() for c in text) and any(c.isalpha() for c in text)) or "/" in text
    return ALWAYS.isdisjoint(words) and text.replace(".", "").replace("_", "").isdigit()


def _default_of(reference: str) -> str:
    """What stands in a reference for the case that it names nothing: `${X:-this}`, `${oc.env:X,this}`; "" if none."""
    for mark in (":-", ":=", ","):
        _, found, default = reference.partition(mark)
        if found:
            return default.rstrip("} ").strip()
    return ""


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Where the secrets of a text stand: offsets of their values, in order, apart from each other."""
    if text in _clean:
        return []
    if not _hints(text.lower()):
        if len(_clean) < REMEMBERED:
            _clean.add(text)
        return []
    if len(text) > LONGEST:
        return [(0, len(text))]
    from vllm_migrate.report.secrets import assignments, shapes

    found = list(shapes(text))
    for key, start, end in assignments(text):
        if is_secret(key) and not _harmless_text(key, text[start:end]):
            found.append((start, end))
    out: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _hints(text: str) -> bool:
    """Whether a (lower-case) text may hold a secret: cheap, and never False for one that does."""
    for shape in SHAPE_HINTS:
        if shape in text:
            return True
    if "://" in text and "@" in text:
        return True
    flag = text.find("--")
    for hint in KEY_HINTS:
        at = text.find(hint)
        while at >= 0:
            end = at + len(hint)
            while end < len(text) and (text[end].isalnum() or text[end] in "_-."):
                end += 1
            while end < len(text) and text[end] in "\"' \t":
                end += 1
            if text[end : end + 1] in (":", "=") or 0 <= flag <= at - 2:
                return True
            at = text.find(hint, end)
    return False

"""Places where a secret stands without a name before it: what commands, files and calls take by position, and mappings that
hold secrets by any name.

Each pattern begins with its hint, so that a text without it costs one search, and its `word` is a secret if letters and
digits stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.documents.text.patterns import compiled

QUOTE = r"\\*[\"']"
WORD = rf"(?:{QUOTE})?(?P<word>[^\s\"'$<>|;&\\,()\[\]{{}}]{{8,200}})"  # of a command, quoted or not
# What stands between a command's name and one of its options.
REST = r"[^\n|;&]{0,300}?[ \t]"
# Options with values of their own, up to the word that is none.
OPTIONS = r"(?:[ \t]+--?[\w-]+(?:=\S+)?(?:[ \t]+(?!-)[^\s|;&]*[:/][^\s|;&]*)?){0,6}"
# What is piped into a command that reads a password or a token, and what is written into a file of one.
PRINTED = rf"(?:[ \t]+(?:-\w+|(?:{QUOTE})?%s(?:\\+n)?(?:{QUOTE})?))?[ \t]+{WORD}(?:{QUOTE})?[ \t]*"
PIPED = rf"{PRINTED}\|[^\n|]{{0,300}}?(?:\blogin\b(?![\w.-])|\bsudo[ \t]+-S|--with-token|-stdin|\bpassw)"
KEPT = rf"{PRINTED}>>?[^\n>]{{0,300}}?(?i:token(?!iz)|_key\b|api_?key|secret|passw|cred)"
ARGUMENT = r"[ \t\n]*[rbf]?[\"'](?P<word>[^\s\"']{8,200})"

PLACES = {
    "login": (
        rf"login{OPTIONS}(?:[ \t]+|[\"']?[ \t]*,[ \t]*|\([ \t]*)\\*[\"']?"
        r"(?P<word>[A-Za-z0-9_\-]{20,100}|(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,19})\b"
    ),
    "login ": rf"login {REST}?-p[ \t]*[\"']?(?P<word>[^\s\"'$<]{{6,200}})",
    "sshpass": r"sshpass[ \t]+-p[ \t]*[\"']?(?P<word>[^\s\"'$<]{6,200})",
    "-u": r"-u(?:ser)?[ \t=\"',]+[\w.@-]+:(?P<word>[^\s\"'$<:/]{8,200})",
    "--user": r"--user[ \t=\"',]+[\w.@-]+:(?P<word>[^\s\"'$<:/]{8,200})",
    "auth": (
        r"auth[\"']?[ \t]*[:=][ \t]*[\[(]?[ \t]*[\"']?[\w.@-]+[\"']?[ \t]*[,:][ \t]*[\"']?"
        r"(?P<word>[^\s\"'$<,)\]:/]{8,200})"
    ),
    "BasicAuth": r"BasicAuth\([ \t]*[\"'][^\"'\n]*[\"'][ \t]*,[ \t]*[\"'](?P<word>[^\s\"'$<]{6,200})",
    "basicauth": r"basicauth[\w.\-\[\]]{0,40}[ \t]*[:=][ \t]*[\"']?[\w.@-]+:(?P<word>[^\s\"'<,]{8,200})",
    'auth"': rf"auth\"[ \t]*:[ \t]*{QUOTE}(?P<word>[\w+/=]{{16,}})",
    'auth\\"': rf"auth\\+\"[ \t]*:[ \t]*{QUOTE}(?P<word>[\w+/=]{{16,}})",
    "echo ": rf"echo{PIPED}",
    "printf ": rf"printf{PIPED}",
    "read ": r"read[ \t]+(?:-\w+[ \t]+)*\w*(?i:token|key|secret|passw\w*)[ \t]*<<-?[ \t]*[\"']?\w+[\"']?\n[ \t]*(?P<word>\S{8,200})",
    # Files of passwords: netrc, pgpass.
    "machine": r"machine\s+\S+\s+(?:login\s+\S+\s+)?password\s+(?P<word>[^\s\"'$<]{6,200})",
    ":5432:": r":5432:[\w*-]+:[\w.*-]+:(?P<word>[^\s:]{6,200})(?=\s|\Z)",
    # Clients whose short option, or whose word, is the password.
    "redis-cli": rf"redis-cli{REST}-a[ \t]+{WORD}",
    "mysql": rf"mysql\w*{REST}-p(?P<word>[^\s\"'$<]{{8,200}})",
    "mariadb": rf"mariadb\S*{REST}-p(?P<word>[^\s\"'$<]{{8,200}})",
    "add-authtoken": rf"add-authtoken[ \t]+{WORD}",
    "mc alias set": rf"mc alias set[ \t]+\S+[ \t]+\S+[ \t]+\S+[ \t]+{WORD}",
    "secret set": rf"secret set{REST}(?:-b|--body)(?:[ \t]+|=){WORD}",
    "::add-mask::": r"::add-mask::(?P<word>[^\s\"'$]{6,200})",
    # Calls whose first argument is the key.
    "Anthropic(": rf"Anthropic\({ARGUMENT}",
    "Fernet(": rf"Fernet\({ARGUMENT}",
    "hmac.new(": rf"hmac\.new\({ARGUMENT}",
    "jwt.": r"jwt\.(?:en|de)code\([^\n]{1,200}?,[ \t]*(?:key[ \t]*=[ \t]*)?[rbf]?[\"'](?P<word>[^\s\"']{8,200})",
}
STDIN = r"[ \t\"'](?P<word>[^\s\"'$<|]{8,200})[\"']?[ \t]*(?:<<<|\|)?[^\n|]*--password-stdin"

# Where much else may stand, too: these need a stretch that looks drawn.
IF_DRAWN = (("echo ", rf"echo{KEPT}"), ("printf ", rf"printf{KEPT}"))

# All values of an option, of the fields of a cookie, of a mapping that holds secrets by any name: pattern of the whole, of each.
VALUE = r"[\"']?(?P<word>[A-Za-z0-9_][\w+=\-]{15,})[\"']?"
OF_OPTION = r"(?P<all>(?:[\"',= \t]+(?!-)[\w+/=.\-]+){1,20})"
IN_BRACES = (
    r"\b[\"']?[ \t]*[:=][ \t]*\{(?P<all>[^{}\n]{1,4000})\}",
    rf":[ \t]*{VALUE}[ \t]*(?:,|$)",
)
BELOW = (
    r"[\"']?:[ \t]*(?:#[^\n]*)?\n(?P<all>(?:[ \t]+[^\n]*\n?|- [^\n]*\n?){1,400})",
    rf"(?m)^[ \t-]*[\"']?(?!(?i:name|key|ref\w*|id|path|type|source|file)\b)[\w.-]+[\"']?[ \t]*:[ \t]*{VALUE}[ \t]*(?:#|$)",
)
LISTED = (r"=\((?P<all>[^()]{1,4000})\)", r"(?<![\w$-])(?:\[[\w-]+\]=)?[\"']?(?P<word>[\w+/=\-]{16,})")
NAMED = ("--api-key", "--api_key", "ookie:")  # what follows these is a secret however it looks
SEVERAL = (
    ("--api-key", OF_OPTION, r"(?P<word>[A-Za-z0-9][\w+/=.\-]{11,})"),
    ("--api_key", OF_OPTION, r"(?P<word>[A-Za-z0-9][\w+/=.\-]{11,})"),
    ("ookie:", r"[ \t]*(?P<all>[^\"'\n]{1,4000})", r"=(?P<word>[^;\s=]{8,})"),
    *((name, *BELOW) for name in ("secrets", "tokens")),
    ("secrets]", r"[ \t]*(?:#[^\n]*)?\n(?P<all>(?:(?![ \t]*\[)[^\n]*\n?){1,400})", rf"=[ \t]*{VALUE}"),
    *(
        (name, *IN_BRACES)
        for name in ("secrets", "tokens", "keys", "KEYS", "TOKENS", "credentials", "stringData", "auth")
    ),
    *((name, *LISTED) for name in ("TOKENS", "KEYS", "SECRETS")),
)


def placed(text: str) -> Iterator[str]:
    """What stands in such places."""
    for hint, pattern in PLACES.items():
        if hint in text:
            yield from _words(pattern, text)
    if "--password-stdin" in text:
        for line in text.split("\n"):
            if "--password-stdin" in line:
                yield from _words(STDIN, line)
    for hint, pattern in IF_DRAWN:
        if hint in text:
            yield from filter(drawn_run, _words(pattern, text))
    for hint, whole, each in SEVERAL:
        if hint in text:
            for found in compiled(hint.replace("]", "\\]") + whole).finditer(text):
                sure = hint in NAMED
                yield from (
                    word for word in _words(each, found["all"]) if drawn_run(word) or (sure and len(word) >= 12)
                )


def _words(pattern: str, text: str) -> Iterator[str]:
    return (match["word"] for match in compiled(pattern).finditer(text) if mixed(match["word"]))


def mixed(word: str) -> bool:
    """Whether letters and digits stand in a word."""
    return any(c.isdigit() for c in word) and any(c.isalpha() for c in word)


RUN = re.compile(r"[A-Za-z0-9]{12,}")


def drawn_run(word: str) -> bool:
    """Whether a stretch of a word looks drawn at random: `Qwen2-VL-7B-Instruct` and `field_1` have none."""
    return any(sum(c.isdigit() for c in run) >= 3 and mixed(run) for run in RUN.findall(word))

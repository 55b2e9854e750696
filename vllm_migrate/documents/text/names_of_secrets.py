"""Which names are those of secrets, and which values are none whatever their name is."""

from __future__ import annotations

HIDDEN = "***"

# What the name of a secret has in it, and how the well-known kinds of tokens begin; lower case.
KEY_HINTS = (
    *("token", "key", "passw", "passphrase", "secret", "cred", "auth", "pwd", "pass", "bearer", "cookie", "jwt"),
    *("dsn", "webhook", "signature", "sig=", "_pat", "-pat", "connection", "conn_str"),
)
SHAPE_HINTS = (
    *(
        "hf_",
        "sk-",
        "gho_",
        "ghp_",
        "ghs_",
        "ghu_",
        "ghr_",
        "github_pat",
        "glpat",
        "xox",
        "akia",
        "asia",
        "aiza",
        "eyj",
    ),
    *("npm_", "pypi-", "nvapi-", "gsk_", "r8_", "dckr_", "tskey-", "ya29.", "sk_live", "sk_test", "rk_live"),
    *("wandb_v", "login", "dapi", "hvs.", "curl", "-----begin", "hooks.slack", "accountkey="),
    *("telegram", "redis-cli", "mysql", "mariadb", "add-mask", "fernet", "hmac.new", ":5432:", "sudo -s", "anthropic"),
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ALWAYS = _set(
    "password passwords passwd passwds passphrase passphrases secret secrets credential credentials authorization webhook "
    "apikey apikeys apitoken accesstoken authtoken secretkey accesskey privatekey sshpass requirepass"
)
# Ends of words that are written as one: PGPASSWORD, myapikey.
GLUED = ("password", "passwd", "passphrase", "apikey", "secret", "hftoken", "ghtoken", "accesstoken", "authtoken")
# The last word of a name that only points at a secret, counts it, or says how it is used.
POINTERS = _set(
    "name names file files path paths dir folder ref env var type length len field column id ids url uri count class "
    "mode format header prefix enabled required policy provider manager store backend method scheme scope scopes ttl "
    "expiry timeout index idx size limit position pattern regex template"
)
# Words at the end of a name that tell several of a kind apart.
SUFFIXES = _set(
    "prod production dev development test staging stage stg local main default primary secondary backup old new current "
    "value val str string text plain raw b64 base64 a b c v x y"
)
# Words before "key" that make it a secret one; any other (`reward_fn_key`, `prompt_key`) names a column or a field.
KEY_OWNERS = _set(
    "api access secret private auth account master signing encryption license licence service storage ssh "
    "subscription admin wandb swanlab openai anthropic hf session shared client deploy hmac jwt aes fernet rsa"
)
# Words before "token" that make it one of a tokenizer or a budget.
TEXT_TOKENS = _set(
    "eos bos pad unk mask sep cls stop image video audio special per next first last new max min num think thinking "
    "end start begin reasoning tool call each any one placeholder prompt response output input generated sampled "
    "draft spec extra added chat assistant user system eot eom im turn img vision target current final answer str"
)
# The first word of a name that counts tokens: `max_prompt_adapter_token`.
COUNTS = _set("max min num n total avg mean")
# Words that are those of a secret only behind another, and those that are by themselves at the end of a name.
OWNED = _set("pass pwd pwds pat dsn auth")
ALONE = _set("pass pwd pwds")  # those that are secrets without an owner, too, where what follows looks drawn at random
OWNERS = _set(
    "db database user admin ssh smtp mail email redis mysql postgres pg sql root github gh gitlab azure git ftp proxy "
    "http basic registry docker sentry mongo mongodb rabbitmq ldap login api my"
)
LAST = _set("cred creds bearer cookie cookies jwt")
COMMON = (
    ["pwd"],
    ["pwds"],
    ["pass"],
    ["key"],
    ["keys"],
    ["token"],
    ["cookie"],
    ["cookies"],
    ["bearer"],
    ["jwt"],
    ["creds"],
    ["cred"],
)
FILES = (".json", ".pem", ".key", ".txt", ".yaml", ".yml", ".env", ".toml", ".crt", ".ini", ".py", ".sh")

PLAIN = _set("true false null none yes no on off ~ ??? | > |- >- - empty dummy n/a str string int") | {"", HIDDEN}

_answers: dict[str, bool] = {}


def is_secret(key: str) -> bool:
    """Whether a key (`api-key`, `WANDB_API_KEY`, `env.HF_TOKEN`, `apiKey`, `DB_PASSWORD_2`) is the name of a secret."""
    answer = _answers.get(key)
    if answer is None:
        answer = _is_secret(key)
        if len(_answers) < 4096:
            _answers[key] = answer
    return answer


def _is_secret(key: str) -> bool:
    lowered = key.lower()
    for hint in KEY_HINTS:
        if hint in lowered:
            break
    else:
        return False
    words = words_of(key)
    if words and words[0] in COUNTS and words[-1] in ("token", "tokens"):
        return False
    if not words or words[-1] in POINTERS:
        return bool(words) and "webhook" in words and words[-1] in ("url", "uri")
    if not ALWAYS.isdisjoint(words) or words[-1].endswith(GLUED):
        return True
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in ("key", "keys"):
        return before in KEY_OWNERS or not before
    if last in OWNED:
        return before in OWNERS or last == "dsn" or (not before and last in ALONE)
    if last in LAST or (before in ("connection", "conn") and last in ("string", "str")):
        return True
    if last == "tokens":
        return before in KEY_OWNERS or before in ("bot", "refresh", "github", "gitlab", "bearer")
    return last == "token" and before not in TEXT_TOKENS


def _is_version(word: str) -> bool:
    """Whether a word is `v2` or `v2s`; the digits at its end may be gone."""
    return word == "v" or (word.startswith("v") and word[1:].rstrip("abcdefghijklmnopqrstuvwxyz").isdigit())


def words_of(name: str) -> list[str]:
    """`env.WANDB_API_KEY_2`, `api-key`, `apiKey` -> the lower-case words of the last part that has some of a secret."""
    name = name.rstrip(".0123456789_-")
    words = _words(name.rpartition(".")[2])
    bare = [word.rstrip("0123456789") or word for word in words]
    if bare[-2:] in (["connection", "string"], ["conn", "str"]):
        return bare
    while len(bare) > 1 and (bare[-1] in SUFFIXES or bare[-1].isdigit() or _is_version(bare[-1])):
        bare.pop()
    return bare


def _words(name: str) -> list[str]:
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


def is_harmless(key: str, value: object) -> bool:
    """Values that are no secret whatever their key: nothing, a switch, a reference, a number where counts are usual."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return ALWAYS.isdisjoint(words_of(key))
    return is_harmless_text(key, str(value))


def is_harmless_text(key: str, text: str) -> bool:
    """As is_harmless, of a text."""
    text = text.strip("\"' \\")
    if text.lower() in PLAIN:
        return True
    if text.startswith(("$", "{{", "<")):
        return text[:2] != "$$" and _default_of(text).lower() in PLAIN
    if (text.startswith("{") and "}" in text and ":" not in text) or text.startswith("%"):
        return True
    if text.endswith(FILES) and (" " not in text or text.startswith(("/", "~", "./"))):
        return True
    words = words_of(key)
    if words in COMMON:  # too common a name on its own: only what looks drawn at random
        drawn = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
        return len(text) < 16 or not drawn or "/" in text or any(" " in line.strip() for line in text.split("\n"))
    return ALWAYS.isdisjoint(words) and text.replace(".", "").replace("_", "").isdigit()


def _default_of(reference: str) -> str:
    """What stands in a reference for the case that it names nothing: `${X:-this}`, `${oc.env:X,this}`; "" if none."""
    if reference.startswith("$("):
        return ""
    for mark in (":-", ":=", ",", "-"):
        _, found, default = reference.partition(mark)
        if found:
            return default.rstrip("} ").strip()
    return ""

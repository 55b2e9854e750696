"""Which releases a text pins: requirement specifiers, install commands, image tags.

Works on bytes and by hand: this runs on every lint, mostly to find nothing, and must cost next to nothing.
"""

from __future__ import annotations

import os
import re

from vllm_migrate.documents.text.secrets import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VLLM = "vllm"
# Looked for everywhere; a dialect's `framework` is looked for besides.
FRAMEWORKS = (
    *("verl", "pipelinerl", "nemo-rl", "prime-rl", "openrlhf", "trl", "areal"),
    *("skyrl", "skyrl-train", "ms-swift", "roll", "rllm"),
)
PACKAGES = (VLLM, *FRAMEWORKS)

# How far a place can be trusted to say what runs; the lowest rank is believed.
LOCK, REQUIREMENT, DECLARED, INSTALL, IMAGE, SCRIPT, NOTED = range(7)

# Bounds for files that nobody wrote by hand.
MAX_OCCURRENCES = 1000
MAX_LINE = 2000
NEAR = 14  # lines of a values file in which an image and its tag stand

IMAGE_NAMES = (b"vllm/vllm-openai", b"vllm-cpu-release-repo")
FORK_NAMES = (b"rocm/vllm", b"ascend/vllm-ascend")  # images with releases of their own
# NVIDIA's builds are tagged by month. The vLLM in each, by its release notes (docs.nvidia.com, vllm-release-notes); a month
# between two of these has one between theirs.
NVIDIA_NAME = b"nvcr.io/nvidia/vllm:"
NVIDIA_MONTHS = (
    ("25.10", "0.10.2"),
    ("26.01", "0.11.1"),
    ("26.03", "0.17.1"),
    ("26.05", "0.20.1"),
    ("26.10", "0.31.0"),
)
_MONTH = re.compile(rb"(\d\d\.\d\d)(?:\.post\d+)?(?:-[\w.-]+)?")
CLONED = b"vllm-project/vllm"
_FORK_TAG = re.compile(rb"[\w-]*:[\w.-]+")
_NAMED_BEFORE = re.compile(rb"[\w\]]\s*@\s*(?:git\+)?\w+://\S*$")  # `name @ URL` is a requirement, and read as one
_ADDRESS = re.compile(rb"(?:^|(?<=[\s\"'=]))(?P<address>(?:git\+)?(?:https?|ssh|file)://[^\s\"']*/)$")
# `{repository: vllm/vllm-openai, tag: v0.8.5}`
_FLOW_TAG = re.compile(rb"[\"']?\s*,[^}\n]*?\b(?:tag|newTag):\s*[\"']?([^\s,\"'}]+)")
_REBUILT = re.compile(r"0\.(?:[89]|[1-9]\d+)\.\d+")
NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_./")
VERSION_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.*+!_-")
OPERATORS = (b"===", b"==", b">=", b"<=", b"~=", b"!=", b"<", b">", b"^", b"~")
BUILD_LABELS = ("cu", "cpu", "rocm", "xpu", "tpu", "neuron", "empty", "ascend")


class Pin:
    """One place that says which release of a package is used.

    version: "0.8.5" or "0.8.5.post1"; of a range its lower end; "" where the place names no release (a branch, a
    development build, `latest`). exact: the place names one release. narrow: a range that stays in one minor series.
    text: what stands there. rank: LOCK to NOTED. at: its offset in the file's bytes. bounds: of a range, its clauses as
    PEP 440 has them (">=0.8.5,<=0.12.0").
    """

    __slots__ = ("at", "bounds", "exact", "line", "narrow", "package", "path", "rank", "text", "version")

    def __init__(
        self,
        package: str,
        version: str,
        path: str,
        line: int,
        text: str,
        rank: int,
        exact: bool,
        narrow: bool = False,
        at: int = 0,
        bounds: str = "",
    ) -> None:
        self.package = package
        self.version = version
        self.path = path
        self.line = line
        self.text = text
        self.rank = rank
        self.exact = exact
        self.narrow = narrow
        self.at = at
        self.bounds = bounds

    @property
    def place(self) -> str:
        """`path:line`, the path from here."""
        return f"{os.path.relpath(self.path)}:{self.line}"

    def __repr__(self) -> str:
        return f"Pin({self.package!r}, {self.version!r}, {self.path}:{self.line}, {self.text!r}, exact={self.exact})"


class PinnedText:
    """The bytes of a file, and the same in lower case with `-` for `_`, in which names are looked for."""

    __slots__ = ("data", "low", "packages", "path", "rank")

    def __init__(self, path: str, data: bytes, rank: int, packages: tuple[str, ...] = PACKAGES) -> None:
        self.packages = packages
        self.path = path
        self.data = data
        self.low = data.lower().replace(b"_", b"-")
        self.rank = rank

    def pin(
        self, package: str, start: int, end: int, version: str, exact: bool, rank: int, narrow: bool = False
    ) -> Pin:
        text = self.data[start:end].decode("utf-8", "replace").strip()
        note(self.path, text)  # these files are not decoded as a whole, and a requirement may hold a token
        return Pin(package, version, self.path, self.line(start), text, rank, exact, narrow, start)

    def line(self, at: int) -> int:
        return self.data.count(b"\n", 0, at) + 1

    def before(self, at: int) -> bytes:
        """The text of the line before an offset (of an endless line, its end)."""
        nearest = max(0, at - MAX_LINE)
        return self.data[max(self.data.rfind(b"\n", nearest, at) + 1, nearest) : at]

    def occurrences(self, word: bytes) -> Iterator[int]:
        at = self.low.find(word)
        for _ in range(MAX_OCCURRENCES):
            if at < 0:
                return
            yield at
            at = self.low.find(word, at + 1)


LONGEST = 100  # characters of a version; what is longer is none


def release_of(version: str) -> str:
    """The release a version text names: "v0.8.5.post1" is "0.8.5.post1", "0.8.5+cu121" is "0.8.5"; "" if it names none.

    Development versions (.dev, rc, +g...), branches and `latest` name none.
    """
    if len(version) > LONGEST:
        return ""
    public, plus, label = version.strip().removeprefix("v").removeprefix("V").partition("+")
    if plus and not label.startswith(BUILD_LABELS):
        return ""
    number, post, count = public.partition("post")
    number = number.rstrip(".-_") if post else number
    parts = number.split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isdecimal() for part in parts) or (post and not count.isdecimal()):
        return ""
    return f"{number}.post{count}" if post else number


def requirement_pins(text: PinnedText, quoted: bool, toml: bool = False, conda: bool = False) -> list[Pin]:
    """Pins in lists of requirements: one a line, or (`quoted`) as strings in TOML or Python."""
    out = []
    for package in text.packages:
        for at in text.occurrences(package.encode()):
            before = text.before(at)
            opener = before[-1:]
            if quoted and opener in (b'"', b"'"):
                if b"#" in before:
                    continue
                found = _specifier(text, package, at, at + len(package), spaces=True)
            elif toml and not before.strip():
                found = _toml_entry(text, package, at)
            elif not quoted and not before.lstrip(b" \t-"):
                found = _specifier(text, package, at, at + len(package), spaces=True, conda=conda)
            elif not quoted and not _NAMED_BEFORE.search(before):
                found = _from_address(text, package, at, before)
            else:
                continue
            if found is not None:
                out.append(found)
    return out


def _from_address(text: PinnedText, package: str, at: int, before: bytes) -> Pin | None:
    """The pin of an address whose last part begins at `at`: a wheel, or a repository with what is checked out."""
    address = _ADDRESS.search(before)
    if address is None or _is_comment(before):
        return None
    start = at - len(before) + address.start("address")
    name = text.low[at : at + MAX_LINE].split(None, 1)[0]
    wheel = name.startswith(package.encode() + b"-") and b".whl" in name and b"/" not in name
    cloned = name.startswith((package.encode() + b".git@", package.encode() + b"@"))
    return _from_url(text, package, start, start) if wheel or cloned else None


def command_pins(text: PinnedText) -> list[Pin]:
    """Pins in commands and images: scripts, Dockerfiles, compose and Kubernetes files, set-up blocks in YAML."""
    out = []
    for package in text.packages:
        for at in text.occurrences(package.encode()):
            before = text.before(at)
            if at and (text.low[at - 1] in NAME_BYTES):
                found = _from_address(text, package, at, before)
                out += [found] if found is not None else []
                continue
            rank = text.rank
            if _is_comment(before):
                # A commented command is no pin, but some scripts open with what they were made for.
                if b"dependency:" not in before:
                    continue
                rank = NOTED
            found = _specifier(text, package, at, at + len(package), spaces=False)
            if found is not None:
                found.rank = rank
                out.append(found)
    return out + _image_pins(text) + _clone_pins(text)


def _clone_pins(text: PinnedText) -> list[Pin]:
    """vLLM's own repository, cloned or installed at the tag of a release (`git clone -b v0.12.0 .../vllm.git`)."""
    out = []
    for start in text.occurrences(CLONED):
        before = text.before(start)
        words = before.split()
        if _is_comment(before) or b"clone" not in words:
            continue
        tag = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in (b"-b", b"--branch")), b"")
        release = release_of(tag.decode("utf-8", "replace"))
        if release:
            out.append(text.pin(VLLM, start, start + len(CLONED), release, True, text.rank))
    return out


def _specifier(text: PinnedText, package: str, start: int, at: int, spaces: bool, conda: bool = False) -> Pin | None:
    """The pin of a requirement whose name ends at `at`; None when no version is said."""
    data = text.data
    if spaces:
        at = _skip(data, at)
    if data[at : at + 1] == b"[":
        at = data.find(b"]", at) + 1
        if at <= 0:
            return None
        at = _skip(data, at) if spaces else at
    if data[at : at + 1] == b"@" and spaces:
        return _from_url(text, package, start, _skip(data, at + 1))
    if spaces and data[at : at + 1] == b"(":
        at += 1
    clauses: list[tuple[str, str]] = []
    while True:
        if spaces:
            at = _skip(data, at)
        operator = next((o for o in OPERATORS if data.startswith(o, at)), b"")
        if not operator and conda and data[at : at + 1] == b"=":
            operator = b"="
        if not operator:
            break
        at += len(operator)
        start_of_version = _skip(data, at) if spaces else at
        version, at = _version_at(text, start_of_version)
        if at == start_of_version and data[at : at + 1] in (b"{", b"%"):  # f"vllm=={RELEASE}"
            return text.pin(package, start, at + 1, "", False, text.rank)
        if at == start_of_version:
            return None
        clauses.append((operator.decode(), version))
        after = _skip(data, at) if spaces else at
        if data[after : after + 1] != b",":
            break
        at = after + 1
    return _from_clauses(text, package, start, at, clauses) if clauses else None


def _from_clauses(text: PinnedText, package: str, start: int, end: int, clauses: list[tuple[str, str]]) -> Pin | None:
    for operator, version in clauses:
        if operator in ("==", "===", "=") and "*" not in version:
            release = release_of(version)
            return text.pin(package, start, end, release, bool(release), text.rank)
    low = next((version for operator, version in clauses if operator in (">=", "~=", "^", "~", ">", "==")), "")
    high = next((version for operator, version in clauses if operator in ("<", "<=")), "")
    compatible = any(operator in ("~=", "^", "~", "==") for operator, _ in clauses)
    lower = release_of(low.removesuffix(".*"))
    bounds = ",".join(filter(None, (_bound(operator, version) for operator, version in clauses)))
    if not lower and not bounds:
        return None
    narrow = bool(lower) and (
        (compatible and lower.count(".") >= 1 + ("*" not in low)) or _one_minor(lower, release_of(high))
    )
    found = text.pin(package, start, end, lower, False, text.rank, narrow)
    found.bounds = bounds
    return found


def _bound(operator: str, version: str) -> str:
    """A clause of a range as PEP 440 has it; "" for one that names no release. `^0.8.5` stays below 0.9, `~0.8.5` too."""
    bare = version.removesuffix(".*")
    if not release_of(bare) and not (bare.isdecimal() and len(bare) <= LONGEST and operator in (">=", "<", "<=", ">")):
        return ""
    if operator in ("^", "~"):
        parts = bare.split(".")
        return f">={bare},<{parts[0]}.{int(parts[1]) + 1}"
    return f"{operator}{version}"


def _one_minor(lower: str, upper: str) -> bool:
    """Whether [lower, upper) stays within one minor series."""
    if not upper:
        return False
    a, b = lower.split("."), upper.split(".")
    same = a[:2] == b[:2]
    next_one = a[0] == b[0] and int(b[1]) == int(a[1]) + 1 and all(part == "0" for part in b[2:])
    return same or next_one


def _from_url(text: PinnedText, package: str, start: int, at: int) -> Pin | None:
    """`name @ URL`: the release in a wheel's file name or a git tag."""
    end = at
    while end < len(text.data) and text.data[end : end + 1] not in (b" ", b"\t", b"\r", b"\n", b'"', b"'", b";", b","):
        end += 1
    url = text.data[at:end].decode("utf-8", "replace")
    name = url.rpartition("/")[2]
    if name.endswith((".whl", ".tar.gz")) and "-" in name:
        version = name.split("-")[1].removesuffix(".tar.gz").replace("%2B", "+").replace("%2b", "+")
    else:
        version = name.rpartition("@")[2].partition("#")[0] if "@" in name else ""
    release = release_of(version)
    return text.pin(package, start, end, release, bool(release), text.rank)


def _toml_entry(text: PinnedText, package: str, start: int) -> Pin | None:
    """`vllm = "0.8.5"` and `vllm = {version = "0.8.5"}`, as poetry and pixi write them: a bare version is exact."""
    data = text.data
    at = _skip(data, start + len(package))
    if data[at : at + 1] != b"=":
        return None
    end = data.find(b"\n", at)
    line = data[at + 1 : end if end >= 0 else len(data)].strip()
    if line.startswith(b"{"):
        if b".whl" in line:
            wheel = line.find(b"://", 0, line.find(b".whl"))
            return _from_url(text, package, start, data.find(line[wheel:], at)) if wheel >= 0 else None
        line = _after(line, b"version") or _after(line, b"tag").replace(b"v", b"", 1)
    if line[:1] not in (b'"', b"'"):
        return None
    value = line[1:].partition(line[:1])[0]
    entry = PinnedText(text.path, b"x" + (b"==" + value if value[:1].isdigit() else value), text.rank)
    pin = _specifier(entry, package, 0, 1, spaces=True)
    if pin is not None:
        pin.text, pin.line = f"{package} = {value.decode('utf-8', 'replace')!r}", text.line(start)
    return pin


def _after(table: bytes, key: bytes) -> bytes:
    """What follows `key =` in an inline table."""
    for part in table.strip(b"{} ").split(b", "):
        name, _, value = part.partition(b"=")
        if name.strip() == key:
            return value.strip()
    return b""


def _image_pins(text: PinnedText) -> list[Pin]:
    """Tags of vLLM's own images, and of images that carry the release in their tag (`...-vllm0.8.5-...`)."""
    out = []
    data = text.data
    for name, start in [(each, at) for each in IMAGE_NAMES for at in text.occurrences(each)]:
        previous = data[start - 1 : start]
        if previous and previous != b"/" and text.low[start - 1] in NAME_BYTES and data[start - 2 : start] != b":-":
            continue  # another name that ends alike: lmcache/... counts its own versions
        if _is_comment(text.before(start)):
            continue
        at = start + len(name)
        while at < len(data) and (data[at : at + 1].isalnum() or data[at : at + 1] in (b"-", b"_")):
            at += 1
        if data[at : at + 1] == b":":
            tag, end = _version_at(text, at + 1)
        else:
            tag, end = _tag_beside(text, at), at
        if tag or data[at + 1 : end].startswith(b"$"):
            release = release_of(tag.partition("@")[0].partition("-")[0])
            out.append(text.pin(VLLM, start, end, release, bool(release), max(text.rank, IMAGE)))
    for name, start in [(each, at) for each in FORK_NAMES for at in text.occurrences(each)]:
        fork = _FORK_TAG.match(text.data, start + len(name))
        if fork is not None and not _is_comment(text.before(start)):
            out.append(text.pin(VLLM, start, fork.end(), "", False, max(text.rank, IMAGE)))
    for start in text.occurrences(NVIDIA_NAME):
        month = _MONTH.match(data, start + len(NVIDIA_NAME))
        if month is not None and not _is_comment(text.before(start)):
            release, bounds = _of_month(month[1].decode())
            pin = text.pin(VLLM, start, month.end(), release, not bounds, max(text.rank, IMAGE))
            pin.bounds = bounds
            out.append(pin)
    for start in text.occurrences(b"vllm0."):
        before = text.before(start)
        word = (before.split() or [b""])[-1]
        version, end = _version_at(text, start + len(VLLM))
        release = release_of(version.partition("-")[0])
        if b"/" in word and b":" in word and release.count(".") >= 2 and not _is_comment(before):
            out.append(text.pin(VLLM, start, end, release, True, max(text.rank, IMAGE)))
    for start in text.occurrences(b"/vllm-openai:"):
        before = text.before(start)
        owner = (before.lower().split() or [b""])[-1]
        version, end = _version_at(text, start + len(b"/vllm-openai:"))
        release = release_of(version.partition("-")[0])
        # Builds of others carry vLLM's release in their tag, except LMCache's, which has its own and no 0.8 yet.
        if not owner.endswith((b"vllm", b"lmcache")) and _REBUILT.match(release) and not _is_comment(before):
            out.append(text.pin(VLLM, start, end, release, True, max(text.rank, IMAGE)))
    return out


def _of_month(month: str) -> tuple[str, str]:
    """The vLLM of one of NVIDIA's builds: its release, or the lowest it may be with the bounds that are known of it."""
    known = dict(NVIDIA_MONTHS)
    if month in known:
        return known[month], ""
    older = [release for each, release in NVIDIA_MONTHS if each < month]
    newer = [release for each, release in NVIDIA_MONTHS if each > month]
    clauses = [*(f">={release}" for release in older[-1:]), *(f"<={release}" for release in newer[:1])]
    return older[-1] if older else "", ",".join(clauses)


# What names an image -> what names its tag beside it: in Helm's values, in a kustomization.
_TAG_OF = {b"repository:": b"tag:", b"name:": b"newTag:", b"newName:": b"newTag:"}


def _tag_beside(text: PinnedText, at: int) -> str:
    """The tag beside the line that ends at `at` and names an image."""
    before = text.before(at)
    flow = _FLOW_TAG.match(text.data, at) if b"{" in before else None
    if flow is not None:
        return flow[1].decode("utf-8", "replace")
    key = next((tag for name, tag in _TAG_OF.items() if before.lstrip(b" -").startswith(name)), None)
    if key is None:
        return ""
    indent = len(before) - len(before.lstrip(b" -"))
    above = text.data.rfind(b"\n", 0, text.data.rfind(b"\n", 0, at) + 1 or 0)
    above = text.data.rfind(b"\n", 0, max(above, 0)) + 1
    for line in text.data[above : at + MAX_LINE].split(b"\n")[:NEAR]:
        if line.strip().startswith(key) and len(line) - len(line.lstrip()) == indent:
            return line.partition(key)[2].partition(b"#")[0].strip().strip(b"\"'").decode("utf-8", "replace")
    return ""


def _version_at(text: PinnedText, at: int) -> tuple[str, int]:
    """The version that stands at an offset, quotes and variables of the same file resolved, and where it ends."""
    data = text.data
    while data[at : at + 1] in (b'"', b"'"):
        at += 1
    if data[at : at + 1] == b"$":
        return _variable(text, at)
    end = at
    while end < len(data) and data[end] in VERSION_BYTES:
        end += 1
    if data[at:end] == b"v" and data[end : end + 1] == b"$":
        return _variable(text, end)
    return data[at:end].decode().rstrip("."), end


def _variable(text: PinnedText, at: int) -> tuple[str, int]:
    """The value of `$NAME`, `${NAME}` or `${NAME:-default}` where the same file assigns it."""
    data = text.data
    end = at + 1
    braced = data[end : end + 1] == b"{"
    end += braced
    start = end
    while end < len(data) and (data[end : end + 1].isalnum() or data[end : end + 1] == b"_"):
        end += 1
    name, default = data[start:end], b""
    if braced:
        close = data.find(b"}", end)
        if close < 0:
            return "", end
        rest = data[end:close]
        default = rest[2:] if rest.startswith(b":-") else rest[1:] if rest.startswith(b"-") else b""
        end = close + 1
    found = data.find(name + b"=") if name else -1
    while found > 0 and (data[found - 1 : found].isalnum() or data[found - 1 : found] in (b"_", b"$", b"{")):
        found = data.find(name + b"=", found + 1)
    value = data[found + len(name) + 1 :].split(None, 1)[:1] if found >= 0 else []
    chosen = value[0] if value else default
    # VLLM_VERSION="${VLLM_VERSION:-0.8.5}"
    if b":-" in chosen:
        chosen = chosen.partition(b":-")[2]
    return chosen.strip(b"\"'}").decode("utf-8", "replace"), end


def _is_comment(before: bytes) -> bool:
    return before.lstrip().startswith((b"#", b"//")) or b" #" in before


def _skip(data: bytes, at: int) -> int:
    while data[at : at + 1] in (b" ", b"\t") and at < len(data):
        at += 1
    return at

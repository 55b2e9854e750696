"""Random YAML of the kinds people write, for the property tests and the fuzz."""

from __future__ import annotations

import random

KEYS = ["a", "b", "vllm_kwargs", "enable-prefix-caching", "on", "1", "'q: x'", '"d"', "x.y"]
SCALARS = [
    "1", "x", "true", "False", "null", "~", "", "1e-6", "${a.b}", "'it''s'", '"a # b"', "foo bar", "0.9", "!t v",
    "&{n} w", "two\n{i}  lines", "'two\n{i}  lines'", "{{{{ t }}}}",
    "|\n{i}  text", "|+\n{i}  text\n\n", ">-\n{i}  a\n{i}  b",
    "|-\n{i}  a\n\n{i}   b", "|\n{i}  text\n{i}     ", "*s", "12:30", "- 1", "# c",
]  # fmt: skip
FLOWS = [
    "{{}}", "{{ }}", "[]", "[1, x]", "{{a: 1}}", "{{a: 1, b: }}", '{{"a": 1,"d": "x"}}', "{{a: 1,}}", "{{a}}",
    "[{{a: 1}}, []]",     "[a: 1]", "{{\n{i}  a: 1, # one\n{i}  b: 2\n{i}}}", "{{\n{i}  a: 1,\n{i}  # two\n{i}}}",
    "[\n{i}  1, # one\n{i}  2,\n{i}]",
    "{{a: 1,\n{i}  b: {{c: 2}} }}", "&{n} {{a: 1}}", "[*s, 1]", "!u {{a: 1}}",
]  # fmt: skip
COMMENTS = ["", "", "", " # c", "  # c: 1", " "]
LINES = ["", "", "", "", "\n", "{i}# above\n", "{i}  # deeper\n", "# left\n", "\n\n"]


class Writer:
    """One random document; `text` is what it wrote."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.step = self.random.choice([2, 2, 2, 4, 3])
        self.dash = self.random.choice([0, 2])
        self.anchors = 0
        lead = self.random.choice(["", "", "", "---\n", "# head\n", "\n", "--- # c\n"])
        body = self.mapping(0, 0) if self.random.random() < 0.85 else self.sequence(0, 0)
        tail = self.random.choice(["", "", "", "...\n", "---\nz: 1\n", "# tail\n", "\n\n"])
        anchor = self.random.choice(["base: &s {a: 1}\n", "base: &s\n  a: 1\n  k: [2]\n"]) if "*s" in body else ""
        text = lead + (anchor if body[:1] != "-" else "") + body + tail
        if self.random.random() < 0.15:
            text = text.rstrip("\n")
        if self.random.random() < 0.15:
            text = text.replace("\n", "\r\n")
        self.text = text

    def pick(self, options: list[str], indent: int) -> str:
        self.anchors += 1
        chosen = self.random.choice(options).replace("{n}", f"n{self.anchors}").replace("{i}", " " * indent)
        return chosen.replace("{{", "{").replace("}}", "}")

    def value(self, indent: int, depth: int) -> str:
        """Everything after `key:`, with its newline; `indent` is the key's."""
        kind = self.random.random()
        if kind < 0.30 and depth < 3:
            anchor = self.random.choice(["", "", "", "", "", f" &m{self.anchors}", " !t"])
            return f"{anchor}{self.pick(COMMENTS, 0)}\n" + self.mapping(indent + self.step, depth + 1)
        if kind < 0.40 and depth < 3:
            return self.pick(COMMENTS, 0) + "\n" + self.sequence(indent + self.dash, depth + 1)
        chosen = self.pick(SCALARS if kind < 0.8 else FLOWS, indent)
        comment = "" if chosen[:1] in ("|", ">") or "\n" in chosen else self.pick(COMMENTS, 0)
        return f" {chosen}{comment}\n"

    def mapping(self, indent: int, depth: int) -> str:
        keys = self.random.sample(KEYS, self.random.randint(1, 4))
        if self.random.random() < 0.1:
            keys.insert(0, "<<")
        out = ""
        for key in keys:
            value = " *s\n" if key == "<<" else self.value(indent, depth)
            out += f"{self.pick(LINES, indent)}{' ' * indent}{key}:{value}"
        return out + self.pick(LINES, indent)

    def sequence(self, indent: int, depth: int) -> str:
        out = ""
        for _ in range(self.random.randint(1, 3)):
            if self.random.random() < 0.4 and depth < 3:
                inner = self.mapping(indent + 2, depth + 1)
                start = len(inner) - len(inner.lstrip(" "))
                item = inner[start:] if start == indent + 2 else "\n" + inner
                out += f"{' ' * indent}-{' ' if item[:1] != chr(10) else ''}{item}"
            else:
                out += f"{' ' * indent}-{self.value(indent, 3)}"
        return out

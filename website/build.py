"""Build the site: `python -m website.build OUT`. Needs `pip install -e ".[site]"` and `npm ci --prefix website`.

Documentation from docs/, reference pages from the program's tables, JSON Schemas, a redirect for each rule's code, and the playground.
The result is static files; none of them asks another host for anything.
"""

from __future__ import annotations

import argparse
import html
import json
import logging
import re
import shutil
import sys
import tempfile
from pathlib import Path

from vllm_migrate.catalog import store
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.reading import as_rules
from vllm_migrate.knowledge.site import SITE, rule_url
from vllm_migrate.run.schemas import NAMES, named
from website import reference
from website.assets import ROOT, Missing, playground

CONFIG = ROOT / "website" / "mkdocs.yml"
ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
REDIRECT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{code}</title><link rel="icon" href="data:,"><link rel="canonical" href="{url}">
<meta http-equiv="refresh" content="0; url=../{name}/"></head><body><a href="../{name}/">{code} {name}</a></body></html>
"""
PLAYGROUND = """# Playground

[Open the playground](playground/index.html){ .md-button .md-button--primary }

Paste a configuration, a launch script or a Python program, pick the two releases, and see what changes beside the fixed text. Files
belong together: add the parent configuration, the requirements or the Dockerfile, and they count as they would in a repository.

The linter runs in the page itself, with Python compiled to WebAssembly. Nothing you paste leaves it: after it has loaded it works
without a network, and a shared link carries the files in its fragment, which browsers do not send. It reads YAML with PyYAML's pure-Python
parser, which is slower than the command line.
"""


def documentation(out: Path) -> None:
    """Write all but the playground to a folder. Raises Missing without MkDocs, RuntimeError where a link leads nowhere."""
    try:
        from mkdocs.commands.build import build
        from mkdocs.config import load_config
    except ImportError:
        raise Missing("MkDocs is not installed: pip install -e '.[site]'") from None
    out = out.resolve()  # MkDocs takes a relative path from its configuration file
    with tempfile.TemporaryDirectory() as folder:
        pages = gathered(Path(folder) / "docs")
        warnings = _Warnings()
        logging.getLogger("mkdocs").addHandler(warnings)
        try:
            config = load_config(str(CONFIG), docs_dir=str(pages), site_dir=str(out), site_url=SITE)
            config.nav = [{"Rules": _rules()} if "Rules" in entry else entry for entry in config.nav or ()]
            build(config)
        finally:
            logging.getLogger("mkdocs").removeHandler(warnings)
    if warnings.lines:
        raise RuntimeError("\n".join(warnings.lines))
    schemas(out / "schemas")
    for rule in (*load().rules, *as_rules()):
        target = out / "rules" / rule.code / "index.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = REDIRECT.format(code=rule.code, name=html.escape(rule.name), url=rule_url(rule.name))
        target.write_text(text, encoding="utf-8")


def _rules() -> list[object]:
    """The navigation of the rules: their list, then each page below its family."""
    rules = (*load().rules, *as_rules())
    families: dict[str, list[dict[str, str]]] = {}
    for rule in sorted(rules, key=lambda rule: rule.code):
        pages = families.setdefault(f"{rule.code[:3]}xx", [])
        pages.append({f"{rule.code} {rule.name}": f"rules/{rule.name}.md"})
    return [{"All rules": "rules/README.md"}, *({name: pages} for name, pages in families.items())]


def schemas(folder: Path) -> None:
    """Write our own schemas, and that of `vllm serve --config` at every release."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NAMES, *store.load().shipped):
        text = json.dumps(named(name), ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name if name in NAMES else f'serve-{name}'}.json").write_text(text, encoding="utf-8")


class _Warnings(logging.Handler):
    """What MkDocs finds wrong with the pages."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def gathered(folder: Path) -> Path:
    """Every page in one folder: docs/ as it stands, what is generated, and the files of the root that belong to it."""
    shutil.copytree(ROOT / "docs", folder)
    for name in ROOT_PAGES:
        text = re.sub(r"\]\(docs/", "](", (ROOT / name).read_text(encoding="utf-8"))
        text = re.sub(rf"\]\(({'|'.join(ROOT_PAGES)})", lambda link: link[0].lower(), text)
        (folder / name.lower()).write_text(text, encoding="utf-8")
    for name, text in reference.pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "playground.md").write_text(PLAYGROUND, encoding="utf-8")
    (folder / "playground").mkdir()
    (folder / "playground" / "index.html").write_text("", encoding="utf-8")  # `playground` writes the page over it
    shutil.copy(ROOT / "website" / "site.css", folder / "site.css")
    return folder


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m website.build", description="Build the site as static files.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write it to")
    out = parser.parse_args(argv).out
    try:
        documentation(out)
        playground(out / "playground")
    except (Missing, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sum(path.is_file() for path in out.rglob('*'))} files in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A real headless Chromium on the built site. Without Chromium, Playwright, MkDocs or Pyodide these tests skip, and say what is missing.

`apt-get install chromium`, `pip install -e ".[browser]"` and `npm ci --prefix website` bring them; CHROMIUM names another browser.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from website.assets import Missing, playground
from website.build import documentation

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).parent
# Chromium asks its maker's hosts at every start without these.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_MS = 120_000

Open = Callable[..., "Page"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built."""
    out = tmp_path_factory.mktemp("site")
    try:
        documentation(Path(os.path.relpath(out)))  # as a caller gives it
        playground(out / "playground")
    except Missing as missing:
        pytest.skip(str(missing))
    return out


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves static files as any host does, and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it")
    with sync.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


class Pages:
    """Opens pages of the site, each in a context of its own, and keeps what went wrong in them."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self._address = address
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []

    def open(self, path: str, **options: Any) -> Page:
        """A page, at the size of a desktop. A request to another host, an error in the console and an exception are wrong."""
        context = self._browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(START_MS)
        page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        context.on("request", lambda request: self._look(request.url))
        page.goto(self._address + path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        assert self.wrong == []

    def _look(self, url: str) -> None:
        if not url.startswith((self._address, "data:", "blob:")):
            self.wrong.append(url)


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens a path of the site; what goes wrong in it fails the test."""
    pages = Pages(browser, address)
    yield pages.open
    pages.close()


@pytest.fixture
def open_playground(open_page: Open) -> Open:
    """Opens the playground, and waits for the first answer of the linter."""

    def opened(fragment: str = "", **options: Any) -> Page:
        page = open_page("playground/" + fragment, **options)
        answered(page)
        return page

    return opened


@pytest.fixture(scope="module")
def loaded(browser: Browser, address: str) -> Iterator[Page]:
    """One playground for many tests: loading Python takes seconds."""
    pages = Pages(browser, address)
    page = pages.open("playground/")
    answered(page)
    yield page
    pages.close()


@pytest.fixture
def page(loaded: Page) -> Page:
    """That playground with its first example again."""
    loaded.uncheck("#review")
    loaded.select_option("#example", index=2)
    loaded.select_option("#example", index=1)
    answered(loaded)
    return loaded


def answered(page: Page) -> None:
    """Wait until what is shown is the linter's answer to what stands in the page."""
    page.wait_for_function(
        "() => document.documentElement.dataset.ready && !('busy' in document.documentElement.dataset)"
        " && document.getElementById('summary').textContent !== 'Loading Python…'"
    )

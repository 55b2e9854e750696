"""The playground in a real browser: what it shows is what the library says of the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Open, answered
from vllm_migrate import __version__, fix, lint
from website.assets import examples

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLES = {example["title"]: example["files"] for example in examples()}
SAVED = "serve.yaml"
# The focused element, and what is selected in the editor.
SELECTED = "(({id, value = '', selectionStart, selectionEnd}) => [id, value.slice(selectionStart, selectionEnd)])(document.activeElement)"


def files_of(title: str) -> dict[str, str]:
    return {file["path"]: file["text"] for file in EXAMPLES[title]}


def choose(page: Page, title: str) -> None:
    page.select_option("#example", label=title)
    answered(page)


def write(page: Page, text: str, path: str = SAVED) -> None:
    """Put one file into the editor, as a user does."""
    while page.locator("#remove").is_visible():
        page.click("#remove")
    page.fill("#path", path)
    page.fill("#text", text)
    answered(page)


def shown(page: Page) -> list[tuple[str, str, str]]:
    """Code, place and severity of each finding."""
    cards = page.locator("#findings > li")
    out = []
    for index in range(cards.count()):
        card = cards.nth(index)
        code = card.locator(".rule").inner_text().split()[0]
        out.append((code, card.locator(".place").get_attribute("title"), card.get_attribute("class")))
    return sorted((code, str(place).removeprefix("Go to "), str(kind).split()[0]) for code, place, kind in out)


def expected(files: dict[str, str]) -> list[tuple[str, str, str]]:
    findings = lint(files=files).findings
    return sorted((finding.code, f"{finding.path}:{finding.line}", finding.severity) for finding in findings)


def test_it_loads(open_playground: Open) -> None:
    page = open_playground()
    assert page.evaluate("document.documentElement.dataset.ready") == __version__
    assert page.locator("#from option").count() > 40
    assert "0.8.5 (the default) → 0.18.1 (the default)" in page.inner_text("#move")
    assert page.input_value("#text") == files_of(next(iter(EXAMPLES)))["conf/base.yaml"]


@pytest.mark.parametrize("title", EXAMPLES)
def test_its_findings_are_those_of_the_library(page: Page, title: str) -> None:
    choose(page, title)
    found = shown(page)
    assert found and found == expected(files_of(title))


def test_a_fix_is_applied_and_undone(page: Page) -> None:
    choose(page, "PipelineRL: Hydra configuration")
    before = page.input_value("#text")
    page.locator("li", has_text="VM101").get_by_role("button", name="Apply").click()
    answered(page)
    assert page.input_value("#text") == before.rstrip("\n") + '\n    no-enable-prefix-caching: ""\n'
    assert "VM101" not in [code for code, _, _ in shown(page)]
    page.focus("#text")
    page.keyboard.press("Control+z")
    answered(page)
    assert page.input_value("#text") == before


@pytest.mark.parametrize("unsafe", [False, True])
def test_the_fixed_text_is_what_fix_writes(page: Page, unsafe: bool) -> None:
    choose(page, "vllm serve --config")
    if unsafe:
        page.check("#review")
    files = files_of("vllm serve --config")
    (text,) = fix(files=files, unsafe=unsafe).texts.values()
    kept = page.locator(".row:not(.gone) code").all_inner_texts()
    assert [line.strip() for line in kept] == [line.strip() for line in text.split("\n")]
    page.click("#apply")
    answered(page)
    assert page.input_value("#text") == text
    assert page.is_disabled("#apply")


def test_releases_are_picked(page: Page) -> None:
    files = {SAVED: "model: m\nswap-space: 4\n"}
    write(page, files[SAVED])
    for source, target in (("0.8.5", "0.10.2"), ("0.17.1", "0.33.0")):
        page.select_option("#from", source)
        page.select_option("#to", target)
        answered(page)
        findings = lint(files=files, from_=source, to=target).findings
        assert sorted(code for code, _, _ in shown(page)) == sorted(finding.code for finding in findings)
        assert page.inner_text("#move").startswith(f"{source} (--from)")


def test_places_after_characters_outside_the_basic_plane(page: Page) -> None:
    text = "# 🦙🦙 rollouts\nmodel: 🦙m  # 🦙\nswap-space: 4\ndisable-log-requests: true\n"
    write(page, text)
    (wanted,) = fix(files={SAVED: text}).texts.values()
    page.click("#apply")
    answered(page)
    assert page.input_value("#text") == wanted and "🦙m" in wanted


def test_several_files_are_one_project(page: Page) -> None:
    write(page, "model: m\n")
    page.click("#add")
    page.fill("#path", "requirements.txt")
    page.fill("#text", "vllm==0.16.0\n")
    answered(page)
    assert page.inner_text("#move").startswith("0.16.0 (")


def test_a_link_brings_the_files_back_and_is_not_sent(open_playground: Open) -> None:
    page = open_playground()
    secret = "model: a-name-of-our-own\nswap-space: 4\n"
    write(page, secret, "ours/serve.yaml")
    page.select_option("#to", "0.20.0")
    answered(page)
    page.click("#share")
    page.wait_for_function("() => location.hash.startsWith('#v1=')")
    seen: list[str] = []
    other = open_playground(page.evaluate("location.hash"))
    other.on("request", lambda request: seen.append(request.url))
    assert other.input_value("#text") == secret
    assert other.input_value("#path") == "ours/serve.yaml"
    assert other.input_value("#to") == "0.20.0" and shown(other) == shown(page)
    assert not seen


@pytest.mark.parametrize("fragment", ["#v1=", "#v1=%%%", "#v1=AAAA", "#v2=x", "#v1=S0xMVAQA"])
def test_a_link_that_is_none_is_passed_over(open_playground: Open, fragment: str) -> None:
    page = open_playground(fragment)
    assert page.input_value("#text") == files_of(next(iter(EXAMPLES)))["conf/base.yaml"]


def test_a_link_cannot_bring_markup(open_playground: Open) -> None:
    page = open_playground()
    image = "<img src=x onerror=\"document.title='taken'\">"
    write(page, f'model: "{image}"\n{image}: 4\nswap-space: 4\n', f"{image}.yaml")
    page.click("#share")
    page.wait_for_function("() => location.hash.startsWith('#v1=')")
    other = open_playground(page.evaluate("location.hash"))
    assert image in other.input_value("#text") and other.locator("img").count() == 0
    assert other.title() == "vllm-migrate playground"


def test_it_works_without_a_network(open_playground: Open) -> None:
    """Once loaded it asks for nothing more: nothing that is pasted can leave the page."""
    page = open_playground()
    page.context.set_offline(True)
    requests: list[str] = []
    page.context.on("request", lambda request: requests.append(request.url))
    text = "model: m\nenable-prefix-caching: false\n"
    write(page, text)
    assert shown(page) == expected({SAVED: text}) and not requests


def test_what_it_cannot_read_is_said(page: Page) -> None:
    write(page, "model: [m\nswap-space: 4\n")
    assert [code for code, _, _ in shown(page)] == [
        finding.code for finding in lint(files={SAVED: "model: [m\nswap-space: 4\n"}).findings
    ]
    write(page, "")
    assert page.inner_text("#summary") == "Paste a file, or choose an example."
    assert page.locator("#findings > li").count() == 0


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("#!/bin/bash\nvllm serve m --swap-space 4\n", "launch.sh"),
        ("from vllm import LLM\nllm = LLM(model='m', swap_space=4)\n", "rollout.py"),
        ("[inference.vllm]\nmodel = 'm'\nswap_space = 4\n", "rl.toml"),
        ("model: m\nswap-space: 4\nmax-model-len: 8192\n", "serve.yaml"),
    ],
)
def test_the_name_of_a_pasted_file_is_guessed(page: Page, text: str, path: str) -> None:
    write(page, "")
    page.fill("#text", text)
    answered(page)
    assert page.input_value("#path") == path
    assert shown(page) == expected({path: text})


def test_a_narrow_screen_has_tabs(open_playground: Open) -> None:
    page = open_playground(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.is_visible("#text") and not page.is_visible("#findings")
    page.tap("#tab-findings")
    assert page.is_visible("#findings li") and not page.is_visible("#text")
    page.locator("li", has_text="VM101").locator(".place").tap()
    assert page.is_visible("#text")
    assert page.evaluate("document.activeElement.id") == "text"
    page.tap("#tab-fixed")
    assert "no-enable-prefix-caching" in page.inner_text("#fixed")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    choose(page, "vllm serve --config")
    page.focus("#text")
    page.keyboard.press("F8")
    first = page.evaluate(SELECTED)
    page.keyboard.press("F8")
    second = page.evaluate(SELECTED)
    page.keyboard.press("Shift+F8")
    assert first == ["text", "model: Qwen/Qwen2.5-7B"]
    assert second == ["text", "enable-prefix-caching"]
    assert page.evaluate(SELECTED) == first
    page.keyboard.press("Control+Enter")
    answered(page)
    (text,) = fix(files=files_of("vllm serve --config")).texts.values()
    assert page.input_value("#text") == text
    # Tab leaves the editor, and reaches a finding's link and the button that applies the rest.
    page.focus("#text")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"rule", "place", "review", "copy", "fixed"} <= set(reached)


def test_tabs_follow_the_arrows(open_playground: Open) -> None:
    page = open_playground(viewport={"width": 800, "height": 900})
    page.focus("#tab-input")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#findings") and page.evaluate("document.activeElement.id") == "tab-findings"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.is_visible("#fixed") and page.get_attribute("#tab-fixed", "aria-selected") == "true"


def test_every_control_has_a_name(page: Page) -> None:
    for control in page.locator("button, select, input, textarea, a").all():
        name = control.evaluate(
            "node => node.getAttribute('aria-label') || node.textContent.trim() || [...(node.labels ?? [])].map(l => l.textContent).join()"
        )
        assert name, control.evaluate("node => node.outerHTML")


CONTRAST = """() => {
  const value = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
    .map((c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)); return .2126 * r + .7152 * g + .0722 * b; };
  const back = (node) => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor;
    if (c !== "rgba(0, 0, 0, 0)" && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
  const out = [];
  const texts = "p, button, a, label, h1, h2, small, .badge, .safety, pre span, .row code, .number, #summary, #move";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.offsetParent || !node.textContent.trim() || node.disabled) continue;
    const [a, b] = [value(getComputedStyle(node).color), value(back(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) out.push(`${node.className || node.id || node.tagName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(out)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(open_playground: Open, scheme: str) -> None:
    page = open_playground(color_scheme=scheme)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((c) => c > 200)")
    assert light == (scheme == "light")
    assert page.evaluate(CONTRAST) == []


def test_the_colours_chosen_are_kept(open_playground: Open) -> None:
    page = open_playground(color_scheme="light")
    page.click("#theme")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(CONTRAST) == []
    page.reload()
    answered(page)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"

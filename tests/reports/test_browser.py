"""The page in a real browser: filter, search, keys, links, folding, nothing fetched, and without a script.

Skipped where there is no Chromium, or the dependency group ``browser`` is not installed (`make browser`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.core.results import StepResult
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.pages import large_run
from tests.reports.formats.rich_run import recorded
from tests.reports.formats.runs import GREEN, HOSTILE, HOSTILE_RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    Browser = Page = Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RUNS: dict[str, tuple[ReportedRun, ...]] = {
    "rich": (recorded(),),
    "hostile": (HOSTILE_RUN,),
    "several": (GREEN, recorded(), HOSTILE_RUN),
    "large": (large_run(300, HOSTILE),),
}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM)
        yield made
        made.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {name: folder / f"{name}.html" for name in RUNS}
    for name, path in made.items():
        path.write_text(report_text("html", RUNS[name]))
    return made


@pytest.fixture
def wrong() -> list[str]:
    """What a page asked for, and what it complained about."""
    return []


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path], wrong: list[str]) -> Iterator[Open]:
    contexts = []

    def make(name: str = "rich", hash_: str = "", width: int = 1400, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        address = files[name].as_uri()
        page.on("request", lambda it: None if it.url.startswith(address) else wrong.append(it.url))
        page.on("console", lambda it: wrong.append(it.text))
        page.on("pageerror", lambda it: wrong.append(str(it)))
        page.goto(address + hash_)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def shown(page: Page) -> list[str]:
    """The steps that are to be seen, by the last part of their names."""
    ids = page.eval_on_selector_all(".step:not([hidden])", "all => all.map(it => it.id)")
    return [str(it).partition(".")[2] for it in ids]


def is_open(page: Page, step: str) -> bool:
    return bool(page.evaluate("id => document.getElementById(id).open", f"release.{step}"))


def in_view(page: Page, step: str) -> bool:
    return bool(
        page.evaluate(
            "id => { const it = document.getElementById(id).getBoundingClientRect();"
            " return it.top >= 0 && it.top < innerHeight }",
            f"release.{step}",
        )
    )


def until(page: Page, condition: str) -> None:
    """Wait until it holds; the page's policy forbids the driver's own way to wait."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"this never came: {condition}")


def steps_with(outcome: str) -> list[str]:
    results: list[StepResult] = [*recorded().result.steps.values()]
    return [it.name for it in results if it.outcome == outcome]


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_fetched_or_run_and_no_page_is_wider_than_its_window(
    opened: Open, name: str, width: int, scheme: str
) -> None:
    page = opened(name, width=width, color_scheme=scheme)
    page.get_by_role("button", name="open all").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("img, iframe, object, link").count() == 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")
    assert (sum(map(int, background)) < 3 * 128) == (scheme == "dark")


def test_the_policy_keeps_a_script_that_is_not_ours_from_running(opened: Open, wrong: list[str]) -> None:
    page = opened()
    page.evaluate(
        "() => { const it = document.createElement('script'); it.textContent = 'window.taken = 1';"
        " document.body.append(it); document.body.setAttribute('onclick', 'window.taken = 1');"
        " document.body.click(); const a = document.createElement('a'); a.href = 'javascript:window.taken=1';"
        " document.body.append(a); a.click() }"
    )
    page.wait_for_timeout(50)
    assert page.evaluate("window.taken === undefined")
    assert len(wrong) == 3
    wrong.clear()


def test_a_filter_shows_the_steps_of_an_outcome(opened: Open) -> None:
    page = opened()
    everything = shown(page)
    page.get_by_role("button", name="failed 1").click()
    assert shown(page) == steps_with("failed")
    page.get_by_role("button", name="error 3").click()
    assert shown(page) == [it for it in everything if it in steps_with("failed") + steps_with("error")]
    assert page.locator("output").inner_text() == "4 of 12 steps"
    assert page.locator(".graph a.dim").count() == 8
    page.get_by_role("button", name="failed 1").click()
    page.get_by_role("button", name="error 3").click()
    assert shown(page) == everything


def test_a_search_finds_what_is_said_in_a_step_and_escape_ends_it(opened: Open) -> None:
    page = opened()
    everything = shown(page)
    page.keyboard.press("/")
    page.keyboard.type("No Route to HOST")
    until(page, "document.querySelector('output').textContent !== ''")
    found = shown(page)
    assert "files" in found
    assert len(found) < len(everything)
    page.keyboard.press("Escape")
    assert shown(page) == everything
    assert page.locator("input").input_value() == ""


def test_keys_walk_open_and_close(opened: Open) -> None:
    page = opened()
    names = shown(page)
    for key, expected in (("j", names[0]), ("j", names[1]), ("j", names[2]), ("k", names[1])):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.parentElement.id") == f"release.{expected}"
        assert in_view(page, expected)
    before = is_open(page, names[1])
    page.keyboard.press("o")
    assert is_open(page, names[1]) is not before
    page.keyboard.press("e")
    assert all(is_open(page, name) for name in names)
    page.keyboard.press("c")
    assert not any(is_open(page, name) for name in names)
    page.keyboard.press("f")
    assert shown(page) == [it for it in names if it not in steps_with("passed")]
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.parentElement.id") == f"release.{shown(page)[0]}"
    page.keyboard.press("f")
    assert shown(page) == names


def test_a_key_with_control_is_the_browsers(opened: Open) -> None:
    page = opened()
    names = shown(page)
    page.keyboard.press("Control+c")
    page.keyboard.press("Alt+f")
    assert shown(page) == names
    assert is_open(page, "review")


def test_a_click_folds_a_step_and_unfolds_it(opened: Open) -> None:
    page = opened()
    title = page.locator("[id='release.review'] > summary b")
    assert is_open(page, "review")
    title.click()
    assert not is_open(page, "review")
    title.click()
    assert is_open(page, "review")


def test_links_lead_to_steps_and_findings(opened: Open) -> None:
    page = opened()
    page.keyboard.press("c")
    page.locator(".graph a").filter(has_text="fix").click()
    until(page, "document.getElementById('release.fix').open")
    assert in_view(page, "fix")
    page.locator(".reasons a").filter(has_text="user input in a query").click()
    until(page, "document.querySelector('.finding.blocks').getBoundingClientRect().top < innerHeight")
    assert page.evaluate("document.querySelector('.finding.blocks').open")


def test_an_address_with_a_step_opens_that_step_also_if_a_filter_hides_it(opened: Open) -> None:
    page = opened(hash_="#release.safe")
    assert is_open(page, "safe")
    assert in_view(page, "safe")
    page.get_by_role("button", name="failed 1").click()
    page.evaluate("location.hash = '#release.flaky'")
    until(page, "document.getElementById('release.flaky').open")
    assert in_view(page, "flaky")


@pytest.mark.parametrize("hash_", ["#%", "#nothing", "#%3Cscript%3E"])
def test_an_address_that_leads_nowhere_is_no_harm(opened: Open, hash_: str) -> None:
    assert len(shown(opened(hash_=hash_))) == 12


def test_a_command_is_copied_or_selected(opened: Open) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    button = page.locator(".banner .copy")
    button.click()
    until(page, "document.querySelector('.banner .copy').textContent !== 'copy'")
    if button.inner_text() == "copied":
        assert page.evaluate("navigator.clipboard.readText()") == "lok run release"
    else:
        assert page.evaluate("getSelection().toString()") == "lok run release"


def test_without_a_script_everything_is_there_and_nothing_that_would_need_one(opened: Open) -> None:
    page = opened(java_script_enabled=False)
    assert not page.locator(".controls").is_visible()
    assert page.locator(".copy:visible").count() == 0
    assert page.locator(".step:visible").count() == 12
    assert page.locator("[id='release.review'] .reply").first.is_visible()
    inside = page.locator("[id='release.safe'] .body")
    assert not inside.is_visible()
    page.locator("[id='release.safe'] > summary b").click()
    assert inside.is_visible()
    page.locator(".graph a").filter(has_text="last").click()
    assert page.url.endswith("#release.last")


def test_printing_shows_what_is_folded_in_dark_letters_on_white(opened: Open) -> None:
    page = opened(color_scheme="dark")
    page.keyboard.press("c")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(is_open(page, name) for name in shown(page))
    assert not page.locator(".controls").is_visible()
    for part in ("body", ".banner"):
        colour = f"getComputedStyle(document.querySelector('{part}')).backgroundColor"
        assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not any(is_open(page, name) for name in shown(page))


def test_every_control_and_step_is_reached_by_the_tab_key(opened: Open) -> None:
    page = opened()
    page.keyboard.press("c")
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.parentElement.id || document.activeElement.tagName")
        )
    assert {f"release.{name}" for name in shown(page)} | {"INPUT", "BUTTON"} <= reached

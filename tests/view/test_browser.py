"""The viewer in a real browser: keys, search, focus, names for screen readers, no word on the console."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from synth.view import Index, View, serving
from tests.core.fake_run import build
from tests.view.conftest import result, settle

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed (the dev extra)"
    ),
]

UNNAMED = """() => [...document.querySelectorAll("a, button, input, select, summary, [role=img]")].filter(
  (one) => !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length))
).map((one) => one.outerHTML)"""
FOCUSED = "() => [...document.querySelectorAll('a.row')].indexOf(document.activeElement)"
OUTLINED = "() => getComputedStyle(document.activeElement).outlineStyle"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests here."""
    from playwright.async_api import async_playwright

    async with async_playwright() as player:
        # Chromium's own sandbox needs rights that containers do not have; the pages are our own.
        launched = await player.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield launched
        await launched.close()


@asynccontextmanager
async def opened(browser: Browser, run: Path) -> AsyncIterator[tuple[Page, str, list[str]]]:
    """A page, the viewer's address, and what the console said by the end."""
    said: list[str] = []
    async with serving(View(settle(Index(run)))) as address, await browser.new_context() as context:
        page = await context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page, address, said


async def test_keys_search_and_record_pages_work(browser: Browser, finished: Path) -> None:
    """One walk: the list by keys, a search that narrows while it is typed, a record, and back."""
    async with opened(browser, finished) as (page, address, said):
        await page.goto(f"{address}/records")
        for key, row in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0)):
            await page.keyboard.press(key)
            assert await page.evaluate(FOCUSED) == row
        assert await page.evaluate(OUTLINED) == "solid"

        await page.keyboard.press("/")
        await page.keyboard.type("strawb")
        await page.get_by_text("502 of 1,102 records").wait_for()
        await page.select_option("select[name=reason]", "duplicate")
        await page.get_by_text("66 of 1,102 records").wait_for()
        assert page.url == f"{address}/records?q=strawb&reason=duplicate"
        assert await page.locator("mark").first.inner_text() == "strawb"

        await page.focus("#q")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/record/*")
        assert await page.get_by_text("same question as sample").first.is_visible()
        record = page.url
        await page.keyboard.press("j")
        await page.wait_for_url(lambda url: "/record/" in url and url != record)
        await page.keyboard.press("Escape")
        await page.wait_for_url("**/records?q=strawb&reason=duplicate")

        await page.focus("#q")
        await page.keyboard.press("Escape")
        await page.get_by_text("66 of 1,102 records").wait_for()
        assert await page.input_value("#q") == ""
        assert said == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1200, "light")])
async def test_every_page_fits_and_is_named(
    browser: Browser, finished: Path, width: int, scheme: str
) -> None:
    """On a phone and on a desk nothing is wider than the screen, and every control has a name."""
    with Index(finished).connect() as db:
        name = db.execute("SELECT name FROM records ORDER BY id DESC LIMIT 1").fetchone()[0]
    async with opened(browser, finished) as (page, address, said):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("/", "/records", f"/record/{name}"):
            await page.goto(address + path)
            assert await page.evaluate(TOO_WIDE) == 0
            assert await page.evaluate(UNNAMED) == []
            assert await page.locator("h1").count() == 1
            assert await page.locator("main, nav[aria-label]").count() >= 2
        dark = (
            await page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"
        )
        assert dark is (scheme == "dark")
        assert said == []


async def test_a_new_record_comes_up_by_itself(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on, looked at: nothing has to be loaded again."""
    monkeypatch.setattr("synth.view.watch.LOOK_SECONDS", 0.05)
    run = build(tmp_path / "run", rounds=1, stop_in="generate")
    async with opened(browser, run) as (page, address, said):
        await page.goto(f"{address}/records")
        await page.get_by_text("There is no record yet").wait_for()
        result(run, "fresh", ("a brand-new answer",))
        await page.get_by_text("a brand-new answer").wait_for(timeout=15_000)
        assert said == []

"""A real Chromium before the real web application."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the pages were NOT looked at in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Any]:
    """A page of a fresh visitor, such as ``visit("/o/abc", locale="fr-FR", javascript=False)``."""
    contexts: list[BrowserContext] = []

    def visit(path: str, *, javascript: bool = True, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(
            java_script_enabled=javascript, viewport={"width": width, "height": 900}, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(site + path)
        return page

    yield visit
    for context in contexts:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, a line each."""
    page.evaluate(AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run({runOnly: {type: 'tag', values: tags}})", tags)
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]

"""A real browser for tests of pages: Debian's Chromium under Playwright, and what axe-core finds of a page's accessibility.

As a module it gives `chromium_running`, as a context; nothing is downloaded, and a browser that is not there fails the test.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PATIENCE_MILLISECONDS = 20_000


@contextmanager
def chromium_running() -> Iterator[Browser]:
    """Runs Debian's Chromium without a window."""
    program = shutil.which("chromium")
    assert program is not None, "these tests need Chromium: apt install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def barriers(page: Page) -> list[str]:
    """What axe-core finds on a page that keeps people out, in words: none, on a page of ours."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]

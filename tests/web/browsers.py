"""Chromium without a screen, driven as a user does it, and what it must not report.

Where there is no Chromium, the tests that need it are skipped, and the reason is shown.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright
from tests.connectors.recorded import package
from tests.server import LiveServer

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = "axe-core@4.10.3"
RUNS_SCRIPTS = "matchMedia('(scripting: enabled)').matches"
IS_DRAWN = "document.querySelectorAll('figure.chart .drawing:not(.vega-embed)').length === 0"
WHAT_AXE_FINDS = """async () => (await axe.run()).violations.map(
    (one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(' ')}`
)"""


def executable() -> str:
    """Where Chromium is; skips the test if it is nowhere."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"PAGES ARE NOT TESTED IN A BROWSER: there is none of {', '.join(NAMES)}")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, for all tests of a process."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Window:
    """A window of the browser, signed in, that collects what a page complains about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a page, and wait until the script has drawn its charts."""
        self.page.goto(path)
        if self.page.evaluate(RUNS_SCRIPTS):
            self.page.wait_for_function(IS_DRAWN)

    def note_failure(self, request: Request) -> None:
        """A request that came to nothing, unless a user went on before it was answered."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    @property
    def text(self) -> str:
        return self.page.inner_text("body")

    def violations(self) -> list[str]:
        """What axe-core finds on the page that keeps people out."""
        # Our own policy does not let a page take scripts, so this one comes as an expression.
        self.page.evaluate((package(AXE) / "axe.min.js").read_text("utf-8"))
        found: list[str] = self.page.evaluate(WHAT_AXE_FINDS)
        return found


@contextmanager
def window(browser: Browser, server: LiveServer, **options: Any) -> Iterator[Window]:
    """A window of someone who signs in by typing a token. At the end nothing was complained of."""
    context = browser.new_context(base_url=server.base_url, **options)
    opened = Window(context.new_page())
    opened.page.on(
        "console",
        lambda said: (
            opened.complaints.append(said.text) if said.type in ("error", "warning") else None
        ),
    )
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("requestfailed", opened.note_failure)
    try:
        opened.page.goto("/sign-in")
        opened.page.get_by_label("Token").fill(server.default_token)
        opened.page.get_by_role("button", name="Sign in").click()
        opened.page.get_by_role("heading", name="Overview").wait_for()
        opened.page.get_by_role("navigation", name="Main").get_by_text("Deployments").click()
        opened.page.wait_for_url("**/deployments")
        yield opened
        assert opened.complaints == []
    finally:
        context.close()

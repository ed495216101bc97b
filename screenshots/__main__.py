"""Tell the demo's history to a server of its own and take its pictures: `python -m screenshots`."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from shipmark.demo.client import Client
from shipmark.demo.server import serving
from shipmark.demo.story import tell, tell_year

FOLDER = Path(__file__).parents[1] / "docs" / "images"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WIDTH, HEIGHT = 1180, 760
LARGEST = 150_000
"""Bytes of a picture: they are kept with the code."""

IS_DRAWN = "document.querySelectorAll('figure.chart .drawing:not(.vega-embed)').length === 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page in light or dark. ``link`` is the name of what is clicked there first."""

    name: str
    path: str
    link: str | None = None
    colours: str = "light"


PICTURES = (
    Picture(name="overview", path="/?range=1y"),
    Picture(name="overview-dark", path="/?range=1y", colours="dark"),
    Picture(
        name="deployment",
        path="/deployments?service=dispatch&environment=production",
        link="dispatch-",
    ),
    Picture(name="pull-request", path="/pulls?repository=acme/shop", link="#206"),
    Picture(name="service", path="/services/billing"),
    Picture(name="metric", path="/metrics/change_failure_rate?range=1y"),
)


def main() -> None:
    """Take every picture; one that is too large is an error."""
    found = next((each for name in NAMES if (each := shutil.which(name))), None)
    if found is None:
        sys.exit(f"There is no Chromium here: none of {', '.join(NAMES)}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with serving(None, time.sleep) as server, _chromium(found) as browser:
        tell(server.client, now)
        tell_year(server.client, now)
        for picture in PICTURES:
            taken = _take(browser, server.client, picture)
            size = taken.stat().st_size
            print(f"{taken.relative_to(FOLDER.parents[1])}: {size // 1000} kB")
            if size > LARGEST:
                sys.exit(f"{taken.name} is larger than {LARGEST // 1000} kB.")


@contextmanager
def _chromium(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def _take(browser: Browser, client: Client, picture: Picture) -> Path:
    path = FOLDER / f"{picture.name}.png"
    context = browser.new_context(
        base_url=client.base_url,
        color_scheme="dark" if picture.colours == "dark" else "light",
        viewport={"width": WIDTH, "height": HEIGHT},
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Token").fill(client.token)
    page.get_by_role("button", name="Sign in").click()
    page.goto(picture.path)
    if picture.link is not None:
        page.get_by_role("link", name=picture.link).first.click()
    page.wait_for_function(IS_DRAWN)
    page.screenshot(path=path)
    context.close()
    return path


if __name__ == "__main__":
    main()

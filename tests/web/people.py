"""People who look at pages, as browsers do it: over HTTP, with cookies and forms."""

import re
from html import unescape
from typing import Self

import httpx
from tests.server import LiveServer

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
TAGS = re.compile(r"<[^>]*>")


class Person:
    """A browser without JavaScript. ``get`` and ``post`` do not follow redirects."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.base_url, timeout=60, trust_env=False)
        self.page = httpx.Response(204)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **query: str) -> httpx.Response:
        """Look at a page."""
        self.page = self.http.get(path, params=query or None)
        return self.page

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of the page that was looked at last, with what it holds that is hidden."""
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(self.page.text)}
        token = {"form_token": hidden["form_token"]} if "form_token" in hidden else {}
        return self.http.post(path, data=token | fields)

    def seen(self) -> str:
        """Which state of what it changes the form of this page is of."""
        found = re.search(r'name="seen" value="([^"]+)"', self.page.text)
        assert found, self.words
        return found[1]

    def send_file(
        self, path: str, content: bytes, *, filename: str = "years.csv", **fields: str
    ) -> httpx.Response:
        """Send a form with a file of the page that was looked at last, as browsers do."""
        hidden = {name: unescape(value) for name, value in HIDDEN.findall(self.page.text)}
        token = {"form_token": hidden["form_token"]} if "form_token" in hidden else {}
        file = (filename, content, "text/csv")
        return self.http.post(path, data=token | fields, files={"file": file})

    def sign_in(self, token: str | None = None) -> httpx.Response:
        """Sign in, with a token for everything by default, and look at the first page."""
        answer = self.post("/sign-in", token=token or self.server.default_token)
        self.get("/deployments")
        return answer

    @property
    def words(self) -> str:
        """What the page says, without how it is marked up."""
        return " ".join(unescape(TAGS.sub(" ", self.page.text)).split())

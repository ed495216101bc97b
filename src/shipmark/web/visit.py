"""One request of one person: what it asks, who asks, and how it is answered."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shipmark.application.queries import ReadTransaction
from shipmark.application.sessions import Session
from shipmark.application.tokens import Scope
from shipmark.application.writer import Work
from shipmark.domain.errors import UnknownMethod
from shipmark.domain.model import LAST_NUMBER
from shipmark.web import cookies
from shipmark.web.charts.specification import Chart
from shipmark.web.fields import Fields
from shipmark.web.file_form import FileForm
from shipmark.web.messages import DONE
from shipmark.web.navigation import SECTIONS, Section
from shipmark.web.site import Site
from shipmark.web.templates import environment

# Browsers resolve steps of . and .. in an address, however they are quoted; names may have them.
_DOTS = re.compile(r"(?<![^/])(~*\.{1,2})(?![^/])")
_MARKED_DOTS = re.compile(r"(?<![^/])~(~*\.{1,2})(?![^/])")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnChart:
    """A chart with its SVG, if it could be drawn."""

    chart: Chart
    svg: str | None


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a handler is given. ``form`` is empty but for requests that change something; ``file``
    is what comes behind its fields, where a file does.

    ``address`` is where browsers reach us; its path, if it has one, is the ``prefix`` of links.
    """

    site: Site
    request: Request
    session: Session | None
    query: Fields
    form: Fields
    address: str
    prefix: str
    file: FileForm | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def origin(self) -> str:
        """Our address without the prefix of links."""
        return self.address.removesuffix(self.prefix)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us over TLS."""
        return self.address.startswith("https:")

    @property
    def account_id(self) -> int:
        """The account on whose behalf something is changed."""
        assert self.session is not None  # noqa: S101 - pages that change something ask for scopes
        return self.session.token.account.id

    @property
    def caller(self) -> tuple[str, str]:
        """The names of the account and the token on whose behalf something is changed."""
        assert self.session is not None  # noqa: S101 - as above
        return self.session.token.account.name, self.session.token.name

    def may(self, scopes: Collection[Scope]) -> bool:
        """Whether who visits has any one of the scopes."""
        return self.session is not None and self.session.token.may(scopes)

    def is_in(self, section: Section) -> bool:
        """Whether this page is one of the section."""
        here: str = self.request.scope["path"]
        return any(here == path or here.startswith(f"{path}/") for path in section.paths)

    def path(self, name: str) -> Any:
        """A parameter of the path. Raises UnknownMethod for a number that nothing can have."""
        found = self.request.path_params[name]
        if isinstance(found, str):
            return _MARKED_DOTS.sub(r"\1", found)
        if isinstance(found, int) and found > LAST_NUMBER:
            raise UnknownMethod(f"There is nothing with the number {found}.")
        return found

    async def read(self, run: Callable[[ReadTransaction], Result]) -> Result:
        """Run in a transaction that only reads."""
        return await self.site.calls.read(run)

    async def write(self, work: Work[Item, Result], item: Item) -> Result:
        """Have the writer do it; answers once it is committed."""
        return await self.site.calls.write(work, item)

    async def drawn(self, chart: Chart) -> DrawnChart:
        """The chart with its SVG."""
        return DrawnChart(chart=chart, svg=await self.site.drawing.svg(chart.specification))

    def link(self, path: str, /, **query: str | None) -> str:
        """The address of a page of ours, below where we are served."""
        said = {name: text for name, text in query.items() if text}
        address = quote(_DOTS.sub(r"~\1", path))
        return self.prefix + address + ("?" + urlencode(said) if said else "")

    def render(self, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """A page. One whose fields have problems says so with its status, too."""
        wrong = self.query.problems or self.form.problems
        text = (
            environment()
            .get_template(template)
            .render(
                visit=self,
                link=self.link,
                done=DONE.get(self.query.sent.get("done", "")),
                sections=[one for one in SECTIONS if self.may(one.scopes)],
                theme=cookies.theme(self.request),
                themes=cookies.THEMES,
                now=self.now,
                **values,
            )
        )
        return HTMLResponse(text, status_code=400 if wrong and status == 200 else status)

    def go_to(self, path: str, /, **query: str | None) -> Response:
        """After a change: the page that shows it."""
        return RedirectResponse(self.link(path, **query), status_code=303)

    @property
    def own_path(self) -> str:
        """The path and query of this page, to come back to."""
        query = self.request.url.query
        return self.prefix + quote(self.request.scope["path"]) + (f"?{query}" if query else "")

"""Pull requests: the list, and where each of them is."""

from functools import partial
from typing import Any

from starlette.responses import Response

from shipmark.application import report
from shipmark.application.queries import Page, PullFilter, PullRow, ReadTransaction
from shipmark.application.search import NEWEST, Found, find_pulls
from shipmark.application.whereabouts import Whereabouts, whereabouts
from shipmark.domain.errors import PullNotFound, RepositoryNotFound
from shipmark.domain.incidents import is_production
from shipmark.domain.model import BEGINNING
from shipmark.web.asked import unknown_service
from shipmark.web.fields import Fields, cursor_text
from shipmark.web.visit import Visit

PATH = "/pulls"
SHOWN = 50
MOST_LIVES = 8
"""Environments that the first line of a pull request's page tells of."""

FILTERS = (
    "q",
    "repository",
    "author",
    "service",
    "deployed",
    "environment",
    "since",
    "until",
)
DEPLOYED = (("", "Any"), ("yes", "Shipped"), ("no", "Merged, not shipped"))


async def explorer(visit: Visit) -> Response:
    """Pull requests, last merged first, by any of the filters together."""
    fields = visit.query
    filter_, text = _filter(fields), fields.text("q")
    find = _all if text is None else partial(find_pulls, text=text)
    asked = partial(
        find,
        filter_=filter_,
        page=Page(limit=SHOWN + 1, after=fields.cursor(int)),
        service=fields.text("service"),
        repository=fields.text("repository"),
    )
    found: Found[PullRow] = Found([])
    if not fields.problems:
        with fields.refusing():
            found = await visit.read(asked)
    return visit.render(
        "pulls.html",
        rows=found.rows[:SHOWN],
        next=_next(found.rows),
        is_cut=found.is_cut,
        unknown=None if found.rows else await unknown_service(visit),
        filters=fields.kept(*FILTERS),
        deployed=DEPLOYED,
        newest=NEWEST,
    )


def _all(tx: ReadTransaction, **asked: Any) -> Found[PullRow]:
    return Found(report.pulls(tx, **asked))


def _filter(fields: Fields) -> PullFilter:
    since, until = fields.times()
    deployed, environments = fields.flag("deployed"), fields.names("environment")
    if environments and deployed is None:
        fields.problems.setdefault(
            "environment",
            f"environment is '{fields.sent['environment'].strip()[:60]}'; it must come with "
            "deployed, which says whether what is shipped there is meant, or what is not.",
        )
    return PullFilter(
        author=fields.text("author"),
        deployed=deployed,
        environments=environments,
        since=since,
        until=until,
    )


def _next(found: list[PullRow]) -> str | None:
    if len(found) <= SHOWN:
        return None
    last = found[SHOWN - 1].pull
    return cursor_text(last.merged_at or BEGINNING.at, last.id)


async def shown(visit: Visit) -> Response:
    """Where a pull request is, for each service and environment."""
    try:
        found: Whereabouts = await visit.read(
            lambda tx: whereabouts(tx, visit.path("repository"), visit.path("number"))
        )
    except RepositoryNotFound as error:
        # A wrong argument of a call; in a page's address, a page that is not there.
        raise PullNotFound(error.message) from None
    lives = [found.liveness(one) for one in sorted(found.environments, key=_production_first)]
    is_placed = found.row.pull.merged_at is not None or bool(found.shipping)
    if not lives or not is_placed:
        lives = [found.liveness()]
    return visit.render(
        "pull.html",
        found=found,
        row=found.row,
        pull=found.row.pull,
        lives=lives,
        shown=MOST_LIVES,
        is_placed=is_placed,
        ids={
            (one.deployment.reference_id, one.service.identifier): one.deployment.id
            for one in found.shipping
        },
    )


def _production_first(environment: str) -> tuple[bool, str]:
    return not is_production(environment), environment

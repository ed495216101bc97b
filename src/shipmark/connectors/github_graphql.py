"""GitHub's GraphQL API: how it is asked, and what its errors mean."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from shipmark.connectors.exchange import Dialogue, Request, Response
from shipmark.connectors.forge_errors import (
    ForgeError,
    ForgeNotFound,
    ForgeRefused,
    ForgeUnavailable,
    RateLimited,
    json_of,
)
from shipmark.connectors.payloads import Text, Wire, read

GRAPHQL = "/graphql"
"""The path that stands for the GraphQL endpoint; `github_auth.address` tells where that is."""

BIG_ID, SMALL_ID = "fullDatabaseId", "fullDatabaseId: databaseId"
"""An Enterprise Server that is a few years old knows an id by its old name only, and its ids are
small enough for that."""

UNKNOWN_FIELD = "undefinedField"
TOO_HEAVY_STATUSES = {502, 504}
TOO_HEAVY_TYPES = {"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"}
TOO_HEAVY_WORDS = ("timeout", "timed out", "something went wrong")
RATE_LIMITED = {"RATE_LIMITED", "RATE_LIMIT"}
REFUSED = {"FORBIDDEN", "INSUFFICIENT_SCOPES"}
NOT_FOUND = "NOT_FOUND"


class TooHeavy(ForgeUnavailable):
    """GitHub did not manage to answer this; it may manage less."""


class Extensions(Wire):
    code: Text | None = None


class Error(Wire):
    message: Text = ""
    type: Text | None = None
    extensions: Extensions | None = None

    @property
    def kinds(self) -> set[str | None]:
        return {self.type, self.extensions.code if self.extensions else None}


class Answer(Wire):
    data: Any = None
    errors: tuple[Error, ...] = ()


class PageInfo(Wire, rename="camel"):
    has_next_page: bool
    end_cursor: Text | None = None


Node = TypeVar("Node")


class Connection(Wire, Generic[Node], rename="camel"):
    """A page of nodes; GitHub gives null for a node that may not be seen."""

    page_info: PageInfo
    nodes: tuple[Node | None, ...] = ()

    @property
    def seen(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node is not None)

    @property
    def next(self) -> str | None:
        """The cursor of the next page; None: this is the last one."""
        return self.page_info.end_cursor if self.page_info.has_next_page else None


Shape = TypeVar("Shape")


def ask(
    shape: type[Shape], query: str, variables: Mapping[str, Any], asked: str
) -> Dialogue[Shape]:
    """The data that answers a query. Raises ForgeError; TooHeavy where less might be answered."""
    answer = _answer((yield _request(query, variables)), asked)
    if any(UNKNOWN_FIELD in error.kinds and BIG_ID in error.message for error in answer.errors):
        older = query.replace(BIG_ID, SMALL_ID)
        answer = _answer((yield _request(older, variables)), asked)
    if answer.errors:
        raise _error(answer.errors[0], asked)
    return read(shape, answer.data)


def named(repository: str) -> dict[str, str]:
    """The variables that say which repository."""
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}


def _request(query: str, variables: Mapping[str, Any]) -> Request:
    return Request(method="POST", path=GRAPHQL, body={"query": query, "variables": variables})


def _answer(response: Response, asked: str) -> Answer:
    if response.status in TOO_HEAVY_STATUSES:
        raise TooHeavy(f"GitHub answered {response.status} when asked for {asked}.")
    return read(Answer, json_of(response, asked))


def _error(error: Error, asked: str) -> ForgeError:
    said, briefly = f"GitHub says of {asked}: {error.message}", f"it says: {error.message}"
    if error.type == NOT_FOUND:
        return ForgeNotFound(said, said=briefly)
    if error.kinds & REFUSED:
        return ForgeRefused(said, said=briefly)
    if error.kinds & RATE_LIMITED:
        return RateLimited(said)
    heavy = any(words in error.message.lower() for words in TOO_HEAVY_WORDS)
    if heavy or error.kinds & TOO_HEAVY_TYPES:
        return TooHeavy(said)
    return ForgeError(said)

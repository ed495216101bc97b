"""What the fake forges have in common: they answer an API, and send webhooks, of one history."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from tests.deliveries import SECRET, signature
from tests.forges.history import Commit, Happening, History, Pull

from shipmark.application.deliveries import Delivery
from shipmark.connectors.exchange import Request, Response

ZEROS = "0" * 40
Payload = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook as a forge sends it, and when it does."""

    at: datetime
    headers: Mapping[str, str]
    payload: Payload

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()


class FakeForge:
    """Answers its API as of ``now``, 404 for what it does not know; `sent` are its webhooks.

    ``source`` is what the product calls it, ``endpoint`` the last part of the address its
    webhooks go to. ``also`` is what happens in its histories besides what happens everywhere.
    """

    source: ClassVar[str]
    endpoint: ClassVar[str]
    names: ClassVar[tuple[str, str]] = ("acme/shop", "acme/store")
    methods: ClassVar[tuple[str, ...]] = ("merge", "squash")
    also: ClassVar[tuple[str, ...]] = ()
    own_id: ClassVar[str] = "77"
    url: ClassVar[str] = "https://forge.example"
    pages: ClassVar[Mapping[tuple[ModuleType, str], object]] = {}
    """Constants of connectors by which they ask for pages, as they are to be: few on a page."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.now = history.ended_at
        self.asked = 0

    def __call__(self, request: Request) -> Response:
        self.asked += 1
        parts = [unquote(part) for part in self.below(request.path).strip("/").split("/")]
        answer = self.answer(parts, request)
        if answer is None:
            return as_json({"message": "404 Not Found"}, status=404)
        return answer if isinstance(answer, Response) else as_json(answer)

    def below(self, path: str) -> str:
        """The path below the API's own."""
        return path

    def answer(self, parts: list[str], request: Request) -> Any:
        """What is at a path: a Response, JSON, or None where there is nothing."""
        raise NotImplementedError

    def hooks(self, happening: Happening) -> Iterator[tuple[Mapping[str, str], Payload]]:
        """The webhooks that something that happened sets off: their headers and payloads."""
        raise NotImplementedError

    def proof(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        """The headers that prove a webhook."""
        return {"x-hub-signature-256": signature(body, secret)}

    @property
    def delivery_header(self) -> str | None:
        """The header with the id of a delivery, where it has one."""
        return None

    def sent(self) -> list[Sent]:
        return [
            Sent(happening.at, headers, payload)
            for happening in self.history.happenings
            for headers, payload in self.hooks(happening)
        ]

    # What is there now

    @property
    def repository(self) -> Any:
        return self.history.repository(self.now)

    def is_named(self, name: str) -> bool:
        """Whether that is its name, or was once."""
        known = {one.repository.name for one in self.history.until(self.now)}
        return name.lower() in {one.lower() for one in known | {self.history.names[0]}}

    def pulls(self) -> list[Pull]:
        return list(self.history.pulls(self.now).values())

    def pull(self, number: str | int) -> Pull | None:
        return self.history.pulls(self.now).get(int(number))

    def known(self, prefix: str) -> Commit | None:
        return self.history.known(prefix, self.now)

    def tip(self, branch: str) -> str | None:
        return self.history.tips(self.now).get(branch)

    def brought(self, sha: str) -> list[Pull]:
        """The pull requests that a commit belongs to, or that were merged by it."""
        return [
            pull
            for pull in self.pulls()
            if sha == pull.landed_as or sha in {one.sha for one in pull.commits}
        ]

    def holds(self, branch: str, sha: str) -> bool:
        tip = self.tip(branch)
        return tip is not None and sha in {one.sha for one in self.history.reachable(tip)}


def delivery_of(fake: FakeForge, sent: Sent) -> Delivery:
    return Delivery(
        forge=fake.endpoint,
        delivery_id=sent.headers.get(fake.delivery_header or "", "") or f"d-{hash(sent.body)}",
        headers=sent.headers,
        body=sent.body,
    )


def as_json(body: Any, status: int = 200, **headers: str) -> Response:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, body=json.dumps(body).encode(), headers=told)


def page_of(
    items: Sequence[Item], request: Request, *, size: str = "per_page", most: int = 100
) -> list[Item]:
    """One page of a list, where pages are counted from 1."""
    length = min(int(request.query.get(size, 30)), most)
    page = int(request.query.get("page", 1))
    return list(items[(page - 1) * length : page * length])


def text(at: datetime | None) -> str | None:
    """An instant as most forges write it."""
    return at and at.isoformat().replace("+00:00", "Z")


def instant(value: str | int) -> datetime:
    return datetime.fromisoformat(str(value))


def soon(at: datetime) -> datetime:
    """A moment later, when a webhook is made."""
    return at + timedelta(seconds=1)

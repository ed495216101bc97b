"""One call of one method: who calls, and what handlers may ask for.

Only handlers are async. `Api.read` runs in a thread of its own, `Api.write` in the writer's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any, TypeVar

from shipmark.api.arrivals import Arrivals
from shipmark.api.look_ups import SharedLookUps
from shipmark.api.refusals import RefusalCounter
from shipmark.application.deliveries import Hook
from shipmark.application.doctor import Setup
from shipmark.application.metric_facts import MetricRules
from shipmark.application.queries import ReadTransaction
from shipmark.application.tokens import Token, authenticate
from shipmark.application.works import Works
from shipmark.application.writer import Database, Work, Writer, tried
from shipmark.domain.errors import ShipmarkError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Api:
    """What the handlers stand on, handed to them by the composition root.

    ``hooks`` are those forges from which webhooks are taken, by the last part of their address.
    ``largest_import`` is in bytes, of a file as it is unpacked.
    ``last_noted`` is when the use of each token was last written down, by its id.
    """

    database: Database
    writer: Writer
    readers: ThreadPoolExecutor
    works: Works
    base_url: str | None
    largest_body: int
    largest_import: int
    schema_version: Callable[[], str | None]
    newest_version: str
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    setup: Setup = field(default_factory=Setup)
    refusals: RefusalCounter = field(default_factory=RefusalCounter)
    last_noted: dict[int, datetime] = field(default_factory=dict)
    metric_rules: MetricRules = MetricRules()

    @cached_property
    def tokens(self) -> SharedLookUps[str, Token | ShipmarkError]:
        """The token behind a secret, or why it is refused."""
        return SharedLookUps(lambda secrets: self.read(partial(authenticate, secrets_=secrets)))

    @cached_property
    def _arrivals(self) -> Arrivals:
        return Arrivals(asyncio.get_running_loop())

    async def read(self, run: Callable[[ReadTransaction], Result]) -> Result:
        """Run in a transaction that only reads."""
        return await self.in_thread(lambda: tried(self.database.read, run))

    async def in_thread(self, run: Callable[[], Result]) -> Result:
        """Run what blocks where it blocks nobody."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, run)

    async def write(self, work: Work[Item, Result], item: Item) -> Result:
        """Have the writer do it; answers once it is committed."""
        return await self._arrivals.awaited(self.writer.submit(work, item))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorised call. ``body`` is what was sent, for the methods that read it themselves;
    ``stream``, for those that read it as it comes."""

    api: Api
    caller: Token
    base_url: str
    content_type: str
    body: bytes
    stream: AsyncIterator[bytes]

    def page_of(self, deployment_id: int) -> str:
        """The address of a deployment's page."""
        return f"{self.base_url}/deployments/{deployment_id}"


Handler = Callable[[Call, Any], Any]

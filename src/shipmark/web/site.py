"""What the pages stand on, handed to them by the composition root."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol, TypeVar

from shipmark.application.change import Patch
from shipmark.application.doctor import Setup
from shipmark.application.file_imports import FileImport
from shipmark.application.file_kinds import RowReaders
from shipmark.application.metric_facts import MetricRules
from shipmark.application.queries import ReadTransaction
from shipmark.application.rules import RuleDraft
from shipmark.application.upload_file import Upload
from shipmark.application.works import Works
from shipmark.application.writer import Work
from shipmark.domain.errors import ShipmarkError
from shipmark.web.attempts import Attempts
from shipmark.web.charts.drawing import Drawing

Item = TypeVar("Item")
Result = TypeVar("Result")


class Calls(Protocol):
    """Reads in threads and writes through the writer; `api.calls.Api` is one."""

    @property
    def works(self) -> Works: ...
    @property
    def metric_rules(self) -> MetricRules: ...
    @property
    def setup(self) -> Setup: ...
    @property
    def base_url(self) -> str | None: ...

    async def read(self, run: Callable[[ReadTransaction], Result]) -> Result: ...
    async def write(self, work: Work[Item, Result], item: Item) -> Result: ...


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the handlers of pages may ask for.

    ``status_of`` is the API's table of statuses. ``patch_of``, ``rule_of`` and ``upload_of`` read
    what a form says for an account, as `deployments.update`, `rules.upsert` and `imports.upload`
    read their arguments. ``store_file`` stores a file while it comes.
    """

    calls: Calls
    status_of: Callable[[ShipmarkError], int]
    patch_of: Callable[[Mapping[str, Any], int], Patch]
    rule_of: Callable[[Mapping[str, Any], int], RuleDraft]
    upload_of: Callable[[Mapping[str, Any], int], Upload]
    store_file: Callable[[Upload, AsyncIterator[bytes]], Awaitable[FileImport]]
    row_readers: RowReaders
    drawing: Drawing
    session_lifetime: timedelta
    public_badges: bool = False

    @cached_property
    def attempts(self) -> Attempts:
        """Sign-ins that failed of late, by where they came from."""
        return Attempts()

"""What the use cases ask of storage about rules, and about what artifacts were built from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shipmark.domain.artifacts import Commit, Report, ServiceDeployed
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.path_rules import PathRules
from shipmark.domain.rules import DeployRule


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRule:
    """A deploy rule under its name, since when it is as it is, and whether it was deleted."""

    name: str
    rule: DeployRule
    changed_at: datetime
    is_deleted: bool = False


class DeployRules(Protocol):
    def claim(self, name: str) -> tuple[int, NamedRule | None]:
        """The id of a name, given out now if need be, and the rule that stands or stood there.

        Others who change it wait until this transaction ends.
        """

    def save(self, name: str, rule: DeployRule, *, account_id: int | None) -> None:
        """Store a rule's new version, under which it stands from now on."""

    def delete(self, name: str) -> bool:
        """Whether there was such a rule. Its versions stay, and so does its id."""

    def named(self, name: str) -> NamedRule | None:
        """The rule that stands under a name."""

    def about(self, sources: Collection[EventSource]) -> list[DeployRule]:
        """The rules about these sources, in the order of their ids."""

    def past_events(
        self, source: EventSource, *, since: datetime | None, limit: int
    ) -> list[SourceEvent]:
        """Events of a source, the newest first."""


class PathRuleSets(Protocol):
    def of(self, repository_ids: Collection[int]) -> dict[int, PathRules]:
        """The rules in force of those repositories that have any."""

    def save(self, repository_id: int, rules: PathRules, *, origin: str) -> None: ...

    def delete(self, repository_id: int, *, origin: str) -> bool: ...

    def changed_at(self, repository_id: int, *, origin: str) -> datetime | None:
        """Since when those of an origin are as they are; None if there are none."""


class Artifacts(Protocol):
    def save(self, ids: Collection[str], repository_id: int, commit_sha: str) -> None:
        """What these ids lead to from now on."""

    def commits(self, ids: Collection[str]) -> dict[str, Commit]:
        """What each of these ids leads to, of those that lead anywhere."""

    def lock_subjects(self, subjects: Collection[str]) -> None:
        """Let others who record reports on these wait until this transaction ends."""

    def add_reports(self, deployed: Collection[ServiceDeployed]) -> dict[int, ServiceDeployed]:
        """Store what is not stored yet; that, by its id. One on a subject counts as a repeat."""

    def around(self, deployed: ServiceDeployed) -> list[Report]:
        """The reports on its subject in the order of their time, from the last one before it that
        is no repeat to the first one after it."""

    def count_as_news(self, report_ids: Collection[int]) -> None:
        """Reports that are no repeats after all."""

    def forget_repeats(self, subjects: Collection[str], *, recorded_before: datetime) -> None:
        """Remove the repeats on these that were recorded before."""

    def reports(self, ids: Collection[int]) -> dict[int, ServiceDeployed]:
        """Reports, each locked: others who resolve its artifacts wait."""

    def wait_for(self, waiting: Mapping[tuple[int, int], Collection[str]]) -> None:
        """Keep the ids of artifacts, by (report, place), until they have led to a commit."""

    def waiting(self, report_ids: Collection[int]) -> dict[int, set[int]]:
        """The places of the artifacts of each report that have not led to a commit yet."""

    def waiting_for(self, ids: Collection[str]) -> list[int]:
        """The reports that wait for one of these ids, in the order of their own."""

    def with_known_artifacts(self, limit: int) -> list[int]:
        """Reports of late that wait for an artifact which nevertheless leads to a commit."""

    def stop_waiting(self, resolved: Collection[tuple[int, int]]) -> None: ...

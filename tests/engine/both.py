"""The engine and the reference model side by side: told the same, asked the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import Any

from sqlalchemy import select, text, union_all
from tests import reference_model as model
from tests.reference_model import Answers, Facts, PullKey

from shipmark.application.policy import Policy
from shipmark.application.queries import Page, PullFilter, ReachedCommit
from shipmark.application.register import Registered, answer
from shipmark.application.repositories import upsert_repository
from shipmark.domain.model import LAST_NUMBER, Position
from shipmark.storage.shipped import shipped_by_list, shipped_by_window
from shipmark.storage.tables import deployments, lanes, pulls, windows
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(wait_for_unknown_merge_commits=True)
EVERYTHING = Page(limit=1000)
SHIPPED = union_all(
    shipped_by_window(windows.c.deployment_id, pulls.c.id),
    shipped_by_list(deployments.c.id, pulls.c.id),
)


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """Services assigned to a pull request, imported or not, by one of its two keys."""

    key: PullKey | None
    source_id: str | None
    services: frozenset[str]
    replace: bool

    def is_of(self, pull: model.Pull) -> bool:
        return self.key == pull.key if self.source_id is None else self.source_id == pull.source_id


@dataclass(kw_only=True)
class Both:
    """One transaction of the engine, and the facts that the reference model knows."""

    tx: StorageTransaction
    facts: Facts = field(default_factory=Facts)
    repositories: dict[str, int] = field(default_factory=dict)
    assignments: list[Assigned] = field(default_factory=list)
    steps: int = 0

    def set_default_branch(self, repository: str, branch: str | None) -> None:
        stored = upsert_repository(self.tx, repository, {"default_branch": branch}, policy=POLICY)
        self.repositories[repository] = stored.id
        self.facts.default_branches[repository] = branch

    def assign_services(self) -> None:
        """Tell the model what all assignments so far, in order, come to."""
        for pull in self.facts.pulls.values():
            services: frozenset[str] = frozenset()
            for one in self.assignments:
                if one.is_of(pull):
                    services = one.services if one.replace else services | one.services
            self.facts.services[pull.key] = services

    def let_pass(self, days: float) -> None:
        later = self.tx.now + timedelta(days=days)
        self.tx = StorageTransaction(self.tx.connection, now=later)

    def ids(self, reference_ids: Iterable[str]) -> dict[str, int]:
        found = self.tx.deployments.by_reference_ids(set(reference_ids))
        return {reference_id: one.id for reference_id, one in found.items()}

    # Comparing

    def agree(self) -> None:
        """Compare everything that the two can be asked after every step."""
        expected = Answers(self.facts)
        known = self.tx.deployments.by_reference_ids(self.facts.deployments.keys())
        assert known.keys() == self.facts.deployments.keys()
        answers = answer(self.tx, known.values())
        for reference_id, registered in answers.items():
            self.agree_about(registered, expected, reference_id)
        ids = {one.id: reference_id for reference_id, one in known.items()}
        keys = self.pull_keys()
        shipped: dict[str, set[PullKey]] = {reference_id: set() for reference_id in known}
        for deployment_id, pull_id in self.tx.connection.execute(SHIPPED):
            shipped[ids[deployment_id]].add(keys[pull_id])
        assert shipped == expected.ships
        self._windows_agree(expected)
        self.steps += 1
        if keys:
            one = sorted(keys)[self.steps % len(keys)]
            self._shipping_agrees(one, keys[one], ids, expected)

    def agree_about(self, registered: Registered, expected: Answers, reference_id: str) -> None:
        """Compare what a client is told of one deployment."""
        status = registered.deployment.attribution.status.value
        if status in ("pending", "expired"):
            status = model.WAITING
        reason = registered.reason.value if registered.reason else None
        assert (reference_id, status, reason) == (reference_id, *expected.standing(reference_id))
        assert registered.pull_requests == len(expected.ships[reference_id])

    def pull_keys(self) -> dict[int, PullKey]:
        names = {id_: name for name, id_ in self.repositories.items()}
        rows = self.tx.connection.execute(select(pulls.c.id, pulls.c.repository_id, pulls.c.number))
        return {row.id: (names[row.repository_id], row.number) for row in rows}

    def _windows_agree(self, expected: Answers) -> None:
        names = {id_: name for name, id_ in self.repositories.items()}
        service_names = {one.id: one.identifier for one in self.tx.reports.services(EVERYTHING)}
        stored: dict[model.LaneKey, dict[str, model.Window]] = {}
        query = select(windows, lanes).join(lanes, lanes.c.id == windows.c.lane_id)
        for row in self.tx.connection.execute(query):
            lane = (
                names[row.repository_id],
                row.branch,
                service_names[row.service_id],
                row.environment,
            )
            opened = Position(row.opened_at, row.opened_number)
            reached = Position(row.reached_at, row.reached_number)
            window = model.Window(opened=_point(opened), reached=_point(reached))
            stored.setdefault(lane, {})[row.reference_id] = window
            assert row.raises == (opened < reached)
            assert row.is_waiting == (row.raises and not expected.ships[row.reference_id])
        assert stored == expected.windows()

    def _shipping_agrees(
        self, pull_id: int, key: PullKey, ids: Mapping[int, str], expected: Answers
    ) -> None:
        shipping = {ids[one.deployment.id] for one in self.tx.reports.shipping(pull_id)}
        assert (key, shipping) == (key, expected.shipping(key))

    def agree_in_reports(self) -> None:
        """Compare what lists, pages and views show: the same answers by other queries."""
        expected = Answers(self.facts)
        ids = {id_: name for name, id_ in self.ids(self.facts.deployments).items()}
        for pull_id, key in self.pull_keys().items():
            self._shipping_agrees(pull_id, key, ids, expected)
        for deployment_id, reference_id in ids.items():
            rows = self.tx.reports.shipped_pulls(deployment_id, EVERYTHING)
            shipped = [(row.repository, row.pull.number) for row in rows]
            assert len(shipped) == len(expected.ships[reference_id])
            assert set(shipped) == expected.ships[reference_id]
        self._view_agrees(expected)
        self._commits_agree(expected, ids)
        environments = {one.environment for one in self.facts.deployments.values()}
        asked: dict[tuple[str, ...], set[str]] = {(one,): {one} for one in environments}
        asked[()] = {one for one in environments if "prod" in one.lower()}
        asked["moon", "staging", "production"] = {"staging", "production"}
        for named, to in asked.items():
            self._filters_agree(named, to, None, expected)
            for service in self.tx.reports.services(EVERYTHING):
                self._filters_agree(named, to, service, expected)

    def _view_agrees(self, expected: Answers) -> None:
        query = text(
            "SELECT d.reference_id, s.repository, s.number FROM pull_request_deployments s"
            " JOIN deployments d ON d.id = s.deployment_id"
        )
        shown = [(row[0], (row[1], row[2])) for row in self.tx.connection.execute(query)]
        assert sorted(shown) == sorted((d, p) for d, ships in expected.ships.items() for p in ships)

    def _commits_agree(self, expected: Answers, ids: Mapping[int, str]) -> None:
        """The commits reached, in lists, a page at a time, and in the view."""
        names = {id_: name for name, id_ in self.repositories.items()}
        reached = expected.commits_reached()
        for deployment_id, reference_id in ids.items():
            rows = self.tx.reports.reached_commits(deployment_id, EVERYTHING)
            assert rows == [*self._commits_page_by_page(deployment_id)]
            shown = [(names[row.repository_id], row.branch, row.sha) for row in rows]
            assert len(shown) == len(set(shown))
            assert set(shown) == reached[reference_id]
        query = text(
            "SELECT d.reference_id, c.repository, c.branch, c.sha FROM deployment_commits_reached c"
            " JOIN deployments d ON d.id = c.deployment_id"
        )
        viewed = [(row[0], (row[1], row[2], row[3])) for row in self.tx.connection.execute(query)]
        assert sorted(viewed) == sorted((d, one) for d, all_ in reached.items() for one in all_)

    def _commits_page_by_page(self, deployment_id: int) -> Iterator[ReachedCommit]:
        after = None
        while found := self.tx.reports.reached_commits(deployment_id, Page(limit=1, after=after)):
            yield from found
            after = (*found[-1].position, found[-1].sha)

    def _filters_agree(
        self, named: tuple[str, ...], to: set[str], service: Any, expected: Answers
    ) -> None:
        """Which merged pull requests were, or were not yet, deployed to any of these."""
        shipped = {
            key
            for reference_id, keys in expected.ships.items()
            for key in keys
            if self._is_to(reference_id, to, service)
        }
        candidates = {
            pull.key
            for pull in expected.merged
            if service is None or self._may_go_to(pull, service.identifier, to, expected)
        }
        for deployed, wanted in ((True, shipped), (False, candidates - shipped)):
            filter_ = PullFilter(
                deployed=deployed,
                environments=named,
                service_id=service.id if service else None,
            )
            rows = self.tx.reports.pulls(filter_, EVERYTHING)
            assert {(row.repository, row.pull.number) for row in rows} == wanted

    def _is_to(self, reference_id: str, to: set[str], service: Any) -> bool:
        one = self.facts.deployments[reference_id]
        return one.environment in to and (service is None or one.service == service.identifier)

    def _may_go_to(self, pull: model.Pull, service: str, to: set[str], expected: Answers) -> bool:
        """It belongs to the service, or to none and the service is deployed from its branch."""
        assigned = self.facts.services.get(pull.key, frozenset())
        return service in assigned or (
            not assigned
            and any(
                (repository, branch, of) == (pull.repository, pull.base_ref, service)
                and environment in to
                for repository, branch, of, environment in expected.windows()
            )
        )


def _point(position: Position) -> model.Point:
    return position.at, inf if position.number == LAST_NUMBER else position.number

"""Bring attribution to what the facts say: load, let the domain decide, save.

`place` puts deployments into the lanes they reach and finds the pull requests they list;
`settle` then brings the status of everything that was touched up to date. Both may be called
again at any time: with the same facts they change nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from shipmark.application.policy import Policy
from shipmark.application.ports import LaneKey, Standing, Transaction
from shipmark.domain.attribution import (
    Arrival,
    Candidate,
    Match,
    Window,
    insert_windows,
    listed_pulls,
    match_commit,
    reach,
    remove_windows,
    standing,
)
from shipmark.domain.model import (
    SHORT_SHA_LENGTH,
    Attribution,
    Deployment,
    Method,
    Reason,
    Repository,
    Status,
)


@dataclass(slots=True)
class Touched:
    """The deployments whose status may have changed, and why some of them have no window.

    ``new`` are those that were stored just now, with their windows in ``added``: they need not be
    read again.
    """

    deployments: set[int] = field(default_factory=set)
    waits_for: dict[int, Reason] = field(default_factory=dict)
    new: dict[int, Deployment] = field(default_factory=dict)
    added: dict[int, Window] = field(default_factory=dict)


class Settled(NamedTuple):
    """A deployment as it stands now, and how many pull requests it ships where that was counted."""

    deployment: Deployment
    pull_requests: int | None


class Evidence:
    """What is known of the commits that a set of deployments names."""

    def __init__(self, tx: Transaction, deployments: Iterable[Deployment]) -> None:
        wanted = {(d.repository_id, sha) for d in deployments for sha in named_commits(d)}
        self._by_prefix: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in tx.commits.candidates(wanted) if wanted else ():
            self._by_prefix[candidate.sha[:SHORT_SHA_LENGTH]].append(candidate)

    def of(self, deployment: Deployment, sha: str) -> list[Candidate]:
        """The candidates for a commit in the deployment's repository, or in any if it has none."""
        return [
            candidate
            for candidate in self._by_prefix[sha[:SHORT_SHA_LENGTH]]
            if deployment.repository_id in (None, candidate.repository_id)
        ]

    def match(self, deployment: Deployment) -> Match | None:
        """What the deployment's commit turned out to be; None if it names none."""
        if deployment.commit_sha is None:
            return None
        return match_commit(deployment.commit_sha, self.of(deployment, deployment.commit_sha))


def named_commits(deployment: Deployment) -> tuple[str, ...]:
    """The SHAs, short or full, by which a deployment says what it ships."""
    single = () if deployment.commit_sha is None else (deployment.commit_sha,)
    return single + deployment.merge_commit_shas


def place(tx: Transaction, deployments: Sequence[Deployment], *, new: bool = False) -> Touched:
    """Bring the windows and lists of ``deployments`` to what the facts say now.

    ``new`` says that they have none yet. Whoever calls this holds the locks of the repositories.
    """
    touched = Touched(deployments={deployment.id for deployment in deployments})
    if new:
        touched.new = {deployment.id: deployment for deployment in deployments}
    evidence = Evidence(tx, deployments)
    listing = [d for d in deployments if d.method is Method.MERGE_COMMIT_SHAS]
    reaching = [d for d in deployments if d.method is not Method.MERGE_COMMIT_SHAS]
    if listing:
        _place_lists(tx, listing, evidence, touched)
    stale = [] if new else _placed_windows(tx, deployments)
    if reaching or stale:
        _place_windows(tx, _arrivals(tx, reaching, evidence, touched), stale, touched)
    return touched


def _placed_windows(tx: Transaction, deployments: Sequence[Deployment]) -> list[Window]:
    """The windows the deployments own, read under the locks of their lanes."""
    ids = [deployment.id for deployment in deployments]
    tx.lanes.lock({window.lane_id for window in tx.windows.of(ids)})
    return tx.windows.of(ids)


def _arrivals(
    tx: Transaction, deployments: Sequence[Deployment], evidence: Evidence, touched: Touched
) -> dict[LaneKey, list[Arrival]]:
    """Per lane, the deployments that reach a position in it, in order."""
    repositories = _repositories_of(tx, deployments)
    arrivals: dict[LaneKey, list[Arrival]] = defaultdict(list)
    for deployment in sorted(deployments, key=lambda d: d.order):
        repository = repositories.get(deployment.repository_id or 0)
        default_branch = repository.default_branch if repository else None
        reached = reach(deployment, default_branch, evidence.match(deployment))
        if isinstance(reached, Reason):
            touched.waits_for[deployment.id] = reached
            continue
        for point in reached:
            key = LaneKey(
                repository_id=point.repository_id,
                branch=point.branch,
                service_id=deployment.service_id,
                environment=deployment.environment,
            )
            arrivals[key].append(
                Arrival(deployment_id=deployment.id, order=deployment.order, reached=point.position)
            )
    return arrivals


def _repositories_of(tx: Transaction, deployments: Sequence[Deployment]) -> dict[int, Repository]:
    return tx.repositories.get(
        {
            d.repository_id
            for d in deployments
            if d.repository_id is not None and d.method is Method.DEPLOYED_AT
        }
    )


def _place_windows(
    tx: Transaction,
    wanted: Mapping[LaneKey, Sequence[Arrival]],
    owned: Sequence[Window],
    touched: Touched,
) -> None:
    lane_ids = tx.lanes.find_or_add(wanted.keys())
    tx.lanes.lock({window.lane_id for window in owned} | set(lane_ids.values()))
    arrivals = {lane_ids[key]: list(entering) for key, entering in wanted.items()}
    moved: list[Window] = []
    for window in owned:
        entering = arrivals.get(window.lane_id, [])
        same = Arrival(
            deployment_id=window.deployment_id, order=window.order, reached=window.reached
        )
        if same in entering:
            entering.remove(same)
        else:
            moved.append(window)
    _remove(tx, moved, touched)
    _insert(tx, {lane: entering for lane, entering in arrivals.items() if entering}, touched)


def _insert(tx: Transaction, arrivals: Mapping[int, Sequence[Arrival]], touched: Touched) -> None:
    """Put windows into their lanes, whose locks are held."""
    changed = [
        window
        for lane in tx.windows.open(arrivals)
        for window in insert_windows(lane, arrivals[lane.id])
    ]
    new = {(lane, one.deployment_id) for lane, entering in arrivals.items() for one in entering}
    added = [one for one in changed if (one.lane_id, one.deployment_id) in new]
    tx.windows.add(added)
    tx.windows.save([one for one in changed if (one.lane_id, one.deployment_id) not in new])
    touched.deployments.update(window.deployment_id for window in changed)
    touched.added |= {window.deployment_id: window for window in added}


def _remove(tx: Transaction, gone: Collection[Window], touched: Touched) -> None:
    """Take windows out of their lanes, whose locks are held."""
    if not gone:
        return
    tx.windows.remove(gone)
    leaving: dict[int, list[Window]] = defaultdict(list)
    for window in sorted(gone, key=lambda one: one.order):
        leaving[window.lane_id].append(window)
    places = {
        lane: [
            Arrival(deployment_id=o.deployment_id, order=o.order, reached=o.reached) for o in ones
        ]
        for lane, ones in leaving.items()
    }
    changed = [
        window
        for lane in tx.windows.open(places)
        for window in remove_windows(lane, leaving[lane.id])
    ]
    tx.windows.save(changed)
    touched.deployments.update(other.deployment_id for other in changed)


def _place_lists(
    tx: Transaction, deployments: Sequence[Deployment], evidence: Evidence, touched: Touched
) -> None:
    listed: dict[int, set[int]] = {}
    for deployment in deployments:
        pulls: set[int] = set()
        for sha in deployment.merge_commit_shas:
            found = listed_pulls(sha, evidence.of(deployment, sha))
            if isinstance(found, Match):
                if found.reason is not None:
                    touched.waits_for[deployment.id] = found.reason
            else:
                pulls.update(c.pull_id for c in found if c.pull_id is not None)
        listed[deployment.id] = pulls
    before = tx.deployments.listed_pulls(listed.keys())
    changed = {one: pulls for one, pulls in listed.items() if before.get(one, set()) != pulls}
    if not changed:
        return
    _touch_windows_around(tx, deployments, changed, before, touched)
    tx.deployments.list_pulls(changed)


def _touch_windows_around(
    tx: Transaction,
    deployments: Sequence[Deployment],
    after: Mapping[int, set[int]],
    before: Mapping[int, set[int]],
    touched: Touched,
) -> None:
    """A listed pull request leaves the later windows of the same service and environment."""
    pulls: set[int] = set()
    for one, listed in after.items():
        pulls |= listed ^ before.get(one, set())
    targets = {(d.service_id, d.environment) for d in deployments if d.id in after}
    covering = tx.windows.covering(pulls)
    keys = tx.lanes.keys({lane for _, lane, _ in covering})
    affected = {lane for lane, key in keys.items() if (key.service_id, key.environment) in targets}
    tx.lanes.lock(affected)
    touched.deployments.update(deployment for _, lane, deployment in covering if lane in affected)


def withdraw(tx: Transaction, deployments: Sequence[Deployment]) -> Touched:
    """Take deployments out of all lanes and lists, as if they had never been."""
    touched = Touched(deployments={deployment.id for deployment in deployments})
    _remove(tx, _placed_windows(tx, deployments), touched)
    ids = {deployment.id for deployment in deployments}
    before = {one: pulls for one, pulls in tx.deployments.listed_pulls(ids).items() if pulls}
    if before:
        nothing: dict[int, set[int]] = {one: set() for one in before}
        _touch_windows_around(tx, deployments, nothing, before, touched)
        tx.deployments.list_pulls(nothing)
    return touched


def settle(tx: Transaction, touched: Touched, policy: Policy) -> dict[int, Settled]:
    """Bring the status of touched deployments up to date and answer how each stands now, by id."""
    settled = {}
    changed: list[Deployment] = []
    marks: dict[int, bool] = {}
    known = tx.deployments.standings(touched.deployments - touched.new.keys())
    for before in [*_standings_of_new(tx, touched), *known]:
        one = before.deployment
        attribution = _settled(before, touched.waits_for.get(one.id), tx, policy)
        if attribution != one.attribution:
            tx.deployments.attributions_before.setdefault(one.id, one.attribution)
            one = replace(one, attribution=attribution)
            changed.append(one)
        if before.marked_waiting != before.waits:
            marks[one.id] = before.waits
        settled[one.id] = Settled(one, before.pull_requests)
    tx.deployments.save_attributions(changed)
    tx.windows.mark_waiting(marks)
    return settled


def _standings_of_new(tx: Transaction, touched: Touched) -> list[Standing]:
    raising = {id_ for id_, window in touched.added.items() if window.raises}
    shipped = tx.deployments.count_shipped(
        [one for one in touched.new.values() if one.merge_commit_shas or one.id in raising]
    )
    return [
        Standing(
            deployment=one,
            window=touched.added.get(id_),
            ships=shipped.get(id_, 0) > 0,
            marked_waiting=False,
            pull_requests=shipped.get(id_, 0),
        )
        for id_, one in touched.new.items()
    ]


def _settled(
    before: Standing, waits_for: Reason | None, tx: Transaction, policy: Policy
) -> Attribution:
    was = before.deployment.attribution
    status, reason = standing(
        success=before.deployment.success,
        ships=before.ships,
        window=before.window,
        waits_for=waits_for or was.reason,
        may_wait=tx.now < was.retry_until,
    )
    pending = status is Status.PENDING
    return Attribution(
        status=status,
        reason=reason,
        attributed_at=was.attributed_at or tx.now if status is Status.ATTRIBUTED else None,
        due_at=(was.due_at or _next_due(was, tx, policy)) if pending else None,
        retry_until=was.retry_until,
        attempts=was.attempts,
    )


def _next_due(attribution: Attribution, tx: Transaction, policy: Policy) -> datetime:
    """The next try; the last one is when the time is up, and finds the row expired."""
    return min(policy.next_retry(tx.now, attribution.attempts), attribution.retry_until)


def rematch(tx: Transaction, deployment_ids: Collection[int]) -> Touched:
    """Look again at what deployments reach, after facts they depend on have changed."""
    deployments = tx.deployments.lock(deployment_ids)
    return place(tx, list(deployments.values()))

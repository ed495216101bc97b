"""What the use cases ask of storage. Storage satisfies these shapes; it inherits nothing.

A `Transaction` is one: all of it happens or none. Whoever opened it commits it; use cases never
do. ``now`` is its one instant.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shipmark.application.assignment_ports import Assignments
from shipmark.application.file_imports import FileEffects, FileImports
from shipmark.application.forge_ports import (
    Deliveries,
    Events,
    ForgeImports,
    RepositoryTold,
)
from shipmark.application.incident_ports import Incidents
from shipmark.application.received import Received
from shipmark.application.rule_ports import Artifacts, DeployRules, PathRuleSets
from shipmark.application.sessions import Sessions
from shipmark.application.tokens import Tokens
from shipmark.application.told import Told
from shipmark.domain.attribution import Arrival, Candidate, Lane, Window
from shipmark.domain.model import (
    Attribution,
    BranchCommit,
    Deployment,
    Position,
    PullRequest,
    Repository,
    Service,
)

MOST_COUNTED = 1000
"""What is counted where a page shows a number: of so many, it says that there are as many or more.

The first deployment of a lane may ship a whole history, which takes long to count.
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LaneKey:
    """The natural key of a lane."""

    repository_id: int
    branch: str
    service_id: int
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a deployment's status follows from, as stored now.

    ``marked_waiting`` is the mark on its window by which a late pull request finds it.
    ``pull_requests`` is how many it ships, where they were counted.
    """

    deployment: Deployment
    window: Window | None
    ships: bool
    marked_waiting: bool
    pull_requests: int | None = None

    @property
    def waits(self) -> bool:
        """Whether its window may yet come to hold a pull request, and holds none so far."""
        return self.window is not None and self.window.raises and not self.ships


class Repositories(Protocol):
    @property
    def added(self) -> set[int]:
        """The repositories that this transaction made."""

    def named(self, names: Collection[str]) -> dict[str, list[Repository]]:
        """Per name, the repositories it can mean: its full name, its last part if bare, or else
        the name that it had before."""

    def by_source(self, source: str, source_id: str) -> Repository | None:
        """The repository that a forge has this id for."""

    def told(self, repository_id: int) -> RepositoryTold: ...

    def save_told(
        self, repository_id: int, told: RepositoryTold, *, former_names: Collection[str]
    ) -> None:
        """Store as of when it was told what, and names under which it is known, too."""

    def get(self, ids: Collection[int]) -> dict[int, Repository]: ...

    def lock(self, ids: Collection[int], *, exclusive: bool) -> None:
        """Keep facts of these repositories from changing (shared), or be the one to change them."""

    def add(self, name: str, facts: Mapping[str, Any]) -> Repository:
        """Store a repository; of two who do so at once, both get the one."""

    def update(self, repository_id: int, facts: Mapping[str, Any]) -> None: ...

    def bases_of_pulls(
        self, wanted: Collection[tuple[int, str]]
    ) -> tuple[set[int], set[tuple[int, str]]]:
        """Which of the repositories have pull requests, and which (id, branch) are a base."""


class Services(Protocol):
    @property
    def added(self) -> set[int]:
        """The services that this transaction made."""

    @property
    def renamed(self) -> dict[int, tuple[str, str]]:
        """The services to which it gave another name: which they had, and which they have."""

    def find(self, identifiers: Collection[str]) -> dict[str, int]: ...

    def find_or_add(self, names: Mapping[str, str | None]) -> dict[str, int]:
        """Ids by identifier. A name that is given becomes the service's name."""

    def get(self, ids: Collection[int]) -> dict[int, Service]: ...


class Commits(Protocol):
    def candidates(self, wanted: Collection[tuple[int | None, str]]) -> list[Candidate]:
        """Every commit of (repository or any, SHA) pairs that shares its first 7 characters."""

    def known(self, wanted: Collection[tuple[int | None, str]]) -> set[tuple[int, str]]:
        """(repository id, full SHA) of every commit, merged or not, that starts like one."""

    def add_to_branches(self, commits: Iterable[BranchCommit]) -> list[BranchCommit]:
        """Store what is new or different of these commits, and answer that."""

    def pushed_aside(self, branches: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Of (repository id, branch), those with pushed commits that do not count so far."""

    def deployed_from(self, branches: Collection[tuple[int, str]]) -> set[int]:
        """The deployments that name what may be a commit pushed to one of these branches."""


class Pulls(Protocol):
    def by_number(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], PullRequest]:
        """Pull requests by (repository id, number)."""

    def by_source_id(self, source_id: str) -> list[PullRequest]:
        """The pull requests with this id of the forge, in repositories that may be GitHub's."""

    def save(self, pulls: Sequence[PullRequest]) -> dict[tuple[int, int], int]:
        """Insert those with id 0, update the others; ids by (repository id, number)."""

    def told(self, pull_ids: Collection[int]) -> dict[int, Told]:
        """When forges told what is known of each pull request."""

    def save_told(self, told: Mapping[int, Told]) -> None: ...

    def get(self, ids: Collection[int]) -> list[PullRequest]: ...

    def delete(self, ids: Collection[int]) -> None:
        """Delete pull requests; services assigned to them wait for them again."""

    def with_files(self, repository_id: int, *, after: int, limit: int) -> list[PullRequest]:
        """The next pull requests of a repository whose files are known, by number."""


class Deployments(Protocol):
    @property
    def attributions_before(self) -> dict[int, Attribution]:
        """How the attribution of those was that this transaction changed."""

    def by_reference_ids(self, reference_ids: Collection[str]) -> dict[str, Deployment]: ...

    def get(self, ids: Collection[int]) -> dict[int, Deployment]: ...

    def lock(self, ids: Collection[int]) -> dict[int, Deployment]:
        """Read these deployments for changing them; others wait until this transaction ends."""

    def add(self, deployments: Sequence[Deployment]) -> list[int]: ...

    def save(self, deployments: Sequence[Deployment]) -> None: ...

    def delete(self, ids: Collection[int]) -> None: ...

    def naming(self, commits: Collection[tuple[int, str]]) -> list[int]:
        """The deployments that name a commit starting like one of these (repository id, SHA)."""

    def by_time_alone(self, repository_id: int) -> list[int]:
        """The deployments that name nothing but this repository."""

    def standings(self, ids: Collection[int]) -> list[Standing]: ...

    def save_attributions(self, changed: Sequence[Deployment]) -> None: ...

    def list_pulls(self, listed: Mapping[int, Collection[int]]) -> None:
        """Make these the pull requests of each deployment that lists its merge commits."""

    def listed_pulls(self, ids: Collection[int]) -> dict[int, set[int]]: ...

    def count_shipped(
        self, shipping: Collection[Deployment], *, roughly: bool = False
    ) -> dict[int, int]:
        """How many pull requests each ships, by its id; roughly, up to `MOST_COUNTED` are."""

    def claim_due(self, *, limit: int, lease_until: datetime) -> list[int]:
        """Take deployments whose attribution is due, so that no other worker does until then."""


class Lanes(Protocol):
    @property
    def added(self) -> set[int]:
        """The lanes that this transaction made."""

    def find(self, keys: Collection[LaneKey]) -> dict[LaneKey, int]: ...

    def find_or_add(self, keys: Collection[LaneKey]) -> dict[LaneKey, int]: ...

    def keys(self, ids: Collection[int]) -> dict[int, LaneKey]: ...

    def lock(self, ids: Collection[int]) -> None:
        """Be the only one to change the windows of these lanes; taken in the order of ids."""


class Windows(Protocol):
    def open(self, arrivals: Mapping[int, Sequence[Arrival]]) -> Sequence[Lane]:
        """Lanes to read from, with what the arrivals in each will ask for already at hand."""

    def of(self, deployment_ids: Collection[int]) -> list[Window]: ...

    def rolled_back(self, deployment_ids: Collection[int]) -> set[int]:
        """Those that reach less far than was deployed before them."""

    def add(self, windows: Sequence[Window]) -> None: ...

    def save(self, windows: Sequence[Window]) -> None:
        """Store where windows open now; of one that is there twice, the last."""

    def mark_waiting(self, marks: Mapping[int, bool]) -> None:
        """Whether each deployment's window is one that a late pull request may be news for."""

    def remove(self, windows: Collection[Window]) -> None: ...

    def covering(self, pull_ids: Collection[int]) -> list[tuple[int, int, int]]:
        """(pull id, lane id, deployment id): the window of each lane that holds the position."""

    def waiting_for(self, positions: Mapping[tuple[int, str], Collection[Position]]) -> set[int]:
        """Deployments whose window, empty so far, may hold one of these (repository, branch)."""


class Transaction(Protocol):
    @property
    def now(self) -> datetime: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def repositories(self) -> Repositories: ...
    @property
    def forge_imports(self) -> ForgeImports: ...
    @property
    def services(self) -> Services: ...
    @property
    def commits(self) -> Commits: ...
    @property
    def pulls(self) -> Pulls: ...
    @property
    def assignments(self) -> Assignments: ...
    @property
    def deployments(self) -> Deployments: ...
    @property
    def lanes(self) -> Lanes: ...
    @property
    def windows(self) -> Windows: ...
    @property
    def deploy_rules(self) -> DeployRules: ...
    @property
    def path_rules(self) -> PathRuleSets: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def events(self) -> Events: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def received(self) -> Received: ...
    @property
    def incidents(self) -> Incidents: ...
    @property
    def file_imports(self) -> FileImports: ...
    @property
    def file_effects(self) -> FileEffects: ...

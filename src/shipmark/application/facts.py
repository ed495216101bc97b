"""What forges tell, in our own terms: what every connector answers and one use case records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shipmark.application.record_pulls import PullFacts
from shipmark.domain.events import SourceEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What a forge says of a repository.

    ``values`` may hold ``default_branch``; what is absent stays as it is stored. ``source`` is the
    forge (github, gitlab, bitbucket, azure_devops, gitea), ``source_id`` its own id, which outlives
    a new name. ``as_of`` is when it was so.
    """

    name: str
    source: str
    source_id: str
    as_of: datetime | None = None
    former_name: str | None = None
    archived: bool | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedCommit:
    """A commit that was pushed to a branch. ``files`` are the paths it changed, where told."""

    sha: str
    committed_at: datetime
    files: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPush:
    """Commits that now stand on a branch (not a tag)."""

    repository: str
    branch: str
    commits: tuple[PushedCommit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFileFacts:
    """The file `.shipmark.yml` as it is on the default branch; no ``body``: there is none.

    ``trouble`` is why the forge did not give it out; then nothing is known of it.
    """

    repository: str
    body: bytes | None = None
    trouble: str | None = None


Fact = RepositoryFacts | PullFacts | BranchPush | SourceEvent | RulesFileFacts

"""Commands that bring in facts: repositories, pull requests, the history of a clone."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from shipmark.api import coercions
from shipmark.api.decoding import decode
from shipmark.api.pull_import import read_items
from shipmark.api.repositories import UpsertArguments
from shipmark.application.drafts import Registration
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.queries import ReadTransaction
from shipmark.application.record_pulls import PullFacts, record_pulls
from shipmark.application.register import register
from shipmark.application.repositories import record_branch_commits, upsert_repository
from shipmark.application.writer import transact
from shipmark.cli.session import database
from shipmark.connectors.git import Clone, Tag
from shipmark.connectors.git_history import HistoryEntry
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import BranchCommit, Repository
from shipmark.storage.database import Database

app = typer.Typer(help="Import pull requests, from git or from a file.", no_args_is_help=True)
repository_app = typer.Typer(
    help="Repositories: where pull requests are merged.", no_args_is_help=True
)

CHUNK = 500
"""How much is recorded in one transaction, so that a running server is never kept waiting long."""

Item = TypeVar("Item")
progress = Console(stderr=True)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


@repository_app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Name with its organization.")],
    default_branch: Annotated[str, typer.Option(help="Where pull requests are merged to.")],
    source: Annotated[str | None, typer.Option(help="The forge: github, gitlab, ...")] = None,
) -> None:
    """Make a repository known, or change its default branch."""
    sent = {"name": name, "default_branch": default_branch, "source": source}
    right = decode(UpsertArguments, sent)
    with database() as (opened, policy):
        one = transact(
            opened, lambda tx: upsert_repository(tx, right.name, right.facts, policy=policy)
        )
    typer.echo(f"Repository '{one.name}', default branch '{one.default_branch}'.")


@app.command()
def pulls(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON ({'pulls': [...]} or an array) or NDJSON, as pulls.import.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
) -> None:
    """Import pull requests from a file, as pulls.import takes them."""
    items = read_items(file.read_bytes())
    counts = {"created": 0, "updated": 0, "unchanged": 0, "failed": 0}
    with database() as (opened, policy):
        for start in track(range(0, len(items), CHUNK), "Importing", console=progress):
            for index, outcome in enumerate(_record(opened, policy, items[start : start + CHUNK])):
                if isinstance(outcome, ShipmarkError):
                    counts["failed"] += 1
                    progress.print(f"item {start + index}: {outcome.message}", markup=False)
                else:
                    counts[outcome] += 1
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["failed"]:
        raise typer.Exit(1)


def _record(
    opened: Database, policy: Policy, items: list[PullFacts | ShipmarkError]
) -> list[str | ShipmarkError]:
    """The outcome of each item, in their order."""
    right = [item for item in items if isinstance(item, PullFacts)]
    done = iter(transact(opened, partial(record_pulls, items=right, policy=policy)))
    return [
        item
        if isinstance(item, ShipmarkError)
        else outcome
        if isinstance(outcome := next(done), ShipmarkError)
        else outcome.value
        for item in items
    ]


@app.command()
def git(
    path: Annotated[Path, typer.Argument(help="A local clone.")],
    repository: Annotated[str, typer.Option(metavar="ORG/NAME", help="Which repository it is.")],
    default_branch: Annotated[
        str | None,
        typer.Option(
            help="Default: what is known of the repository, else what the clone says.",
            show_default=False,
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(help="The branch to read, if not the default branch.", show_default=False),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only what came to the branch from this day (UTC) on.")
    ] = None,
    deployments_from_tags: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Register tags like 'v*' as deployments.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="The service those tags deployed.", show_default=False)
    ] = None,
) -> None:
    """Import merged pull requests and pushed commits from a clone's history.

    Merge commits, squashes and rebases of GitHub, GitLab, Bitbucket and Azure DevOps are
    understood. Repeating it changes nothing.
    """
    named = coercions.service("service", service or "")
    if deployments_from_tags and not named:
        raise typer.BadParameter("--deployments-from-tags needs --service.")
    clone = Clone(path)
    if clone.is_shallow:
        progress.print("The clone is shallow: what was merged before its first commit is missing.")
    right = _checked(clone, repository, default_branch)
    with database() as (opened, policy):
        told = default_branch is not None
        known = transact(opened, partial(_repository, right=right, policy=policy, told=told))
        read = clone.branch(branch or known.default_branch)
        history = clone.history(read, since.replace(tzinfo=UTC) if since else None)
        entries = track(history, f"Reading {read.name}", clone.count(read), console=progress)
        found = sum(
            _record_history(opened, policy, known, read.name, chunk) for chunk in _chunks(entries)
        )
        typer.echo(f"Pull requests merged into {read.name}: {found}.")
        if deployments_from_tags and named:
            tags = clone.tags(deployments_from_tags)
            registered = sum(
                _register_tags(opened, policy, known, named[0], chunk)
                for chunk in _chunks(track(tags, "Registering tags", console=progress))
            )
            typer.echo(f"{registered} of {len(tags)} tags are deployments of {named[0]}.")
            if registered < len(tags):
                raise typer.Exit(1)


def _checked(clone: Clone, repository: str, default_branch: str | None) -> UpsertArguments:
    """The repository as it would be made known. Refuses what is wrong before anything is stored."""
    sent = {"name": repository, "default_branch": default_branch or clone.default_branch()}
    right = decode(UpsertArguments, sent)
    clone.branch(right.default_branch)
    return right


def _repository(
    tx: ReadTransaction, right: UpsertArguments, *, policy: Policy, told: bool
) -> Repository:
    """The repository, made known if it is not. Its default branch is changed only when told."""
    located = locate_repositories(tx, {right.name}, Policy())[right.name]
    if isinstance(located, Repository) and located.default_branch and not told:
        return located
    return upsert_repository(tx, right.name, right.facts, policy=policy)


def _record_history(
    opened: Database,
    policy: Policy,
    repository: Repository,
    branch: str,
    entries: list[HistoryEntry],
) -> int:
    """Record a part of a branch's history; how many pull requests it merged."""
    pulls = [entry.pull.facts(repository.name) for entry in entries if entry.pull is not None]
    commits = [
        BranchCommit(
            repository_id=repository.id, branch=branch, sha=entry.sha, committed_at=entry.at
        )
        for entry in entries
    ]
    for outcome in transact(opened, partial(record_pulls, items=pulls, policy=policy)):
        if isinstance(outcome, ShipmarkError):
            raise outcome
    transact(opened, partial(record_branch_commits, commits=commits, policy=policy))
    return len(pulls)


def _register_tags(
    opened: Database, policy: Policy, repository: Repository, service: str, tags: list[Tag]
) -> int:
    """Register tags; a reference_id made of the tag's name makes that safe to repeat.

    Answers how many are registered; one that has moved to another commit since is refused.
    """
    registrations = [
        Registration(
            deployed_at=tag.at,
            service=service,
            repository=repository.name,
            commit_sha=tag.sha,
            reference_id=f"git-tag:{repository.name}:{service}:{tag.name}"[:255],
            source_name="git tag",
        )
        for tag in tags
    ]
    results = transact(opened, partial(register, registrations=registrations, policy=policy))
    for tag, result in zip(tags, results, strict=True):
        if isinstance(result, ShipmarkError):
            progress.print(f"Tag {tag.name}: {result.message}", markup=False)
    return sum(not isinstance(result, ShipmarkError) for result in results)

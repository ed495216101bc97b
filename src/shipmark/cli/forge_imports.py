"""The command that imports from a forge's API."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shipmark.app.configured import forges_of
from shipmark.application.backfill_forge import begin, record_trouble
from shipmark.application.facts import RepositoryFacts
from shipmark.application.forge_importer import ForgeImporter
from shipmark.application.forge_ports import ForgeImport
from shipmark.application.forges import ForgeAway, ForgeTrouble
from shipmark.application.locate import locate_repositories
from shipmark.application.policy import Policy
from shipmark.application.queries import ReadTransaction
from shipmark.application.record_facts import record_facts
from shipmark.application.rules import infer
from shipmark.application.writer import transact
from shipmark.cli.session import current_settings, database
from shipmark.connectors.forges import Forge, Forges
from shipmark.domain.model import Repository
from shipmark.storage.database import Database

progress = Console(stderr=True)

PATIENCE = timedelta(hours=2)
"""How long a limit is waited for: those of all forges are by the hour, or shorter."""

PAUSES = (5, 15, 45)
"""Seconds before a forge that is away is tried again."""

WORTH_SAYING = 5.0
"""Seconds of a pause that is said."""


def forge(
    repositories: Annotated[list[str], typer.Argument(metavar="ORG/NAME...", help="Which ones.")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The forge: github, gitlab, bitbucket, azure_devops or gitea. "
            "Default: what is known of the repository, else the only forge that is set up.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Everything, also what was imported before.")
    ] = False,
    events: Annotated[
        bool,
        typer.Option(
            "--events",
            help="All events of the past, too: runs, deployments, releases and tags. "
            "Default: those that a deploy rule is about.",
        ),
    ] = False,
    commits: Annotated[
        bool | None,
        typer.Option(
            "--commits/--no-commits",
            help="The commits and files of each merged pull request, where that takes calls of its "
            "own. Default: of those that changed since the last import.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Import pull requests and commits from a forge's API.

    Repeating it brings what has changed since. What was interrupted goes on where it stopped. A
    worker then keeps the repositories up to date.
    """
    settings = current_settings()
    with (
        database() as (opened, policy),
        closing(forges_of(settings, patience=PATIENCE, sleep=_sleep)) as forges,
    ):
        importer = ForgeImporter(
            opened,
            forges,
            policy,
            every=settings.import_every,
            stopping=threading.Event(),
            infer=infer,
        )
        for name in repositories:
            chosen = _forge_of(opened, forges, name, source)
            repository = _made_known(opened, policy, chosen, name)
            beginning = partial(
                begin,
                repository_id=repository.id,
                policy=policy,
                again=again,
                events=events,
                commits=commits,
            )
            at = transact(opened, beginning)
            with _shown(repository.name) as show:
                pages = 0
                while at.started_at is not None:
                    at = _page(opened, importer, repository, at)
                    pages += 1
                    budget = chosen.budget()
                    show(f"{pages} pages" + (f", {budget} calls left" if budget else ""))
            typer.echo(f"{repository.name} is imported from {chosen.source}.")


def _sleep(seconds: float) -> None:
    if seconds >= WORTH_SAYING:
        progress.print(f"The forge asks for a pause of {seconds:.0f} seconds.")
    time.sleep(seconds)


def _forge_of(opened: Database, forges: Forges, name: str, source: str | None) -> Forge:
    """The forge that has a repository. Raises ForgeTrouble where it cannot be told."""
    with opened.read() as tx:
        located = locate_repositories(tx, {name}, Policy())[name]
    known = located if isinstance(located, Repository) else None
    if known and known.source and source not in (None, known.source):
        raise ForgeTrouble(f"{known.name} is a repository of {known.source}, not of {source}.")
    asked = known or Repository(id=0, name=name, default_branch=None)
    found = forges.named(source) if source else forges.serving(asked)
    if found is not None:
        return found
    there = ", ".join(forges.sources) or "none"
    wanted = source or (known.source if known else None)
    if wanted:
        raise ForgeTrouble(f"The forge {wanted} is not set up. Those that are: {there}.")
    raise ForgeTrouble(f"Say with --from where {name} is. The forges that are set up: {there}.")


def _made_known(opened: Database, policy: Policy, chosen: Forge, name: str) -> Repository:
    """The repository as the forge knows it, made known here."""
    facts = chosen.repository(name)
    if facts is None:
        raise ForgeTrouble(
            f"{chosen.source} has no repository {name}, or does not show it to this token."
        )
    return transact(opened, partial(_recorded, facts=facts, policy=policy))


def _recorded(tx: ReadTransaction, facts: RepositoryFacts, *, policy: Policy) -> Repository:
    record_facts(tx, [facts], policy=policy)
    found = tx.repositories.by_source(facts.source, facts.source_id)
    if found is None:
        raise ForgeTrouble(f"{facts.name} is known here already, as a repository of another forge.")
    return found


def _page(
    opened: Database, importer: ForgeImporter, repository: Repository, at: ForgeImport
) -> ForgeImport:
    """Ask for a page and record it, again if the forge is away for a short while."""
    for pause in (*PAUSES, None):
        try:
            return importer.page(repository, at)
        except ForgeTrouble as trouble:
            if pause is None or not isinstance(trouble, ForgeAway):
                transact(opened, partial(record_trouble, before=at, trouble=trouble))
                raise
            progress.print(f"{trouble.message} Trying again in {pause} seconds.", markup=False)
            time.sleep(pause)
    raise AssertionError


@contextmanager
def _shown(name: str) -> Iterator[Callable[[str], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        task = bar.add_task(f"{name}: asking")

        def show(told: str) -> None:
            bar.update(task, description=f"{name}: {told}")

        yield show

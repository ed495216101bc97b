"""The command that looks for what is missing."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from shipmark.app.configured import forges_of, setup_of
from shipmark.application.budgets import Budgets
from shipmark.application.diagnosis import Diagnosis, Finding, ForgeDiagnosis, RepositoryDiagnosis
from shipmark.application.doctor import Setup, examine
from shipmark.application.identities import Told, ask_who_we_are, with_identities
from shipmark.application.queries import Page
from shipmark.cli.session import current_settings, database
from shipmark.settings import Settings
from shipmark.storage.database import Database

PAGE = 1000
CLOCK = "%Y-%m-%d %H:%M:%S UTC"


def doctor(
    *,
    repository: Annotated[
        str | None,
        typer.Option(metavar="ORG/NAME", help="Look at this one.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask each forge who we are, and how much is left.")
    ] = False,
) -> None:
    """Tell what was received last of each repository, what is missing, and why.

    Exits with 1 if anything is missing.
    """
    settings = current_settings()
    with database() as (opened, _):
        setup = setup_of(settings)
        told = _asked(opened, settings, setup) if ask else {}
        found = with_identities(_examined(opened, setup, repository), told)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        Console().print("\n".join(_lines(found)), markup=False, highlight=False, soft_wrap=True)
    if not found.is_healthy:
        raise typer.Exit(1)


def _asked(opened: Database, settings: Settings, setup: Setup) -> Told:
    """Ask each forge who we are, and keep how much it may still be asked."""
    with closing(forges_of(settings)) as forges:
        told = ask_who_we_are(forges, setup)
        Budgets(opened, forges).note()
    return told


def _examined(opened: Database, setup: Setup, repository: str | None) -> Diagnosis:
    """All repositories, a page at a time."""
    found: Diagnosis | None = None
    after = None
    while True:
        with opened.read() as tx:
            page = examine(tx, setup, Page(limit=PAGE, after=after), repository=repository)
        shown = (*(found.repositories if found else ()), *page.repositories)
        found = replace(page, repositories=shown)
        if len(page.repositories) < PAGE or repository is not None:
            return found
        after = (page.repositories[-1].repository,)


def _lines(found: Diagnosis) -> Iterator[str]:
    yield "Database: reachable, and its schema is what this release needs."
    for forge in found.forges:
        if forge.setup.is_asked or forge.setup.takes_webhooks or forge.last_delivery_at:
            yield _forge_line(forge)
    yield from _finding_lines(found.findings)
    for one in found.repositories:
        yield ""
        yield from _repository_lines(one)
    yield ""
    sick = sum(bool(one.findings) for one in found.repositories)
    yield (
        f"Repositories: {len(found.repositories)}, of them with findings: {sick}. "
        f"Findings in general: {len(found.findings)}."
    )


def _forge_line(one: ForgeDiagnosis) -> str:
    setup, budget = one.setup, one.budget
    said = [
        "can be asked" if setup.is_asked else "cannot be asked",
        "webhooks are taken" if setup.takes_webhooks else "webhooks are not taken",
    ]
    if one.last_delivery_at is not None:
        said.append(f"the last came {one.last_delivery_at:{CLOCK}}")
    if one.identity is not None:
        said.append(f"we are {one.identity}")
    if budget is not None:
        most = f" of {budget.most}" if budget.most is not None else ""
        said.append(f"{budget.remaining}{most} calls left as of {budget.told_at:{CLOCK}}")
    return f"{setup.title}: {', '.join(said)}."


def _repository_lines(one: RepositoryDiagnosis) -> Iterator[str]:
    yield one.repository
    branch = one.default_branch or "not known"
    yield f"  default branch {branch}, forge {one.source or 'not told'}"
    for last in one.received:
        yield f"  {last.kind.replace('_', ' ')} by {last.via.replace('_', ' ')}: {last.at:{CLOCK}}"
    for what, at in (("merge", one.last_merged_at), ("deployment", one.last_deployed_at)):
        yield f"  last {what}: " + (f"{at:{CLOCK}}" if at else "never")
    if one.import_state is not None:
        yield f"  next import from the forge: {one.import_state.due_at:{CLOCK}}"
    if one.rules:
        yield "  deploy rules: " + ", ".join(rule.name for rule in one.rules)
    if one.path_rules_from:
        yield "  path rules: " + ", ".join(one.path_rules_from)
    yield from ("  " + line for line in _finding_lines(one.findings))


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        yield f"! {one.what}"
        yield f"  {one.mend} ({one.docs})"

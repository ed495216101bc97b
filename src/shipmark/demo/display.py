"""Show what came of the history, in 80 columns, with a terminal or without."""

import json
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shipmark.demo import history
from shipmark.demo.client import Client
from shipmark.demo.facts import Deployment, Outcome
from shipmark.demo.story import Story
from shipmark.demo.year import Year

COLUMNS = {
    "Deployment": 12,
    "Service": 8,
    "Environment": 11,
    "How": 18,
    "Status": 10,
    "Pull requests": 14,
}
"""Widths; with a blank after each they fit into 80 columns, and all tables are alike."""

STYLES = {"attributed": "green", "pending": "yellow", "none": "dim"}


def show_story(console: Console, story: Story) -> None:
    """What was registered and what each deployment ships, and why, in words."""
    _heading(console, "Two made-up weeks, and what each deployment shipped")
    _show_words(console, _loaded_words(story))
    _show_outcomes(console, story)
    _heading(console, "A deployment that came before its commit was imported")
    _show_words(console, _waiting_words(story))
    _heading(console, f"Why {history.EXPLAINED_DEPLOYMENT} ships these (deployments.explain)")
    _show_words(console, story.deployment_words)
    pull = history.LOCATED_PULL
    _heading(console, f"Where #{pull.number} '{pull.title}' is (pulls.explain)")
    _show_words(console, story.pull_words)


def show_year(console: Console, year: Year) -> None:
    """What else was sent, for a look at longer times."""
    _heading(console, "A made-up year of another organisation, for longer views")
    _show_words(console, _year_words(year))


def show_address(console: Console, client: Client, now: datetime) -> None:
    """Where the server is, and what may be sent to it; every line can be copied as it stands."""
    following = history.NEXT_DEPLOYMENT
    _heading(console, "Try it")
    console.print(f"The API:          {client.base_url}")
    console.print(f"Its description:  {client.base_url}/docs\n")
    console.print(
        f"This registers {following.reference_id}, which ships {_numbers(following.ships)}, "
        "and reads it back:\n"
    )
    # Not printed as text: a line that is wrapped is no command any more.
    console.out(_commands(client, following.reference_id, following.arguments(now)), style="bold")


def _heading(console: Console, text: str) -> None:
    console.print(f"\n{text}\n", style="bold cyan")


def _loaded_words(story: Story) -> tuple[str, ...]:
    return (
        f"{len(history.REPOSITORIES)} repositories, {len(history.PULLS) + 1} pull requests and "
        f"{len(story.outcomes)} deployments were sent to the API of a server of its own.",
        "All it answered is as the history, written by hand, says it must be.",
    )


def _year_words(year: Year) -> tuple[str, ...]:
    return (
        f"{len(year.waiting)} repositories, {len(year.pulls)} pull requests and "
        f"{len(year.deployments)} deployments, among them failed ones and rollbacks.",
        f"{sum(year.waiting.values())} pull requests are not in production yet, as it must be.",
    )


def _show_outcomes(console: Console, story: Story) -> None:
    deployments = (*history.DEPLOYMENTS, history.EARLY_DEPLOYMENT)
    console.print()
    console.print(_table(show_header=True))
    for repository in history.REPOSITORIES:
        console.print(f"\n{repository.name}: {repository.about}", style="italic")
        table = _table(show_header=False)
        for one in deployments:
            if one.repository == repository.name:
                table.add_row(*_row(one, story.outcomes[one.reference_id]))
        console.print(table)


def _table(*, show_header: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=show_header)
    for name, width in COLUMNS.items():
        table.add_column(name, width=width)
    return table


def _row(one: Deployment, outcome: Outcome) -> Iterable[str | Text]:
    style = STYLES[outcome.status]
    shown = _numbers(outcome.ships) or f"({outcome.reason})"
    return (
        one.reference_id,
        one.service,
        one.environment,
        outcome.method,
        Text(outcome.status, style),
        Text(shown, style),
    )


def _numbers(pulls: Iterable[int]) -> str:
    return " ".join(f"#{number}" for number in pulls)


def _waiting_words(story: Story) -> tuple[str, ...]:
    which = history.EARLY_DEPLOYMENT.reference_id
    before, after = story.while_waiting, story.outcomes[which]
    return (
        f"{which} was registered first: {before.status} ({before.reason}).",
        f"Then #{history.LATE_PULL.number} was imported, and at once it was {after.status}: "
        f"it ships {_numbers(after.ships)}.",
    )


def _show_words(console: Console, words: Iterable[str]) -> None:
    listing = Table.grid(padding=(0, 1, 0, 0))
    for sentence in words:
        listing.add_row("-", Text(sentence))
    console.print(listing)


def _commands(client: Client, reference_id: str, arguments: dict[str, object]) -> str:
    return f"""\
TOKEN={client.token}

curl -s {client.base_url}/api/deployments.create \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  --data '{json.dumps(arguments, indent=2)}' | python3 -m json.tool

curl -s "{client.base_url}/api/deployments.info?reference_id={reference_id}" \\
  -H "Authorization: Bearer $TOKEN" | python3 -m json.tool
"""

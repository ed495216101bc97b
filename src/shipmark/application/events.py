"""Events that are stored: under the names of today, and releases with the commits of their tags.

GitHub and Gitea do not tell the commit of a release. Where they are not asked for it, a tag that
was pushed tells it, whichever of the two is told first. That is a guess: the tag may have been
deleted or moved since.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from shipmark.application.forge_ports import Recorded
from shipmark.application.ports import Transaction
from shipmark.domain.events import EventSource, SourceEvent, home, repository_number


def under_names_here(tx: Transaction, events: Sequence[SourceEvent]) -> list[SourceEvent]:
    """Stored events, each with what its repository is called by now."""
    numbers = {one: repository_number(one) for one in events}
    found = tx.repositories.get({number for number in numbers.values() if number is not None})
    names = {number: repository.name for number, repository in found.items()}
    return [replace(one, here=names.get(numbers[one] or 0)) for one in events]


def complete_releases(tx: Transaction, news: Iterable[SourceEvent]) -> Recorded:
    """Give releases the commits of their tags, where the news is either; what that comes to.

    What a tag stands for that was moved, only the forge can say: from such a tag nothing is taken,
    and what was taken before it moved is taken back.
    """
    tags: dict[str, set[str]] = defaultdict(set)
    for one in news:
        if one.tag and (one.source is EventSource.TAG or _waits(one)):
            tags[home(one)].add(one.tag)
    before: dict[str, SourceEvent] = {}
    guesses: list[SourceEvent] = []
    for home_, names in sorted(tags.items()):
        for release in tx.events.releases_to_guess(home_, names):
            commits = tx.events.commits_of_tag(home_, release.tag or "")
            guess = commits.pop() if len(commits) == 1 else None
            if guess != release.commit_sha:
                before[release.key] = release
                guesses.append(replace(release, commit_sha=guess, is_guessed=True))
    tx.events.restate(guesses)
    return Recorded(news=under_names_here(tx, guesses), before=before)


def _waits(event: SourceEvent) -> bool:
    return event.source is EventSource.RELEASE and event.commit_sha is None

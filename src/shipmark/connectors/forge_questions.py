"""What all forges are asked alike: a repository's path rules, and what a webhook leaves open.

A webhook tells neither the commits nor the files of a pull request, and of GitLab's not always the
commit that landed. So what was merged is asked for as a whole, and so is what ran, where a webhook
tells only a part of it. Nor do GitHub and Gitea tell the commit of a release, which is that of its
tag.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from shipmark.application.facts import BranchPush, Fact, RepositoryFacts, RulesFileFacts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.exchange import Dialogue
from shipmark.connectors.forge_errors import ForgeNotFound, ForgeRefused, TokenRefused
from shipmark.connectors.forge_servers import Questions
from shipmark.connectors.pages import Page
from shipmark.connectors.pull_events import with_merges
from shipmark.connectors.rules_file import FILE_NAME
from shipmark.domain.events import EventSource, SourceEvent


def rules_file(asked: Questions, source: str, name: str) -> Dialogue[RulesFileFacts]:
    """The path rules in a repository's own file. That the token may not read it is told as such,
    so that it keeps nothing else from being imported."""
    try:
        body = yield from asked.rules_file(name)
    except TokenRefused:
        # That is no trouble with this file.
        raise
    except ForgeRefused as refusal:
        return RulesFileFacts(repository=name, trouble=refusal.message)
    if body is None:
        yield from _see(asked, source, name)
    return RulesFileFacts(repository=name, body=body)


def _see(asked: Questions, source: str, name: str) -> Dialogue[None]:
    """Raise ForgeNotFound where a repository is not shown: a forge says the same of what is not
    there, and of everything in a repository that a token may not see."""
    if (yield from asked.repository(name)) is None:
        raise ForgeNotFound(f"{source} has no repository {name}, or does not show it.")


def with_whole_pulls(asked: Questions, name: str, page: Page) -> Dialogue[Page]:
    """A page of which every merged pull request has its commits and files."""
    facts: list[Fact] = []
    for one in page.facts:
        pull = None
        if isinstance(one, PullFacts) and one.values.get("merged_at"):
            pull = yield from asked.pull(name, one.number)
        facts.append(pull or one)
    return Page(facts=tuple(facts), cursor=page.cursor)


def follow_ups(
    asked: Questions, source: str, facts: Sequence[Fact]
) -> Iterator[tuple[str, Dialogue[list[Fact]]]]:
    """What to ask so that a webhook's facts are whole, and about which repository. Each raises
    ForgeRefused or ForgeNotFound where the token does not suffice."""
    for name, question in _questions(asked, source, facts):
        yield name, _unless_hidden(asked, source, name, question)


def _unless_hidden(
    asked: Questions, source: str, name: str, question: Dialogue[list[Fact]]
) -> Dialogue[list[Fact]]:
    facts = yield from question
    if not facts:
        yield from _see(asked, source, name)
    return facts


def _questions(
    asked: Questions, source: str, facts: Sequence[Fact]
) -> Iterator[tuple[str, Dialogue[list[Fact]]]]:
    for one in _merged(facts):
        yield one.repository, _pull(asked, source, one)
    for event in (one for one in facts if isinstance(one, SourceEvent)):
        question = asked.whole_event(event)
        if question is not None:
            yield event.repository, question
    for name in _repositories_with_other_rules(facts):
        yield name, _rules(asked, source, name)
    if asked.commit_of_tag is not None:
        ids = {one.name: one.source_id for one in facts if isinstance(one, RepositoryFacts)}
        for event in _releases_without_commit(facts):
            its = ids.get(event.repository)
            yield event.repository, _release(asked, asked.commit_of_tag, event, its)


def _pull(asked: Questions, source: str, told: PullFacts) -> Dialogue[list[Fact]]:
    """All of a pull request; nothing where by now another one has its repository's name.

    It is told under the name it was asked by, which the webhook ties to the repository: by now the
    forge may have a new one for it, that nobody has told yet.
    """
    pull = yield from asked.pull(told.repository, told.number)
    if pull is None or _ids_differ(pull, told):
        return []
    return [*with_merges([replace(pull, repository=told.repository)], source)]


def _ids_differ(one: PullFacts, other: PullFacts) -> bool:
    ids = {facts.values.get("source_id") for facts in (one, other)} - {None}
    return len(ids) > 1


def _release(
    asked: Questions,
    commit_of_tag: Callable[[str, str], Dialogue[str | None]],
    event: SourceEvent,
    source_id: str | None,
) -> Dialogue[list[Fact]]:
    """A release with its commit; nothing where by now another repository has the name."""
    repository = yield from asked.repository(event.repository)
    if repository is None or source_id not in (None, repository.source_id):
        return []
    commit = yield from commit_of_tag(event.repository, event.tag or "")
    return [replace(event, commit_sha=commit, is_guessed=False)] if commit else []


def _releases_without_commit(facts: Sequence[Fact]) -> list[SourceEvent]:
    return [
        one
        for one in facts
        if isinstance(one, SourceEvent)
        and one.source is EventSource.RELEASE
        and one.tag
        and one.commit_sha is None
    ]


def _rules(asked: Questions, source: str, name: str) -> Dialogue[list[Fact]]:
    return [(yield from rules_file(asked, source, name))]


def _merged(facts: Sequence[Fact]) -> list[PullFacts]:
    """The merged pull requests whose commits are not told."""
    pulls = [one for one in facts if isinstance(one, PullFacts)]
    whole = {(one.repository, one.number) for one in pulls if "commit_shas" in one.values}
    merged = {(one.repository, one.number): one for one in pulls if one.values.get("merged_at")}
    return [merged[key] for key in sorted(merged.keys() - whole)]


def _repositories_with_other_rules(facts: Sequence[Fact]) -> list[str]:
    """Those to whose default branch something was pushed that may have changed the file."""
    defaults = {
        one.name: one.values.get("default_branch")
        for one in facts
        if isinstance(one, RepositoryFacts)
    }
    return sorted(
        {
            event.repository
            for event in facts
            if isinstance(event, SourceEvent)
            and event.source is EventSource.PUSH
            and defaults.get(event.repository) in (None, event.branch)
            and _may_touch_rules(event, facts)
        }
    )


def _may_touch_rules(push: SourceEvent, facts: Sequence[Fact]) -> bool:
    """Not every forge tells the files, nor all commits; a branch that was set back has none."""
    commits = [
        commit
        for one in facts
        if isinstance(one, BranchPush)
        and (one.repository, one.branch) == (push.repository, push.branch)
        for commit in one.commits
    ]
    return not commits or any(one.files is None or FILE_NAME in one.files for one in commits)

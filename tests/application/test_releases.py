"""A release is a deployment of the commit of its tag, whichever is told first."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select
from tests.builders import a_pull_request, at, sha
from tests.domain.rule_builders import ENGINE

from shipmark.application.facts import Fact, RepositoryFacts
from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import record_pulls
from shipmark.application.rules import RuleDraft, infer, upsert_rule
from shipmark.connectors import gitea_webhooks, github_webhooks
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.rules import Conditions, Outcome
from shipmark.storage.database import Database
from shipmark.storage.forge_tables import source_events
from shipmark.storage.tables import deployments
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(patterns=ENGINE)
SHOP = "acme/shop"
OLD, NEW = sha(1), sha(3)
RULE = RuleDraft(
    name="releases",
    source=EventSource.RELEASE,
    when=Conditions(),
    make=Outcome(service="shop"),
)
READERS: dict[str, Any] = {
    "github": github_webhooks.read_webhook,
    "gitea": gitea_webhooks.read_webhook,
}
HOME = {"id": 1, "full_name": SHOP, "default_branch": "main"}


@pytest.fixture(params=READERS)
def forge(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def told(forge: str, event: str, name: str = SHOP, **payload: Any) -> list[Fact]:
    """What a webhook tells, beginning with the repository itself."""
    of = HOME | {"full_name": name}
    itself = RepositoryFacts(name=name, source=forge, source_id="1", as_of=at(8))
    return [itself, *READERS[forge]({f"x-{forge}-event": event}, {"repository": of} | payload)]


def a_release(forge: str, tag: str = "v1.0.1", id_: int = 5) -> list[Fact]:
    """A release that was published after three pull requests were merged."""
    release = {"id": id_, "tag_name": tag, "html_url": "https://forge.example/v1.0.1"}
    release |= {"published_at": at(9).isoformat(), "target_commitish": "main"}
    return told(forge, "release", action="published", release=release)


def a_tag(forge: str, commit: str = OLD, tag: str = "v1.0.1", **more: Any) -> list[Fact]:
    head = {"id": commit, "timestamp": at(1).isoformat()}
    ref = {"ref": f"refs/tags/{tag}", "before": "0" * 40, "after": "f" * 40}
    return told(forge, "push", **ref, head_commit=head, commits=[], **more)


def with_commit(facts: Sequence[Fact], commit: str) -> list[Fact]:
    """A release as the forge's API tells it, or as it was asked for."""
    return [
        replace(one, commit_sha=commit, is_guessed=False) if isinstance(one, SourceEvent) else one
        for one in facts
    ]


def with_shop(tx: StorageTransaction, forge: str) -> None:
    itself = RepositoryFacts(name=SHOP, source=forge, source_id="1", as_of=at(0))
    record_facts(tx, [replace(itself, values={"default_branch": "main"})], policy=POLICY)
    pulls = [a_pull_request(number, repository=SHOP, base_ref="main") for number in (1, 2, 3)]
    record_pulls(tx, pulls, policy=POLICY)
    upsert_rule(tx, RULE, policy=POLICY)


def tell(tx: StorageTransaction, *messages: Sequence[Fact]) -> None:
    for one in messages:
        record_facts(tx, one, policy=POLICY, infer=infer)


def deployed(tx: StorageTransaction) -> list[Any]:
    """The commits that were deployed, and when."""
    rows = tx.connection.execute(select(deployments.c.commit_sha, deployments.c.deployed_at))
    return sorted((row.commit_sha, row.deployed_at) for row in rows)


def commits_of_releases(tx: StorageTransaction) -> list[str | None]:
    of_releases = source_events.c.source == EventSource.RELEASE.value
    return [*tx.connection.scalars(select(source_events.c.commit_sha).where(of_releases))]


def test_a_release_waits_for_its_commit_and_is_never_deployed_by_time(
    database: Database, forge: str
) -> None:
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_release(forge), a_tag(forge, NEW, "v2"), a_release(forge))
        assert deployed(tx) == []
        tell(tx, a_tag(forge))
        assert deployed(tx) == [(OLD, at(9))]


def test_tag_release_and_import_come_to_the_same_in_any_order_and_twice(
    database: Database, forge: str
) -> None:
    release, tag = a_release(forge), a_tag(forge)
    imported = with_commit(release, OLD)
    for first, second in ((release, tag), (release, imported), (tag, imported)):
        for order in permutations((first, first, second, second)):
            with database.trial() as tx:
                with_shop(tx, forge)
                tell(tx, *order)
                assert deployed(tx) == [(OLD, at(9))]


def test_a_release_and_its_tag_may_be_told_at_once(database: Database, forge: str) -> None:
    release, tag = a_release(forge), a_tag(forge)
    for message in ([*release, *tag], [*tag, *release], [*release, *with_commit(release, OLD)]):
        with database.trial() as tx:
            with_shop(tx, forge)
            tell(tx, message)
            assert deployed(tx) == [(OLD, at(9))]


def test_what_a_tag_stands_for_that_was_moved_only_the_forge_can_say(
    database: Database, forge: str
) -> None:
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_tag(forge, OLD), a_tag(forge, NEW), a_release(forge))
        assert deployed(tx) == []
        tell(tx, with_commit(a_release(forge), NEW), with_commit(a_release(forge), OLD))
        assert deployed(tx) == [(NEW, at(9))]


def test_of_a_tag_that_was_moved_nothing_is_deployed_whichever_is_told_first(
    database: Database, forge: str
) -> None:
    release = a_release(forge)
    for order in permutations((a_tag(forge, NEW), a_tag(forge, OLD), release, release)):
        with database.trial() as tx:
            with_shop(tx, forge)
            tell(tx, *order)
            assert deployed(tx) == []
            assert commits_of_releases(tx) == [None]


def test_what_the_forge_says_of_a_release_stands_over_the_tags_that_were_pushed(
    database: Database, forge: str
) -> None:
    release = a_release(forge)
    answer = with_commit(release, OLD)
    for tags in ([a_tag(forge, NEW)], [a_tag(forge, NEW), a_tag(forge, OLD)]):
        for order in permutations((*tags, release, answer)):
            with database.trial() as tx:
                with_shop(tx, forge)
                tell(tx, *order)
                assert deployed(tx) == [(OLD, at(9))]


def test_a_commit_that_was_taken_from_a_tag_is_taken_back_once_the_tag_moves(
    database: Database, forge: str
) -> None:
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_tag(forge, NEW), a_release(forge))
        assert deployed(tx) == [(NEW, at(9))]
        tell(tx, a_tag(forge, OLD))
        assert deployed(tx) == []
        tell(tx, with_commit(a_release(forge), OLD))
        assert deployed(tx) == [(OLD, at(9))]


def test_tags_and_releases_of_other_names_and_repositories_are_not_taken(
    database: Database, forge: str
) -> None:
    elsewhere = [
        replace(one, source_id="2") if isinstance(one, RepositoryFacts) else one
        for one in a_tag(forge, repository=HOME | {"full_name": "acme/other", "id": 2})
    ]
    elsewhere[0] = replace(elsewhere[0], name="acme/other")
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_release(forge), a_tag(forge, NEW, "v1.0.1-rc"), a_tag(forge, NEW, "v1.0"))
        tell(tx, elsewhere)
        assert deployed(tx) == []


def test_a_release_is_found_by_its_tag_under_the_new_name_of_its_repository(
    database: Database, forge: str
) -> None:
    renamed = RepositoryFacts(
        name="acme/store", source=forge, source_id="1", as_of=at(9), former_name=SHOP
    )
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_release(forge), [renamed])
        tell(tx, a_tag(forge, repository=HOME | {"full_name": "acme/store"})[1:])
        assert deployed(tx) == [(OLD, at(9))]


def test_a_rule_about_the_past_passes_over_what_has_no_commit_yet(
    database: Database, forge: str
) -> None:
    with database.trial() as tx:
        with_shop(tx, forge)
        tell(tx, a_release(forge))
        (tried,) = upsert_rule(tx, replace(RULE, since=at(0)), policy=POLICY).tried
        assert (tried.result, getattr(tried.made, "condition", None)) == (None, "commit")
        tell(tx, a_tag(forge))
        assert tx.connection.scalars(select(source_events.c.commit_sha)).all() == [OLD, OLD]
        assert deployed(tx) == [(OLD, at(9))]

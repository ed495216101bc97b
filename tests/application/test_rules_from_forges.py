"""The file `.shipmark.yml` as a forge tells it becomes the rules in force, or says why not."""

from collections.abc import Iterator

import pytest
from tests.builders import at

from shipmark.application.facts import RepositoryFacts, RulesFileFacts
from shipmark.application.path_rules import PathRulesDraft, save_path_rules
from shipmark.application.policy import Policy
from shipmark.application.queries import ReadTransaction
from shipmark.application.record_facts import record_facts
from shipmark.application.record_pulls import PullFacts
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.rules_file import LARGEST_FILE, read_rules_file
from shipmark.domain.path_rules import PathRules, ServicePaths
from shipmark.storage.database import Database

NAME = "acme/mono"
POLICY = Policy(paths=GitIgnoreEngine(), read_rules_file=read_rules_file)
BILLING = b"version: 1\nservices:\n  billing: a/\n"
SEARCH = b"version: 1\nservices:\n  search: a/\n"
STORED = PathRules(services=(ServicePaths(service="stored", patterns=("a/",)),))


@pytest.fixture
def tx(database: Database) -> Iterator[ReadTransaction]:
    with database.trial() as trial:
        pull = PullFacts(
            repository=NAME,
            number=1,
            values={"base_ref": "main", "merged_at": at(1), "files": ("a/x.py",)},
        )
        record_facts(trial, [pull], policy=POLICY)
        yield trial


def tell(tx: ReadTransaction, body: bytes | None = None, trouble: str | None = None) -> None:
    told = RulesFileFacts(repository=NAME, body=body, trouble=trouble)
    record_facts(tx, [told], policy=POLICY)


def services(tx: ReadTransaction) -> set[str]:
    (repository,) = tx.repositories.named({NAME})[NAME]
    (pull,) = tx.pulls.by_number({(repository.id, 1)}).values()
    found = tx.assignments.services_of({pull.id}).get(pull.id, set())
    return {one.identifier for one in tx.services.get(found).values()}


def error(tx: ReadTransaction) -> str | None:
    (repository,) = tx.repositories.named({NAME})[NAME]
    return repository.rules_file_error


def test_the_file_gives_services_and_changes_them(tx: ReadTransaction) -> None:
    tell(tx, BILLING)
    assert services(tx) == {"billing"}
    tell(tx, SEARCH)
    assert services(tx) == {"search"}
    assert error(tx) is None


def test_without_a_file_what_clients_stored_is_in_force(tx: ReadTransaction) -> None:
    save_path_rules(tx, PathRulesDraft(repository=NAME, rules=STORED), policy=POLICY)
    tell(tx)
    assert services(tx) == {"stored"}
    tell(tx, BILLING)
    assert services(tx) == {"billing"}
    tell(tx)
    assert services(tx) == {"stored"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"version: 2\n", ".shipmark.yml, line 1: it must say 'version: 1'."),
        (b"version: 1\nservices:\n  a: '#'\n", ".shipmark.yml, line 3: "),
        (b"\0", ".shipmark.yml, line 1: it is no YAML"),
        (b"x" * (LARGEST_FILE + 1), "it is larger than"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing_and_says_why(
    tx: ReadTransaction, body: bytes, why: str
) -> None:
    tell(tx, BILLING)
    tell(tx, body)
    assert services(tx) == {"billing"}
    assert why in (error(tx) or "")
    tell(tx, SEARCH)
    assert (services(tx), error(tx)) == ({"search"}, None)


def test_a_refusal_of_the_forge_changes_nothing_and_says_why(tx: ReadTransaction) -> None:
    tell(tx, BILLING)
    tell(tx, trouble="The forge answered 403\0.")
    assert (services(tx), error(tx)) == ({"billing"}, "The forge answered 403.")
    tell(tx)
    assert (services(tx), error(tx)) == (set(), None)


def test_where_nothing_reads_rules_the_file_is_passed_over(database: Database) -> None:
    with database.trial() as tx:
        told = [RulesFileFacts(repository=NAME, body=b"?")]
        record_facts(tx, told, policy=Policy())
        assert error(tx) is None


def test_whether_a_repository_is_archived_is_known_as_of_the_latest_word(
    database: Database,
) -> None:
    def facts(hours: float, archived: bool | None) -> RepositoryFacts:
        return RepositoryFacts(
            name=NAME, source="github", source_id="1", as_of=at(hours), archived=archived
        )

    def archived(tx: ReadTransaction) -> bool:
        return tx.repositories.named({NAME})[NAME][0].archived

    with database.trial() as tx:
        seen = []
        for told in (facts(1, False), facts(3, True), facts(2, False), facts(3, False)):
            record_facts(tx, [told], policy=POLICY)
            seen.append(archived(tx))
        record_facts(tx, [facts(5, False)], policy=POLICY)
        assert (seen, archived(tx)) == ([False, True, True, True], False)

"""Services derived from files: on import, by a change of the rules, and never over an explicit
assignment; on both databases."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import REPOSITORY, a_deployment, a_pull_request

from shipmark.application.path_rules import (
    Origin,
    PathRulesDraft,
    Recomputed,
    save_path_rules,
)
from shipmark.application.policy import Policy
from shipmark.application.record_pulls import record_pulls
from shipmark.application.register import Registered, register
from shipmark.application.repositories import upsert_repository
from shipmark.application.set_services import Assignment, set_services
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.domain.errors import RepositoryNotFound
from shipmark.domain.path_rules import PathRules, PathRulesInvalid, ServicePaths
from shipmark.storage.database import Database
from shipmark.storage.transaction import StorageTransaction

POLICY = Policy(paths=GitIgnoreEngine())
BILLING, SEARCH = "services/billing/a.py", "services/search/b.py"
BY_FOLDER = {"{folder}": ("services/{folder}/",)}


def rules(
    services: Mapping[str, tuple[str, ...]] = BY_FOLDER, *, otherwise: tuple[str, ...] = ()
) -> PathRules:
    return PathRules(
        services=tuple(ServicePaths(service=name, patterns=one) for name, one in services.items()),
        otherwise=otherwise,
    )


def save(tx: StorageTransaction, set_: PathRules | None, **values: Any) -> Recomputed:
    draft = PathRulesDraft(repository=REPOSITORY, rules=set_, **values)
    return save_path_rules(tx, draft, policy=POLICY)


def with_mono(tx: StorageTransaction) -> None:
    upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=POLICY)


def merge(tx: StorageTransaction, number: int, *files: str, **values: Any) -> None:
    pull = a_pull_request(number, files=files, **values)
    record_pulls(tx, [pull], policy=POLICY)


def assign(tx: StorageTransaction, number: int, *services: str, replace: bool = True) -> None:
    assignment = Assignment(
        services=tuple((one, None) for one in services),
        repository=REPOSITORY,
        number=number,
        replace=replace,
    )
    set_services(tx, assignment, policy=POLICY)


def services(tx: StorageTransaction, number: int) -> list[str]:
    (repository,) = tx.repositories.named({REPOSITORY})[REPOSITORY]
    (row,) = tx.reports.pulls_named(repository_id=repository.id, number=number, source_id=None)
    return sorted(row.services)


def deploy(tx: StorageTransaction, hours: float, service: str) -> int:
    """How many pull requests a deployment ships."""
    (result,) = register(tx, [a_deployment(hours, service=service)], policy=POLICY)
    assert isinstance(result, Registered)
    return result.deployment.id


def shipped(tx: StorageTransaction, deployment_id: int) -> int:
    deployments = tx.deployments.get({deployment_id}).values()
    return tx.deployments.count_shipped(deployments).get(deployment_id, 0)


def test_an_imported_pull_request_has_the_services_of_its_files(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        save(tx, rules(otherwise=("none",)))
        merge(tx, 1, BILLING)
        merge(tx, 2, BILLING, SEARCH)
        merge(tx, 3, "README.md")
        record_pulls(tx, [a_pull_request(4)], policy=POLICY)
        assert services(tx, 1) == ["billing"]
        assert services(tx, 2) == ["billing", "search"]
        assert services(tx, 3) == ["none"]
        assert services(tx, 4) == []


def test_other_files_are_other_services_and_what_waited_is_attributed(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        save(tx, rules())
        merge(tx, 1, BILLING)
        search = deploy(tx, 2, "search")
        assert shipped(tx, search) == 0
        merge(tx, 1, SEARCH)
        assert services(tx, 1) == ["search"]
        assert shipped(tx, search) == 1


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_an_explicit_assignment_wins_whenever_it_comes(database: Database, when: str) -> None:
    with database.write() as tx:
        with_mono(tx)
        if when == "before":
            assign(tx, 1, "chosen")
        save(tx, rules())
        if when == "between":
            assign(tx, 1, "chosen", replace=False)
        merge(tx, 1, BILLING)
        if when == "after":
            assign(tx, 1, "chosen", replace=False)
        save(tx, rules({"another": ("services/",)}))
        merge(tx, 1, SEARCH)
        assert services(tx, 1) == ["chosen"]


def test_an_explicit_assignment_of_no_services_wins_too(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        save(tx, rules())
        merge(tx, 1, BILLING)
        assign(tx, 1)
        save(tx, rules({"another": ("services/",)}))
        assert services(tx, 1) == []


def test_changed_rules_recompute_what_they_derived(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        merge(tx, 1, BILLING)
        merge(tx, 2, SEARCH)
        merge(tx, 3, SEARCH)
        assign(tx, 3, "chosen")
        before = deploy(tx, 4, "billing")
        assert shipped(tx, before) == 2
        first = save(tx, rules())
        assert (first.pull_requests, first.reassigned) == (3, 2)
        assert [(one.number, one.before, one.after) for one in first.shown] == [
            (1, (), ("billing",)),
            (2, (), ("search",)),
        ]
        assert shipped(tx, before) == 1
        assert save(tx, rules()).reassigned == 0
        gone = save(tx, None)
        assert (gone.is_change, gone.reassigned) == (True, 2)
        assert not save(tx, None).is_change
        assert services(tx, 1) == []
        assert shipped(tx, before) == 2


def test_a_preview_tells_the_same_and_stores_nothing(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        merge(tx, 1, BILLING)
    with database.trial() as tx:
        previewed = save(tx, rules())
    with database.write() as tx:
        assert services(tx, 1) == []
        assert save(tx, rules()) == previewed


def test_the_repositorys_own_file_goes_before_what_is_stored(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        merge(tx, 1, BILLING)
        save(tx, rules({"of the file": ("services/",)}), origin=Origin.FILE)
        stored = save(tx, rules())
        assert (stored.in_force, stored.reassigned) == (False, 0)
        assert services(tx, 1) == ["of the file"]
        assert save(tx, None, origin=Origin.FILE).in_force
        assert services(tx, 1) == ["billing"]


def test_rules_that_cannot_be_used_are_refused_and_change_nothing(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        merge(tx, 1, BILLING)
        with pytest.raises(PathRulesInvalid) as wrong:
            save(tx, rules({"x": ("a/", "#b")}))
        assert wrong.value.argument == "services.x[1]"
        draft = PathRulesDraft(repository="acme/unknown", rules=rules())
        with pytest.raises(RepositoryNotFound):
            save_path_rules(tx, draft, policy=POLICY)
        assert services(tx, 1) == []


def test_a_folder_whose_name_is_too_long_is_no_service(database: Database) -> None:
    with database.write() as tx:
        with_mono(tx)
        save(tx, rules())
        merge(tx, 1, BILLING, f"services/{'x' * 256}/a.py")
        assert services(tx, 1) == ["billing"]


STEPS = st.sampled_from(["rules", "other rules", "no rules", "files", "other files", "assign"])


@given(steps=st.lists(STEPS, max_size=8))
def test_whatever_came_before_the_last_rules_and_files_decide(
    sqlite_url: str, steps: list[str]
) -> None:
    """Services are those of the last rules and the last files, unless any were assigned."""
    in_force, files = None, None
    database = Database(sqlite_url)
    with database.trial() as tx:
        with_mono(tx)
        merge(tx, 1)
        for step in steps:
            if step == "assign":
                assign(tx, 1, "chosen")
            elif step.endswith("rules"):
                in_force = {"rules": rules(), "other rules": rules({"all": ("services/",)})}.get(
                    step
                )
                save(tx, in_force)
            else:
                files = {"files": BILLING}.get(step, SEARCH)
                merge(tx, 1, files)
        found = services(tx, 1)
    database.close()
    if "assign" in steps:
        assert found == ["chosen"]
    elif in_force is None or files is None:
        assert found == []
    elif in_force == rules():
        assert found == ["billing" if files == BILLING else "search"]
    else:
        assert found == ["all"]

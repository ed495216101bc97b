"""Histories for Hypothesis to draw: what is told of deployments and pull requests, in any order.

The pools are small, so that instants tie, short SHAs fit several commits, and deployments meet.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.builders import at
from tests.engine.operations import (
    COMMITS,
    OWN,
    SHOP,
    SHORT_COMMITS,
    SITE,
    Assign,
    Delete,
    Import,
    Operation,
    Push,
    Register,
    RetryLater,
    SetDefaultBranch,
    Upsert,
)
from tests.reference_model import Deployment

REFERENCES = tuple(f"d{number}" for number in range(7))


def mostly(usual: SearchStrategy[Any], *others: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """The usual in two cases of three, so that what happens has to do with each other."""
    return st.one_of(*[usual] * 2 * len(others), *others)


instants = st.integers(0, 6).map(at)
full_shas = st.sampled_from(COMMITS)
shas = mostly(full_shas, st.sampled_from(SHORT_COMMITS))
repositories = mostly(st.just(SHOP), st.sampled_from((SHOP, SITE)))
services = mostly(st.just("api"), st.sampled_from(("api", "web")))
environments = mostly(st.just("production"), st.sampled_from(("PROD-eu", "staging")))
branches = st.sampled_from(("main", "main", "main", "main", "develop", "develop", "release"))
integration_branches = mostly(st.just("develop"), st.sampled_from(("main", "release")))
pull_keys = st.tuples(repositories, st.integers(1, 4))
references = st.sampled_from(REFERENCES)


named = st.one_of(
    st.fixed_dictionaries({"repository": repositories}),
    st.fixed_dictionaries({"repository": repositories, "commit_sha": shas}),
    st.fixed_dictionaries(
        {"repository": repositories, "commit_sha": shas, "integration_branch": integration_branches}
    ),
    st.fixed_dictionaries(
        {
            "merge_commit_shas": st.lists(shas, min_size=1, max_size=3, unique=True).map(tuple),
            "repository": mostly(repositories, st.none()),
        }
    ),
)
deployments = st.builds(
    lambda values, **others: Deployment(**values, **others),
    values=named,
    reference_id=references,
    service=services,
    environment=environments,
    deployed_at=instants,
    success=mostly(st.just(True), st.booleans()),
)

facts_of_pulls = st.fixed_dictionaries(
    {"base_ref": branches, "merged_at": mostly(instants, st.none())},
    optional={
        "merge_commit_sha": mostly(st.just(OWN), full_shas, st.none()),
        "head_sha": full_shas,
        "commit_shas": st.frozensets(full_shas, max_size=2),
        "source_id": st.just(OWN),
    },
)


imports = st.builds(
    Import, st.lists(st.tuples(pull_keys, facts_of_pulls), min_size=1, max_size=3).map(tuple)
)
registrations = st.builds(
    Register,
    st.lists(deployments, min_size=1, max_size=4, unique_by=lambda one: one.reference_id).map(
        tuple
    ),
)
upserts = st.builds(
    Upsert,
    deployments,
    st.frozensets(
        st.sampled_from(("service", "environment", "deployed_at", "success", "naming")), min_size=1
    ),
)
assignments = st.builds(
    Assign, pull_keys, st.booleans(), st.frozensets(services, min_size=1), st.booleans()
) | st.builds(
    Assign, pull_keys, st.booleans(), services=st.just(frozenset()), replace=st.just(True)
)
pushes = st.builds(
    Push,
    st.lists(st.tuples(repositories, branches, full_shas, instants), min_size=1, max_size=3).map(
        tuple
    ),
)
operations: SearchStrategy[Operation] = st.one_of(
    registrations,
    registrations,
    imports,
    imports,
    upserts,
    assignments,
    assignments,
    pushes,
    st.builds(Delete, references),
    st.builds(SetDefaultBranch, repositories, st.sampled_from(("main", "develop", None))),
    st.builds(RetryLater, st.sampled_from((0.01, 4)), st.none() | references),
)

beginnings = st.tuples(
    st.builds(
        Import, st.lists(st.tuples(pull_keys, facts_of_pulls), min_size=3, max_size=4).map(tuple)
    ),
    st.builds(
        Register,
        st.lists(deployments, min_size=2, max_size=4, unique_by=lambda one: one.reference_id).map(
            tuple
        ),
    ),
).flatmap(st.permutations)
histories = st.builds(
    lambda first, then: [*first, *then], beginnings, st.lists(operations, max_size=8)
)
"""Something to begin with, and then whatever comes."""


# Facts in any order: each with its final values, so that telling it again changes nothing


def each_of(keys: SearchStrategy[Any], values: SearchStrategy[Any], most: int) -> Any:
    return st.dictionaries(keys, values, max_size=most).map(lambda drawn: list(drawn.items()))


complete_facts_of_pulls = st.fixed_dictionaries(
    {
        "base_ref": branches,
        "merged_at": mostly(instants, st.none()),
        "merge_commit_sha": mostly(st.just(OWN), full_shas, st.none()),
        "head_sha": mostly(full_shas, st.none()),
        "commit_shas": st.frozensets(full_shas, max_size=2),
        "source_id": st.just(OWN),
    }
)
final_facts: SearchStrategy[list[Operation]] = st.builds(
    lambda *kinds: [operation for kind in kinds for operation in kind],
    each_of(repositories, st.sampled_from(("main", "release", None)), 2).map(
        lambda facts: [SetDefaultBranch(*fact) for fact in facts]
    ),
    each_of(pull_keys, complete_facts_of_pulls, 6).map(
        lambda facts: [Import((fact,)) for fact in facts]
    ),
    each_of(pull_keys, st.frozensets(services, min_size=1), 3).map(
        lambda facts: [Assign(key, False, chosen, True) for key, chosen in facts]
    ),
    each_of(st.tuples(repositories, branches, full_shas), instants, 2).map(
        lambda facts: [Push(((*key, when),)) for key, when in facts]
    ),
    st.lists(deployments, max_size=7, unique_by=lambda one: one.reference_id).map(
        lambda drawn: [Register((on_develop(one),)) for one in drawn]
    ),
)
"""What is finally so. Whoever uses it sees to it that develop is a base of both repositories."""


def on_develop(one: Deployment) -> Deployment:
    """With the one integration branch that is valid whatever is known so far."""
    return replace(one, integration_branch="develop") if one.integration_branch else one


def in_batches(told: Sequence[Operation], joins: Sequence[bool]) -> list[Operation]:
    """Some of what is told one after the other, told at once where both are of one kind."""
    batches: list[Operation] = []
    for operation, join in zip(told, joins, strict=True):
        last = batches[-1] if batches else None
        if join and isinstance(operation, Register) and isinstance(last, Register):
            batches[-1] = Register(last.deployments + operation.deployments)
        elif join and isinstance(operation, Import) and isinstance(last, Import):
            batches[-1] = Import(last.items + operation.items)
        elif join and isinstance(operation, Push) and isinstance(last, Push):
            batches[-1] = Push(last.commits + operation.commits)
        else:
            batches.append(operation)
    return batches

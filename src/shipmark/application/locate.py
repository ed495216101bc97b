"""Find the repositories that clients name."""

from collections.abc import Iterable, Sequence

from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.domain.errors import RepositoryNotFound
from shipmark.domain.model import Repository


def locate_repositories(
    tx: Transaction, names: Iterable[str], policy: Policy
) -> dict[str, Repository | RepositoryNotFound]:
    """The repository each name means; names compare without regard to case.

    A name without an owner means the one repository whose last part it is. What is registered is
    what would be if each were located alone, one after the other.
    """
    wanted = list(dict.fromkeys(names))
    found = tx.repositories.named(wanted)
    located: dict[str, Repository | RepositoryNotFound] = {}
    for name in wanted:
        candidates = found[name]
        if not candidates and tx.repositories.added:
            candidates = tx.repositories.named([name])[name]
        located[name] = _the_one(tx, name, candidates, policy)
    return located


def _the_one(
    tx: Transaction, name: str, candidates: Sequence[Repository], policy: Policy
) -> Repository | RepositoryNotFound:
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        named = ", ".join(sorted(candidate.name for candidate in candidates))
        return RepositoryNotFound(
            f"'{name}' could be any of {named}; give the name with its owner.",
            argument="repository",
        )
    if policy.register_unknown_repositories:
        return tx.repositories.add(name, {})
    return RepositoryNotFound(
        f"The repository '{name}' is not known here. Give its full name (organization/name), "
        "or make it known with repositories.upsert.",
        argument="repository",
    )


def names_of(repositories: Iterable[str | None]) -> list[str]:
    """The names that were given, in order."""
    return [name for name in repositories if name is not None]

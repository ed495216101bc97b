"""Ask forges for what deployments wait for: a commit, which branch is the default one, or the pull
request that brought a commit which is known to have been pushed."""

import logging
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from shipmark.application.attribute import Evidence, named_commits
from shipmark.application.facts import Fact
from shipmark.application.forge_answers import record_answer
from shipmark.application.forges import Forge, ForgeAway, Forges
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_facts import Inferrer, infer_nothing
from shipmark.application.writer import Database, transact, tried
from shipmark.domain.errors import ShipmarkError, Unavailable
from shipmark.domain.model import Deployment, Reason, Repository, Status

log = logging.getLogger(__name__)

LONGEST = 20.0
"""Seconds of asking before what was claimed is retried; far less than the lease on it."""

ASKED_FOR = frozenset({Reason.COMMIT_NOT_IMPORTED, Reason.DEFAULT_BRANCH_UNKNOWN})
ASKED_AT_FIRST = 3
"""Retries at which a commit is asked for that is known, and no pull request of it. The webhook of
one may have been lost; but of most such commits there is none, and then it would be asked in vain
for as long as the deployment waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A commit to ask for; without one, the repository itself."""

    repository: Repository
    commit_sha: str | None = None


def questions(tx: Transaction, deployment_ids: Collection[int]) -> dict[int, list[Question]]:
    """What deployments wait for and a forge may know, by their ids."""
    waiting = [one for one in tx.deployments.get(deployment_ids).values() if _may_ask(one)]
    ids = {one.repository_id for one in waiting if one.repository_id is not None}
    repositories = tx.repositories.get(ids)
    asked = _unknown_commits(tx, waiting) | _commits_alone(tx, waiting)
    return {
        one.id: [
            Question(repository=repositories[one.repository_id], commit_sha=sha)
            for sha in asked[one.id]
        ]
        for one in waiting
        if one.repository_id in repositories
    }


def _may_ask(one: Deployment) -> bool:
    attribution = one.attribution
    if attribution.status is not Status.PENDING:
        return False
    return attribution.reason in ASKED_FOR or (
        attribution.reason is Reason.NO_PULL_REQUESTS_YET and attribution.attempts < ASKED_AT_FIRST
    )


def _unknown_commits(
    tx: Transaction, waiting: Iterable[Deployment]
) -> dict[int, Sequence[str | None]]:
    """What those are asked for that wait for a commit, or for their repository itself (None)."""
    asking = [one for one in waiting if one.attribution.reason in ASKED_FOR]
    named = {(one.repository_id, sha) for one in asking for sha in named_commits(one)}
    known = tx.commits.known(named) if named else set()
    return {
        one.id: [None]
        if one.attribution.reason is Reason.DEFAULT_BRANCH_UNKNOWN
        else [sha for sha in named_commits(one) if not _is_among(one.repository_id, sha, known)]
        for one in asking
    }


def _is_among(repository_id: int | None, sha: str, known: Collection[tuple[int, str]]) -> bool:
    return any(its == repository_id and full.startswith(sha) for its, full in known)


def _commits_alone(
    tx: Transaction, waiting: Iterable[Deployment]
) -> dict[int, Sequence[str | None]]:
    """The commits of those that wait for pull requests, where they are known on a branch alone."""
    asking = [one for one in waiting if one.attribution.reason is Reason.NO_PULL_REQUESTS_YET]
    evidence = Evidence(tx, asking)
    return {
        one.id: [
            sha
            for sha in named_commits(one)
            if not any(
                found.pull_id is not None and found.sha.startswith(sha)
                for found in evidence.of(one, sha)
            )
        ]
        for one in asking
    }


class LookUps:
    """Asks forges, outside of any transaction, and records what they answer."""

    def __init__(
        self,
        database: Database,
        forges: Forges,
        policy: Policy,
        *,
        stopping: threading.Event,
        longest: float = LONGEST,
        infer: Inferrer = infer_nothing,
    ) -> None:
        self._database = database
        self._forges = forges
        self._policy = policy
        self._stopping = stopping
        self._longest = longest
        self._infer = infer

    def ask_for(self, deployment_ids: Collection[int]) -> list[int]:
        """Ask for what these deployments wait for; which of them can be retried now.

        The others were not come to in time. They stay claimed, and are due again after that. A
        forge that is away is asked nothing more: waiting for it helps nobody.
        """
        wanted = tried(self._database.read, partial(questions, deployment_ids=deployment_ids))
        deadline = time.monotonic() + self._longest
        asked: set[Question] = set()
        away: set[str] = set()
        late: set[int] = set()
        for deployment_id, its in wanted.items():
            new = [question for question in its if question not in asked]
            for question in new:
                if time.monotonic() > deadline or self._stopping.is_set():
                    late.add(deployment_id)
                    break
                asked.add(question)
                self._ask(question, away)
        return [one for one in deployment_ids if one not in late]

    def _ask(self, question: Question, away: set[str]) -> None:
        """Ask, and record the answer. Nothing that goes wrong keeps deployments from being
        retried, and so from expiring one day; without the database nothing can be done."""
        repository = question.repository
        forge = self._forges.serving(repository)
        if forge is None or forge.source in away:
            return
        about = {"repository": repository.name, "commit_sha": question.commit_sha}
        try:
            facts = _answer(forge, question)
            recording = partial(
                record_answer,
                repository=repository,
                facts=facts,
                policy=self._policy,
                infer=self._infer,
            )
            transact(self._database, recording)
        except Unavailable:
            raise
        except ForgeAway as trouble:
            away.add(forge.source)
            log.warning("cannot ask forge: %s", trouble.message, extra=about)
        except ShipmarkError as trouble:
            log.warning("cannot ask forge: %s", trouble.message, extra=about)
        except Exception:
            log.exception("what a forge told was not understood", extra=about)
        else:
            told = {**about, "facts": len(facts), "remaining": forge.budget()}
            log.info("asked forge", extra=told)


def _answer(forge: Forge, question: Question) -> Sequence[Fact]:
    name = question.repository.name
    if question.commit_sha is not None:
        return forge.commit(name, question.commit_sha)
    told = forge.repository(name)
    return [told] if told else []

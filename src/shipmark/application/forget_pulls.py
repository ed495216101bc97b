"""Remove pull requests as if they had never been imported, and attribute what that changes."""

from collections.abc import Sequence

from shipmark.application import attribute
from shipmark.application.attribute import Touched
from shipmark.application.policy import Policy
from shipmark.application.ports import Transaction
from shipmark.application.record_pulls import holders
from shipmark.domain.model import PullRequest


def forget_pulls(tx: Transaction, pulls: Sequence[PullRequest], *, policy: Policy) -> None:
    """Remove pull requests whose repositories are locked. Services assigned to them wait again."""
    ids = {pull.id for pull in pulls}
    touched = Touched(deployments=holders(tx, ids))
    commits = {(pull.repository_id, sha) for pull in pulls for sha in pull.shas}
    naming = set(tx.deployments.naming(commits))
    tx.pulls.delete(ids)
    # What was pushed to a branch counts only while pull requests are merged to it.
    bases = {(pull.repository_id, pull.base_ref) for pull in pulls if pull.merged_at}
    woken = attribute.rematch(tx, sorted(naming | tx.commits.deployed_from(bases)))
    touched.deployments |= woken.deployments
    touched.waits_for |= woken.waits_for
    attribute.settle(tx, touched, policy)

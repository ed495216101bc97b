"""`shipmark import git`: what tags shipped must be what git itself says lies between them."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from tests.builders import a_pull_request
from tests.connectors.clones import Builder, a_repository

from shipmark.application.policy import Policy
from shipmark.application.queries import DeploymentFilter, Page
from shipmark.application.record_pulls import record_pulls
from shipmark.application.repositories import upsert_repository
from shipmark.domain.model import Status
from shipmark.storage.database import Database

SHIPMARK = Path(sys.executable).with_name("shipmark")
REPOSITORY = "acme/rocket"
EVERYTHING = Page(limit=1000)


@dataclass
class Team:
    """People who merge in every way there is, and release now and then."""

    clone: Builder
    random: Random
    main: str = ""
    number: int = 0

    def work(self, landings: int) -> None:
        """Land that many changes on main; tag a release after about every sixth."""
        self.main = self.clone.commit("Begin")
        ways = [self.merge, self.squash, self.gitlab_merge, self.push, self.rebase]
        for _ in range(landings):
            self.random.choice(ways)()
            if self.random.random() < 1 / 6:
                self.release()
        self.hotfix()
        self.merge()
        self.release()
        self.clone.point("main", self.main)

    def merge(self, subject: str = "Merge pull request #{} from acme/topic") -> None:
        self.number += 1
        inner = self.main
        for _ in range(self.random.randint(1, 3)):
            inner = self.clone.commit("Step", inner)
        self.main = self.clone.commit(subject.format(self.number), self.main, inner)

    def gitlab_merge(self) -> None:
        self.merge("Merge branch 'topic' into 'main'\n\nDo it\n\nSee merge request acme/rocket!{}")

    def squash(self) -> None:
        self.number += 1
        self.main = self.clone.commit(f"Do it (#{self.number})", self.main)

    def rebase(self) -> None:
        self.number += 1
        for _ in range(2):
            self.main = self.clone.commit(f"Step (#{self.number})", self.main)

    def push(self) -> None:
        self.main = self.clone.commit("Bump the version", self.main)

    def release(self) -> None:
        if self.random.random() < 1 / 2:
            # A release job tags a commit of its own, which no pull request has.
            self.push()
        self.clone.tag(f"v{self.clone.clock}", self.main)

    def hotfix(self) -> None:
        """A branch from an old release, tagged there, that comes to main by a pull request."""
        old = self.clone.git("rev-parse", f"{self.tags()[0]}^{{commit}}")
        fix = self.clone.commit("Mend it", old)
        self.clone.tag(f"hotfix-{self.clone.clock}", fix)
        self.number += 1
        self.main = self.clone.commit(
            f"Merge pull request #{self.number} from acme/hotfix", self.main, fix
        )

    def tags(self) -> list[str]:
        """The releases, in the order they were made."""
        return sorted(self.clone.git("tag", "--list", "v*").split())


@pytest.fixture(scope="module", params=[1, 2])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Team:
    clone = a_repository(tmp_path_factory.mktemp("git") / "clone")
    worked = Team(clone, Random(request.param))  # noqa: S311 - the same history each time
    worked.work(landings=50)
    return worked


def import_git(team: Team, database_url: str, *options: str) -> str:
    finished = subprocess.run(
        [SHIPMARK, "import", "git", team.clone.path, "--repository", REPOSITORY, *options],
        env={**os.environ, "SHIPMARK_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout


def shipped(database: Database) -> dict[str, set[int]]:
    """The numbers of the pull requests that each tag shipped."""
    with database.read() as tx:
        return {
            row.deployment.reference_id.rpartition(":")[2]: {
                one.pull.number for one in tx.reports.shipped_pulls(row.deployment.id, EVERYTHING)
            }
            for row in tx.reports.deployments(DeploymentFilter(), EVERYTHING)
        }


def between(team: Team, older: str | None, newer: str) -> set[int]:
    """The pull requests that `git log --first-parent` finds between two tags."""
    span = newer if older is None else f"{older}..{newer}"
    log = team.clone.git("log", "--first-parent", "--format=%B%x00", span)
    found = re.findall(r"Merge pull request #(\d+)|\(#(\d+)\)|rocket!(\d+)", log)
    return {int(number) for groups in found for number in groups if number}


def test_each_tag_ships_what_git_finds_since_the_tag_before(
    team: Team, database: Database, database_url: str
) -> None:
    printed = import_git(team, database_url, "--deployments-from-tags", "v*", "--service", "rocket")
    tags = team.tags()
    expected = {
        newer: between(team, older, newer)
        for older, newer in zip([None, *tags], tags, strict=False)
    }
    assert len(tags) > 5
    assert f"Pull requests merged into main: {team.number}." in printed
    assert shipped(database) == expected


def test_importing_again_changes_nothing(team: Team, database: Database, database_url: str) -> None:
    options = ("--deployments-from-tags", "v*", "--service", "rocket")
    import_git(team, database_url, *options)
    before = shipped(database)
    import_git(team, database_url, *options)
    import_git(team, database_url, "--since", "2023-11-14", *options)
    assert shipped(database) == before


def test_a_tag_on_a_branch_of_its_own_waits_and_the_merge_ships_its_pull_request(
    team: Team, database: Database, database_url: str
) -> None:
    import_git(team, database_url, "--deployments-from-tags", "*", "--service", "rocket")
    with database.read() as tx:
        rows = tx.reports.deployments(DeploymentFilter(status=Status.ATTRIBUTED), EVERYTHING)
        attributed = {row.deployment.reference_id for row in rows}
    hotfix = team.clone.git("tag", "--list", "hotfix-*")
    # The commit is one of the pull request that later brought it to main: rule 2 of matching.
    assert f"git-tag:{REPOSITORY}:rocket:{hotfix}" in attributed


def test_it_takes_nothing_back_that_a_forge_has_told(
    team: Team, database: Database, database_url: str
) -> None:
    told = a_pull_request(1, repository=REPOSITORY, title="As the forge has it", author="ada")
    with database.write() as tx:
        upsert_repository(tx, REPOSITORY, {"default_branch": "main"}, policy=Policy())
        record_pulls(tx, [told], policy=Policy())
    import_git(team, database_url)
    with database.read() as tx:
        repository = tx.repositories.named({REPOSITORY})[REPOSITORY][0]
        pull = tx.pulls.by_number({(repository.id, 1)})[repository.id, 1]
    assert (pull.title, pull.author, pull.merged_at) == (
        "As the forge has it",
        "ada",
        told.values["merged_at"],
    )


def test_another_branch_is_read_without_making_it_the_default(
    team: Team, database: Database, database_url: str
) -> None:
    import_git(team, database_url)
    team.clone.point("develop", team.clone.commit("Begin anew (#9001)"))
    printed = import_git(team, database_url, "--branch", "develop")
    with database.read() as tx:
        repository = tx.repositories.named({REPOSITORY})[REPOSITORY][0]
    assert "Pull requests merged into develop: 1." in printed
    assert repository.default_branch == "main"


def test_a_default_branch_that_is_not_there_is_refused_before_anything_is_stored(
    team: Team, database: Database, database_url: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        import_git(team, database_url, "--default-branch", "nope")
    with database.read() as tx:
        assert tx.repositories.named({REPOSITORY})[REPOSITORY] == []

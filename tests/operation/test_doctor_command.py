"""`shipmark doctor`: what it prints, and with what it exits."""

import json

from tests.connectors.http_forge import HTTPForge
from tests.connectors.test_identities import answering
from tests.deliveries import SECRET
from tests.operation.commands import CommandLine


def test_it_is_healthy_where_nothing_is_missing(commands: CommandLine) -> None:
    done = commands.run("doctor")
    assert "Database: reachable" in done.stdout
    assert "Repositories: 0, of them with findings: 0." in done.stdout


def test_it_exits_with_1_and_says_what_is_missing_and_what_would_mend_it(
    commands: CommandLine,
) -> None:
    commands.run("repository", "add", "acme/shop", "--default-branch", "main", "--source", "github")
    done = commands("doctor", SHIPMARK_GITHUB_WEBHOOK_SECRET=SECRET)
    assert done.code == 1
    assert "GitHub: cannot be asked, webhooks are taken." in done.stdout
    assert "! No webhook was ever received from GitHub for this repository." in done.stdout
    assert "(docs/forges/github.md#when-nothing-arrives)" in done.stdout
    assert SECRET not in done.stdout


def test_it_prints_json_of_one_repository(commands: CommandLine) -> None:
    for name in ("acme/shop", "acme/site"):
        commands.run("repository", "add", name, "--default-branch", "main")
    done = commands("doctor", "--json", "--repository", "acme/site")
    (one,) = json.loads(done.stdout)["repositories"]
    assert (done.code, one["repository"]) == (1, "acme/site")
    assert {"what", "mend", "docs"} == one["findings"][0].keys()


def test_a_repository_nobody_knows_is_refused(commands: CommandLine) -> None:
    assert "acme/none" in commands.fail("doctor", "--repository", "acme/none").stderr


def test_it_asks_forges_who_we_are_and_keeps_what_is_left(commands: CommandLine) -> None:
    with HTTPForge(answering("/api/v3/user", {"login": "ann"})) as server:
        forge = {"SHIPMARK_GITHUB_URL": server.url, "SHIPMARK_GITHUB_TOKEN": "s3cret"}
        done = commands.run("doctor", "--ask", **forge)
        assert (
            "GitHub: can be asked, webhooks are not taken, we are ann, 4999 of 5000" in done.stdout
        )
        assert "4999 of 5000 calls left" in commands.run("doctor", **forge).stdout


def test_a_forge_that_refuses_us_is_a_finding(commands: CommandLine) -> None:
    answer = answering("/api/v1/user", {"message": "token is expired"}, status=401)
    with HTTPForge(answer) as server:
        forge = {"SHIPMARK_GITEA_URL": server.url, "SHIPMARK_GITEA_TOKEN": "s3cret"}
        done = commands("doctor", "--ask", **forge)
    assert done.code == 1
    assert "! Gitea does not say who we are" in done.stdout
    assert "token is expired" in done.stdout

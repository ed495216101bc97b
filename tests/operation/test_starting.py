"""Settings, databases and processes: what an operator sets up, and what is refused."""

import re
from pathlib import Path

import pytest
from tests.operation.commands import CommandLine
from tests.server import LiveServer, shipmark
from tests.shops import Shop

from shipmark import settings

# Settings


def test_settings_are_shown_with_passwords_masked(commands: CommandLine) -> None:
    url = "postgresql://ann:s3cret@db.example:5432/shipmark?sslmode=require&password=s3cret"
    shown = commands.run("settings", SHIPMARK_DATABASE_URL=url, SHIPMARK_RETRY_FOR="90m").stdout
    assert "s3cret" not in shown
    assert "SHIPMARK_DATABASE_URL=postgresql://ann:***@db.example:5432/shipmark" in shown
    assert "SHIPMARK_RETRY_FOR=1h30m" in shown


def test_a_setting_may_be_read_from_a_file(commands: CommandLine, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://ann:s3cret@db.example/shipmark\n")
    shown = commands.run("settings", SHIPMARK_DATABASE_URL_FILE=str(secret)).stdout
    assert "postgresql://ann:***@db.example/shipmark" in shown
    both = {"SHIPMARK_DATABASE_URL_FILE": str(secret), "SHIPMARK_DATABASE_URL": "sqlite:///x"}
    assert "not both" in commands.fail("settings", **both).stderr
    blank = both | {"SHIPMARK_DATABASE_URL": ""}
    assert "postgresql://ann:***@db.example/shipmark" in commands.run("settings", **blank).stdout


def test_secrets_of_webhooks_are_shown_by_nobody(commands: CommandLine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pssst\n")
    told = {
        "SHIPMARK_GITHUB_WEBHOOK_SECRET": "pssst",
        "SHIPMARK_GITLAB_WEBHOOK_SECRET_FILE": str(secret),
    }
    shown = commands.run("settings", **told).stdout
    assert "SHIPMARK_GITHUB_WEBHOOK_SECRET=***\n" in shown
    assert "SHIPMARK_GITLAB_WEBHOOK_SECRET=***\n" in shown
    assert "SHIPMARK_GITEA_WEBHOOK_SECRET=\n" in shown
    assert "pssst" not in shown
    environment = {"SHIPMARK_GITHUB_WEBHOOK_SECRET": "pssst"}
    assert "pssst" not in repr(settings.load(environment))


@pytest.mark.parametrize("command", ["settings", "serve", "worker", "migrate", "token list"])
def test_a_variable_nobody_knows_is_refused(commands: CommandLine, command: str) -> None:
    error = commands.fail(*command.split(), SHIPMARK_RETRY_FRO="3d").stderr
    assert "SHIPMARK_RETRY_FRO is no setting" in error
    assert "SHIPMARK_RETRY_FOR" in error


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SHIPMARK_PORT", "eighty"),
        ("SHIPMARK_RETRY_FOR", "3 days"),
        ("SHIPMARK_UNKNOWN_REPOSITORIES", "accept"),
        ("SHIPMARK_DATABASE_URL", "mysql://ann:s3cret@db/x"),
        ("SHIPMARK_WITH_WORKER", "maybe"),
        ("SHIPMARK_BASE_URL", "example.com"),
    ],
)
def test_a_wrong_value_is_refused_by_name(commands: CommandLine, variable: str, value: str) -> None:
    error = commands.fail("settings", **{variable: value}).stderr
    assert variable in error
    assert "must" in error
    assert "s3cret" not in error


# Databases


def test_postgresql_is_served_only_once_it_was_migrated(
    commands: CommandLine, empty_postgresql_url: str
) -> None:
    url = {"SHIPMARK_DATABASE_URL": empty_postgresql_url}
    for command in ("serve --port 0", "worker", "token create --name x"):
        assert "Run: shipmark migrate" in commands.fail(*command.split(), **url).stderr
    first, second = commands.run("migrate", **url).stdout, commands.run("migrate", **url).stdout
    assert first == second
    assert re.fullmatch(r"The schema is at version \d+\.\n", first)
    assert commands.run("token", "create", "--name", "x", **url).stdout.startswith("smk_")


@pytest.mark.parametrize("command", ["serve --port 0", "worker", "migrate", "account list"])
def test_a_database_that_is_not_there_is_said_in_a_line(
    commands: CommandLine, command: str
) -> None:
    url = "postgresql://ann:s3cret@127.0.0.1:1/shipmark"
    error = commands.fail(*command.split(), SHIPMARK_DATABASE_URL=url).stderr
    assert "The database cannot be used" in error
    assert "s3cret" not in error


@pytest.mark.parametrize("command", ["serve --port 0", "migrate"])
def test_a_folder_that_cannot_be_made_is_said_in_a_line(
    commands: CommandLine, command: str
) -> None:
    assert (
        "SHIPMARK_DATA_DIR"
        in commands.fail(*command.split(), SHIPMARK_DATA_DIR="/dev/null/x").stderr
    )


# Serving


def test_several_server_processes_serve_one_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shipmark.db"
    with LiveServer(url, tmp_path, "--workers=2") as server:
        shop = Shop(server)
        for number in range(20):
            shop.deploy(number, reference_id=str(number))
        listed = server.call("deployments.list")["deployments"]
        assert len(listed) == 20


def test_a_port_that_is_taken_is_said_and_not_waited_for(
    commands: CommandLine, server: LiveServer
) -> None:
    port = server.base_url.rpartition(":")[2]
    done = shipmark("serve", "--port", port, environment=commands.environment)
    assert done.returncode != 0
    assert "address already in use" in done.stderr

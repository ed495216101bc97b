"""The command line: what each command says, refuses and does."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
import typer
from sqlalchemy import text
from tests.operation.commands import CommandLine
from tests.server import LiveServer, refused, shipmark
from tests.shops import Shop
from typer.testing import CliRunner

from shipmark.cli import app
from shipmark.storage.database import Database

# Help

COMMANDS = (
    "serve",
    "worker",
    "migrate",
    "settings",
    "doctor",
    "demo",
    "account create",
    "account list",
    "account activate",
    "account deactivate",
    "token create",
    "token list",
    "token revoke",
    "import pulls",
    "import git",
    "import forge",
    "backfill",
    "repository add",
)


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    children = getattr(command, "commands", None)
    if not children:
        yield name, command
        return
    for child, inner in children.items():
        yield from leaves(inner, f"{name} {child}".strip())


def test_these_are_the_commands() -> None:
    assert sorted(name for name, _ in leaves(typer.main.get_command(app))) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_of_its_options_is_for(command: str) -> None:
    (leaf,) = (one for name, one in leaves(typer.main.get_command(app)) if name == command)
    assert len(leaf.help or "") > 10
    for parameter in leaf.params:
        assert getattr(parameter, "help", None), (command, parameter.name)
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.stdout


def test_without_a_command_it_shows_its_help(commands: CommandLine) -> None:
    done = shipmark(environment=commands.environment)
    assert "serve" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# Tokens


def test_a_new_token_is_printed_alone_and_lets_one_in(
    commands: CommandLine, server: LiveServer, tmp_path: Path
) -> None:
    done = shipmark("token", "create", "--name", "build server", environment=commands.environment)
    assert re.fullmatch(r"smk_[0-9a-f]{40,}\n", done.stdout)
    assert done.stderr == ""
    token = done.stdout.strip()
    assert server.send("services.list", token=token).status_code == 200
    listed = commands.run("token", "list").stdout
    assert token not in listed
    assert "build server" in listed
    assert "deployments:write pulls:write read" in listed
    assert (
        token.encode()
        not in Path(server.environment["SHIPMARK_DATA_DIR"], "shipmark.db").read_bytes()
    )


def test_the_list_says_when_a_token_was_used(commands: CommandLine, server: LiveServer) -> None:
    token = commands.run("token", "create", "--name", "one").stdout.strip()
    assert "never" in commands.run("token", "list").stdout
    assert server.send("services.list", token=token).status_code == 200
    deadline = time.monotonic() + 10
    while "never" in commands.run("token", "list").stdout and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "never" not in commands.run("token", "list").stdout


def test_a_token_has_the_scopes_it_was_made_with(commands: CommandLine, server: LiveServer) -> None:
    made = commands.run(
        "token", "create", "--name", "r", "--scope", "read", "--scope", "pulls:write"
    )
    token = made.stdout.strip()
    assert server.send("services.list", token=token).status_code == 200
    assert refused(server.send("deployments.create", token=token)).error == "missing_scope"


def test_a_revoked_token_is_refused_from_then_on(commands: CommandLine, server: LiveServer) -> None:
    token = commands.run("token", "create", "--name", "one").stdout.strip()
    assert server.send("services.list", token=token).status_code == 200
    assert "one" in commands.run("token", "revoke", "one").stdout
    refusal = refused(server.send("services.list", token=token))
    assert refusal.what == (401, "invalid_auth", None)
    assert "revoked" in commands.run("token", "list").stdout


def test_a_token_expires(commands: CommandLine, server: LiveServer) -> None:
    made = commands.run("token", "create", "--name", "short", "--expires-in", "1h30m")
    token = made.stdout.strip()
    assert server.send("services.list", token=token).status_code == 200
    assert "expires" in commands.run("token", "list").stdout
    with closing(Database(server.database_url)) as database, database.engine.begin() as connection:
        connection.execute(text("UPDATE tokens SET expires_at = expires_at - 5400000000"))
    refusal = refused(server.send("services.list", token=token))
    assert refusal.what == (401, "invalid_auth", None)
    assert "expired" in commands.run("token", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("token", "create"), "--name"),
        (("token", "create", "--name", " "), "no name for a token"),
        (("token", "create", "--name", "x", "--account", "nobody"), "nobody"),
        (("token", "create", "--name", "x", "--scope", "all"), "all"),
        (("token", "create", "--name", "x", "--expires-in", "soon"), "soon"),
        (("token", "revoke", "nobody's"), "nobody's"),
        (("account", "create", ""), "no name for an account"),
        (("account", "deactivate", "nobody"), "nobody"),
        (("account", "activate", "nobody"), "nobody"),
        (("repository", "add", " ", "--default-branch", "main"), "name"),
        (("repository", "add", "acme/shop"), "--default-branch"),
        (("import", "pulls", "nowhere.json"), "nowhere.json"),
        (("import", "git", "nowhere", "--repository", "acme/shop"), "nowhere"),
        (("serve", "--port", "70000"), "--port"),
        (("deploy",), "deploy"),
    ],
)
def test_what_is_wrong_is_refused_in_words(
    commands: CommandLine, arguments: tuple[str, ...], words: str
) -> None:
    assert words in commands.fail(*arguments).stderr


# Accounts


def test_an_account_can_be_shut_and_opened_again(commands: CommandLine, server: LiveServer) -> None:
    commands.run("account", "create", "contractors")
    assert "contractors" in commands.fail("account", "create", "contractors").stderr
    made = commands.run("token", "create", "--name", "theirs", "--account", "contractors")
    token = made.stdout.strip()
    commands.run("account", "deactivate", "contractors")
    refusal = refused(server.send("services.list", token=token))
    assert refusal.what == (403, "account_inactive", None)
    assert "contractors" in refusal.message
    assert re.search(r"contractors +no", commands.run("account", "list").stdout)
    commands.run("account", "activate", "contractors")
    assert server.send("services.list", token=token).status_code == 200
    assert re.search(r"contractors +yes", commands.run("account", "list").stdout)


# Facts


def test_a_repository_is_made_known_and_changed(commands: CommandLine, server: LiveServer) -> None:
    done = commands.run("repository", "add", "acme/shop", "--default-branch", "refs/heads/main")
    assert done.stdout == "Repository 'acme/shop', default branch 'main'.\n"
    commands.run(
        "repository", "add", "Acme/Shop", "--default-branch", "trunk", "--source", "github"
    )
    (repository,) = server.call("repositories.list")["repositories"]
    assert (repository["name"], repository["default_branch"]) == ("Acme/Shop", "trunk")
    assert repository["source"] == "github"


@pytest.mark.parametrize("form", ["object", "array", "lines"])
def test_pull_requests_are_imported_from_a_file(
    commands: CommandLine, server: LiveServer, tmp_path: Path, form: str
) -> None:
    shop = Shop(server)
    items = [shop.item(number) for number in range(1, 1201)]
    text = {
        "object": json.dumps({"pulls": items}),
        "array": json.dumps(items, indent=1),
        "lines": "\n".join(json.dumps(item) for item in items),
    }[form]
    file = tmp_path / "pulls.json"
    file.write_text(text)
    done = commands.run("import", "pulls", str(file))
    assert done.stdout == "1200 created, 0 updated, 0 unchanged, 0 failed\n"
    done = commands.run("import", "pulls", str(file))
    assert done.stdout == "0 created, 0 updated, 1200 unchanged, 0 failed\n"
    assert shop.deploy(1201)["attribution"]["pull_requests"] == 1200


def test_items_that_fail_are_named_and_the_others_imported(
    commands: CommandLine, server: LiveServer, tmp_path: Path
) -> None:
    shop = Shop(server)
    file = tmp_path / "pulls.ndjson"
    lines = [json.dumps(shop.item(1)), "{", json.dumps(shop.item(2, repository="acme/typo"))]
    file.write_text("\n".join(lines))
    done = commands("import", "pulls", str(file))
    assert done.code == 1
    assert done.stdout == "1 created, 0 updated, 0 unchanged, 2 failed\n"
    assert "item 1: " in done.stderr
    assert "item 2: " in done.stderr
    assert "acme/typo" in done.stderr
    assert shop.shipped(shop.deploy(2)) == [1]

"""The settings that let Shipmark into forges."""

from pathlib import Path

import pytest
from tests.operation.commands import CommandLine

SECRETS = (
    "SHIPMARK_GITHUB_TOKEN",
    "SHIPMARK_GITHUB_APP_KEY",
    "SHIPMARK_GITLAB_TOKEN",
    "SHIPMARK_BITBUCKET_TOKEN",
    "SHIPMARK_AZURE_DEVOPS_TOKEN",
    "SHIPMARK_GITEA_TOKEN",
)


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_is_never_shown(commands: CommandLine, variable: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    for told in ({variable: "s3cret"}, {f"{variable}_FILE": str(file)}):
        done = commands.run("settings", **told)
        assert f"{variable}=***\n" in done.stdout
        assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"GITHUB_APP_ID": "1"}, "SHIPMARK_GITHUB_APP_ID needs SHIPMARK_GITHUB_APP_KEY"),
        ({"GITHUB_APP_KEY": "x"}, "SHIPMARK_GITHUB_APP_KEY needs SHIPMARK_GITHUB_APP_ID"),
        (
            {"GITHUB_APP_ID": "1", "GITHUB_APP_KEY": "x", "GITHUB_TOKEN": "y"},
            "SHIPMARK_GITHUB_TOKEN or SHIPMARK_GITHUB_APP_ID, not both",
        ),
        ({"GITEA_TOKEN": "x"}, "SHIPMARK_GITEA_TOKEN needs SHIPMARK_GITEA_URL"),
        (
            {"AZURE_DEVOPS_TOKEN": "x"},
            "SHIPMARK_AZURE_DEVOPS_TOKEN needs SHIPMARK_AZURE_DEVOPS_URL",
        ),
        ({"GITLAB_URL": "gitlab.example"}, "must be an http or https URL"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "worker", "doctor"])
def test_what_is_said_by_half_is_refused(
    commands: CommandLine, command: str, told: dict[str, str], said: str
) -> None:
    variables = {f"SHIPMARK_{name}": value for name, value in told.items()}
    assert said in commands.fail(command, **variables).stderr


@pytest.mark.parametrize("variable", [one for one in SECRETS if one.endswith("TOKEN")])
@pytest.mark.parametrize("written", ["# ci\ns3cret", "s3cret\tx", "s3cret and more", "s3crét"])
def test_what_is_no_token_is_refused_and_not_shown(
    commands: CommandLine, variable: str, written: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(written, encoding="utf-8")
    said = commands.fail("settings", **{f"{variable}_FILE": str(file)}).stderr
    assert f"{variable} must be one line of ASCII characters without blanks." in said
    assert "s3cr" not in said


def test_a_mark_that_editors_put_before_a_token_is_no_part_of_it(
    commands: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n", encoding="utf-8-sig")
    done = commands.run("settings", SHIPMARK_GITHUB_TOKEN_FILE=str(file))
    assert "SHIPMARK_GITHUB_TOKEN=***\n" in done.stdout

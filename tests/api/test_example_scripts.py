"""The scripts in the description of the API, with another host and token and nothing else.

They stand in ``examples/`` as they were printed, with the indentation that printing lost. GitHub's
``${{ }}`` expressions are replaced as a runner would, and https by http.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.server import LiveServer, succeeded
from tests.shops import Shop

SCRIPTS = Path(__file__).with_name("examples")
TOOLS = ("bash", "curl", "jq", "git", "awk", "xargs", "sort")
ABSENT = [tool for tool in TOOLS if shutil.which(tool) is None]
needs_tools = pytest.mark.skipif(
    bool(ABSENT),
    reason=f"The scripts are run as they are, and {', '.join(ABSENT)} is not installed; what they "
    "send is tested without them.",
)
JSON = {"Content-Type": "application/json"}
HOST = re.compile(r"https?://(yourinstance\.getdx\.net|\$\{DATACLOUD_HOST\})")
TOKEN = re.compile("your_bearer_token_here", re.IGNORECASE)


class Runner:
    """Runs scripts in a working copy, as GitHub's runner does a step."""

    def __init__(self, server: LiveServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.variables = {"API_TOKEN": server.default_token, "DATACLOUD_HOST": "not.used.example"}

    def run(self, script: str, after: str = "", **expressions: str) -> str:
        """What a script prints; ``after`` is run behind it. It must exit with 0."""
        text = (SCRIPTS / script).read_text(encoding="utf-8")
        for expression, value in expressions.items():
            text = text.replace("${{ " + expression.replace("__", ".") + " }}", value)
        text = HOST.sub(self.server.base_url, text)
        text = TOKEN.sub(self.server.default_token, text)
        assert "${{" not in text
        done = self._bash(text + after)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        file = self.directory.parent / "step.sh"
        file.write_text(text, encoding="utf-8")
        return subprocess.run(
            ["bash", "-e", str(file)],
            cwd=self.directory,
            env={**os.environ, **self.variables, "NO_PROXY": "*", "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        command = ["git", *author, "-c", "commit.gpgsign=false", *arguments]
        return subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self, *files: str) -> str:
        """A commit that touches these files; its SHA."""
        for file in files:
            path = self.directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{len(list(self.directory.rglob('*')))}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def runner(server: LiveServer, tmp_path: Path) -> Runner:
    directory = tmp_path / "checkout"
    directory.mkdir()
    runner = Runner(server, directory)
    runner.git("init", "--quiet", "--initial-branch=main")
    return runner


def post(server: LiveServer, method: str, payload: str) -> dict[str, Any]:
    return succeeded(server.send(method, content=payload.encode(), headers=JSON))


def as_jq_prints(arguments: Mapping[str, str]) -> str:
    """The bytes that ``jq -n --arg ...`` makes of arguments."""
    return json.dumps(arguments, indent=2, ensure_ascii=False)


@needs_tools
def test_jq_prints_what_the_tests_without_it_send(runner: Runner) -> None:
    arguments = {"service": 'My "service"', "deployed_at": "1680723287", "name": "żółć"}
    options = [part for name, value in arguments.items() for part in ("--arg", name, value)]
    object_ = "{" + ", ".join(f"{name}: ${name}" for name in arguments) + "}"
    printed = subprocess.run(
        ["jq", "-n", *options, object_], capture_output=True, text=True, check=True
    ).stdout
    assert printed == as_jq_prints(arguments) + "\n"


# The example of deployments.create


def import_payment_api(server: LiveServer) -> None:
    server.call("repositories.upsert", name="my_org/payment_api", default_branch="main")
    pull = {
        "repository": "my_org/payment_api",
        "number": 1,
        "base_ref": "main",
        "merged_at": 1680723000,
        "merge_commit_sha": "d1a34f0".ljust(40, "0"),
    }
    server.call("pulls.import", pulls=[pull])


def created(server: LiveServer) -> dict[str, Any]:
    answer = server.call("deployments.info", reference_id="globally-unique-identifier")
    assert [pull["number"] for pull in answer["pull_requests"]] == [1]
    deployment: dict[str, Any] = answer["deployment"]
    return deployment


@needs_tools
def test_the_curl_of_create_registers_a_deployment(runner: Runner) -> None:
    import_payment_api(runner.server)
    first, second = json.loads(runner.run("create.sh")), json.loads(runner.run("create.sh"))
    assert first["ok"] is True
    assert second == first
    deployment = created(runner.server)
    assert (deployment["id"], deployment["service"]) == (first["id"], "my_service")
    assert deployment["deployed_at"] == "2023-04-05T19:34:47Z"


def test_the_body_of_that_curl_registers_a_deployment(server: LiveServer) -> None:
    import_payment_api(server)
    script = (SCRIPTS / "create.sh").read_text(encoding="utf-8")
    post(server, "deployments.create", script[script.index("{") : script.rindex("}") + 1])
    assert created(server)["commit_sha"] == "d1a34f0"


# The example of deployments.setPullServices


@needs_tools
def test_the_curl_of_set_pull_services_assigns_services(runner: Runner) -> None:
    answer = json.loads(runner.run("set_pull_services.sh"))
    assert answer["ok"] is True
    assert set(answer["services"]) == {"serviceA", "other-service"}


def test_the_body_of_that_curl_assigns_services(server: LiveServer) -> None:
    script = (SCRIPTS / "set_pull_services.sh").read_text(encoding="utf-8")
    payload = script[script.index("{") : script.rindex("}") + 1]
    answer = post(server, "deployments.setPullServices", payload)
    assert set(answer["services"]) == {"serviceA", "other-service"}


# The workflow that registers a deployment after a pull request was merged


@needs_tools
def test_the_workflow_registers_a_deployment(runner: Runner) -> None:
    shop = Shop(runner.server)
    sha = runner.commit("README.md")
    shop.merge(1, merge_commit_sha=sha)
    # The script tests $RESPONSE where it means $RESPONSE_CODE, and so never fails.
    runner.run(
        "register_deploy.sh",
        after='\nprintf "%s" "$RESPONSE_CODE" > code.txt\n',
        github__repository=shop.repository,
    )
    assert (runner.directory / "code.txt").read_text() == "200"
    answer = json.loads((runner.directory / "response.txt").read_text())
    assert answer["ok"] is True
    assert shop.shipped(answer) == [1]
    stored = shop.info(answer["reference_id"])
    assert (stored["service"], stored["commit_sha"]) == ("My service", sha)


@needs_tools
def test_the_workflow_finds_an_error_in_its_response(runner: Runner) -> None:
    runner.commit("README.md")
    runner.run(
        "register_deploy.sh",
        after='\nprintf "%s" "$RESPONSE_CODE" > code.txt\n'
        "jq -r '.error' response.txt; jq -r '.message' response.txt\n",
        github__repository="acme/typo",
    )
    assert (runner.directory / "code.txt").read_text() == "422"
    answer = json.loads((runner.directory / "response.txt").read_text())
    assert (answer["ok"], answer["error"]) == (False, "repository_not_found")


def test_what_the_workflow_sends_registers_a_deployment(shop: Shop) -> None:
    shop.merge(1)
    payload = as_jq_prints(
        {
            "service": "My service",
            "repository": shop.repository,
            "commit_sha": shop.sha(1),
            "deployed_at": "1717250400",
        }
    )
    answer = post(shop.server, "deployments.create", payload)
    assert shop.shipped(answer) == [1]
    assert shop.info(answer["reference_id"])["deployed_at"] == "2024-06-01T14:00:00Z"


# The workflow that says which services a pull request of a monorepo changed


@needs_tools
def test_the_workflow_of_a_monorepo_assigns_the_services_it_finds(runner: Runner) -> None:
    shop = Shop(runner.server)
    pull_id = str(2 * 10**10 + shop.number)
    base = runner.commit("README.md")
    head = runner.commit("svc_a/main.py", "svc_a/test.py", "svc_b/main.py")
    runner.run("changed_files.sh", github__event__pull_request__base__sha=base, github__sha=head)
    printed = runner.run("affected_services.sh")
    output = re.search(r"^::set-output name=affected_services::(.*)$", printed, re.MULTILINE)
    assert output is not None
    runner.run(
        "post_services.sh",
        github__event__pull_request__id=pull_id,
        steps__services__outputs__affected_services=output[1],
    )
    shop.merge(1, source_id=pull_id)
    pull = runner.server.call("pulls.info", source_id=pull_id)["pull_request"]
    # The script takes the words with which it begins its list of files for files as well.
    assert set(pull["services"]) - {"Changed", "files:"} == {"svc_a", "svc_b"}
    assert shop.shipped(shop.deploy(2, service="svc_b")) == [1]
    assert shop.shipped(shop.deploy(2, service="svc_c")) == []


def test_what_the_workflow_of_a_monorepo_sends_assigns_the_services(shop: Shop) -> None:
    pull_id = str(2 * 10**10 + shop.number)
    shop.merge(1, source_id=pull_id)
    payload = as_jq_prints({"github_pull_id": pull_id, "services": "[svc_a svc_b]"})
    answer = post(shop.server, "deployments.setPullServices", payload)
    assert answer["services"] == ["svc_a", "svc_b"]

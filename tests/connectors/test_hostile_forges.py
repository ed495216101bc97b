"""Whatever a forge answers, a dialogue ends in facts or in an error that says what is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors import (
    azure_devops,
    bitbucket_cloud,
    bitbucket_cloud_runs,
    bitbucket_data_center,
    gitea,
    github,
    github_auth,
    github_pulls,
    github_runs,
    gitlab,
    gitlab_run_pages,
)
from shipmark.connectors.exchange import Dialogue, Response
from shipmark.connectors.forge_errors import ForgeError
from shipmark.connectors.payloads import UnreadablePayload

NAME = "org/app"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
PATIENCE = 20

PAGED: list[Callable[..., Dialogue[Any]]] = [
    github_pulls.pulls_page,
    github_runs.runs_page,
    github_runs.deployments_page,
    github_runs.releases_page,
    github_runs.tags_page,
    gitea.pulls_page,
    gitea.releases_page,
    gitea.tags_page,
    gitlab.pulls_page,
    gitlab_run_pages.pipelines_page,
    gitlab_run_pages.jobs_page,
    gitlab_run_pages.deployments_page,
    gitlab_run_pages.releases_page,
    gitlab_run_pages.tags_page,
    bitbucket_cloud.pulls_page,
    bitbucket_cloud_runs.pipelines_page,
    bitbucket_cloud_runs.deployments_page,
    bitbucket_cloud_runs.tags_page,
    bitbucket_data_center.pulls_page,
    bitbucket_data_center.runs_page,
    azure_devops.pulls_page,
    azure_devops.pushes_page,
    azure_devops.runs_page,
]
OTHERS = (gitlab, bitbucket_cloud, bitbucket_data_center, azure_devops)
FIRST_PAGE: list[Callable[..., Dialogue[Any]]] = [
    # Their cursors are no plain numbers.
    gitlab.pulls_page,
    bitbucket_cloud.pulls_page,
]
DIALOGUES: dict[str, Callable[[], Dialogue[Any]]] = (
    {
        f"{one.__module__}.{one.__name__}": partial(
            one, NAME, since=SINCE, cursor=None if one in FIRST_PAGE else "2"
        )
        for one in PAGED
    }
    | {
        f"{module.__name__}.{name}": partial(getattr(module, name), *arguments)
        for module in OTHERS
        for name, arguments in {
            "repository": (NAME,),
            "commit": (NAME, COMMIT),
            "pull": (NAME, 5),
            "rules_file": (NAME,),
        }.items()
    }
    | {
        f"{module.__name__}.commits_page": partial(
            module.commits_page, NAME, "main", since=SINCE, cursor=None
        )
        for module in OTHERS
    }
    | {
        "github.repository": partial(github.repository, NAME),
        "github.commit": partial(github.commit, NAME, COMMIT),
        "github.commits_page": partial(github.commits_page, NAME, "main", since=SINCE, cursor="x"),
        "github.commit_of_tag": partial(github.commit_of_tag, NAME, "v1"),
        "github.pull": partial(github_pulls.pull, NAME, 5),
        "github.jobs": partial(github_runs.jobs, NAME, 5),
        "github.installation_of": partial(github_auth.installation_of, NAME),
        "github.installation_token": partial(github_auth.installation_token, 5),
        "gitea.repository": partial(gitea.repository, NAME),
        "gitea.commit": partial(gitea.commit, NAME, COMMIT),
        "gitea.commits_page": partial(gitea.commits_page, NAME, "main", since=SINCE, cursor=None),
        "gitea.pull": partial(gitea.pull, NAME, 5),
        "gitea.commit_of_tag": partial(gitea.commit_of_tag, NAME, "v1"),
    }
)

KEYS = st.sampled_from(
    [
        "data",
        "errors",
        "message",
        "type",
        "repository",
        "pullRequests",
        "pullRequest",
        "pageInfo",
        "hasNextPage",
        "nodes",
        "id",
        "sha",
        "number",
        "full_name",
        "commit",
        "author",
        "date",
        "workflow_runs",
        "jobs",
        "refs",
        "target",
        "name",
        "base",
        "head",
        "values",
        "value",
        "next",
        "hash",
        "iid",
        "state",
        "isLastPage",
        "commitId",
        "pullRequestId",
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([COMMIT, "NOT_FOUND"])
)
JSON = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)
BODIES = JSON.map(msgspec.json.encode) | st.binary(max_size=20)
STATUSES = st.sampled_from([200, 200, 200, 200, 304, 401, 404, 409, 422, 500, 502])


@pytest.mark.parametrize("begin", DIALOGUES.values(), ids=DIALOGUES.keys())
@given(data=st.data())
def test_any_answer_at_all_is_read_or_refused(
    begin: Callable[[], Dialogue[Any]], data: st.DataObject
) -> None:
    dialogue = begin()
    try:
        next(dialogue)
        for _ in range(PATIENCE):
            dialogue.send(Response(status=data.draw(STATUSES), body=data.draw(BODIES)))
    except (StopIteration, ForgeError, UnreadablePayload):
        return
    pytest.fail(f"it goes on after {PATIENCE} answers")

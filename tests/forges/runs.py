"""What ran at forges, each thing as a webhook tells it and as the API answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.connectors import azure_devops_payloads as azure
from tests.connectors import bitbucket_payloads as bitbucket
from tests.connectors import gitlab_payloads as gitlab
from tests.connectors.tables import address
from tests.connectors.talks import ok

from shipmark.application.import_scope import parts, whole
from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.forge_errors import ForgeUnavailable
from shipmark.connectors.forge_servers import EventList, server_of
from shipmark.domain.events import EventSource

RAN = (
    EventSource.GITHUB_ACTIONS,
    EventSource.GITHUB_DEPLOYMENTS,
    EventSource.GITLAB_PIPELINES,
    EventSource.GITLAB_DEPLOYMENTS,
    EventSource.BITBUCKET_PIPELINES,
    EventSource.AZURE_PIPELINES,
)
"""The sources of events that are runs, their parts, and deployments."""

Hook = tuple[Mapping[str, str], dict[str, Any]]


@dataclass
class Ran:
    """A forge at which things ran: ``hooks`` are what it sent of them, ``answers`` its API's.

    While it ``is_away`` it answers nothing.
    """

    source: str
    url: str
    name: str
    hooks: list[Hook]
    answers: dict[str, Any]
    is_away: bool = False

    def __call__(self, request: Request) -> Response:
        if self.is_away:
            raise ForgeUnavailable("It is down.")
        found = self.answers.get(address(request), self.answers.get(request.path))
        return ok({"message": "Not Found"}, status=404) if found is None else ok(found)

    @property
    def endpoint(self) -> str:
        return self.source.replace("_", "-")

    def lists(self) -> list[EventList]:
        """The lists that tell what ran."""
        words = {word(source) for source in RAN for word in (whole, parts)}
        asked, _ = server_of(self.source, self.url)
        return [one for one in asked.events.values() if one.tells & words]

    def pages(self, one: EventList, hold: Any) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = hold(self.name, one.page(self.name, since=None, cursor=cursor))
            yield page
            cursor = page.cursor
            if cursor is None:
                return


SHA = "b" * 40
GITHUB = "https://github.com/acme/shop"
_REPOSITORY = {"id": 77, "full_name": "acme/shop", "default_branch": "main"}


def _run(number: int, **values: Any) -> dict[str, Any]:
    defaults = {
        "id": number,
        "name": "Deploy",
        "head_branch": "main",
        "head_sha": SHA,
        "conclusion": "success",
        "html_url": f"{GITHUB}/actions/runs/{number}",
        "created_at": "2026-03-02T10:00:00Z",
        "updated_at": "2026-03-02T10:20:00Z",
        "repository": _REPOSITORY,
        "head_repository": _REPOSITORY,
    }
    return defaults | values


def _job(number: int, **values: Any) -> dict[str, Any]:
    defaults = {
        "id": number,
        "name": "to production",
        "workflow_name": "Deploy",
        "head_branch": "main",
        "head_sha": SHA,
        "conclusion": "success",
        "html_url": f"{GITHUB}/actions/runs/1/job/{number}",
        "completed_at": "2026-03-02T10:19:00Z",
    }
    return defaults | values


def _deployment(number: int, **values: Any) -> dict[str, Any]:
    defaults = {
        "id": number,
        "sha": SHA,
        "ref": "main",
        "environment": "production",
        "created_at": "2026-03-02T10:15:00Z",
        "updated_at": "2026-03-02T10:18:00Z",
    }
    return defaults | values


def _status(run: int | None, at: str = "10:18") -> dict[str, Any]:
    return {
        "state": "success",
        "created_at": f"2026-03-02T{at}:00Z",
        "log_url": f"{GITHUB}/actions/runs/{run}/job/9" if run else "https://deploys.example/1",
    }


def _github() -> Ran:
    """A run of a branch and one of a tag, a job, and deployments by a workflow and by hand. Of that
    by a workflow, the webhook tells the workflow; of one by the other, it does not."""
    runs = [_run(2, head_branch="v2"), _run(1)]
    deployments = [_deployment(30), _deployment(31), _deployment(32, environment="eu")]
    statuses = {30: _status(1), 31: _status(2), 32: _status(None)}
    named = {30: {"name": "Deploy"}, 31: None, 32: None}
    again = _status(1, "11:00")
    told = [
        *(("workflow_run", {"workflow_run": one}) for one in runs),
        ("workflow_job", {"workflow_job": _job(9)}),
        *(
            (
                "deployment_status",
                {
                    "deployment": one,
                    "deployment_status": statuses[one["id"]],
                    "workflow": named[one["id"]],
                },
            )
            for one in deployments
        ),
        # It is often said twice that something succeeded.
        (
            "deployment_status",
            {"deployment": deployments[0], "deployment_status": again},
        ),
    ]
    home = "/repos/acme/shop"
    return Ran(
        source="github",
        url="https://github.com",
        name="acme/shop",
        hooks=[
            ({"x-github-event": event}, {"action": "completed", "repository": _REPOSITORY, **body})
            for event, body in told
        ],
        answers={
            f"{home}/actions/runs": {"workflow_runs": runs},
            **{f"{home}/actions/runs/{one['id']}": one for one in runs},
            f"{home}/actions/runs/1/jobs": {"jobs": [_job(9)]},
            f"{home}/actions/runs/2/jobs": {"jobs": []},
            f"{home}/deployments": deployments,
            **{
                f"{home}/deployments/{number}/statuses": [*([again] * (number == 30)), status]
                for number, status in statuses.items()
            },
        },
    )


def _gitlab() -> Ran:
    """Pipelines of a branch, of a tag and of a merge request; jobs that deploy to production and to
    staging, that stop an environment, and that have none; deployments of a branch and of a tag."""
    of_request = {"source": "merge_request_event", "ref": "feature"}
    pipelines = [
        gitlab.PIPELINE,
        gitlab.PIPELINE | {"id": 32, "ref": "v2", "tag": True},
        gitlab.PIPELINE | of_request | {"id": 33, "ref": "refs/merge-requests/12/head"},
    ]
    attributes = gitlab.PIPELINE_HOOK["object_attributes"]
    # The list of jobs does not tell what their pipeline is called.
    job = gitlab.JOB | {"pipeline": {"id": 31}}
    tagged = {"ref": "v2", "tag": True}
    jobs = [job, job | tagged | {"id": 89}, job | {"id": 90}, job | {"id": 91, "name": "test"}]
    to = {"start": {"name": "production", "action": "start"}}
    environments = [
        to["start"],
        {"name": "staging", "action": "start"},
        {"name": "review", "action": "stop"},
        None,
    ]
    # A moment passes between the end of a job and that of its deployment.
    hook = gitlab.DEPLOYMENT_HOOK | {"status_changed_at": "2026-03-02 12:19:02 +0200"}
    second = {"deployment_id": 16, "environment": "staging", "ref": "v2"}
    deployments = [
        gitlab.DEPLOYMENT | {"deployable": jobs[0]},
        gitlab.DEPLOYMENT
        | {"id": 16, "environment": {"name": "staging"}, "ref": "v2", "deployable": jobs[1]},
    ]
    hooks = [
        *(
            gitlab.PIPELINE_HOOK | {"object_attributes": attributes | changes}
            for changes in ({}, tagged | {"id": 32}, of_request | {"id": 33})
        ),
        *(
            gitlab.JOB_HOOK
            | {name: one[name] for name in ("ref", "tag")}
            | {"build_id": one["id"], "build_name": one["name"], "environment": environment}
            for one, environment in zip(jobs, environments, strict=True)
        ),
        hook,
        hook | second | {"deployable_url": gitlab.PROJECT["web_url"] + "/-/jobs/89"},
    ]
    for one, url in ((jobs[1], 89), (jobs[2], 90), (jobs[3], 91)):
        one["web_url"] = f"{gitlab.PROJECT['web_url']}/-/jobs/{url}"
    for run in (*pipelines, *(one["object_attributes"] for one in hooks[:3])):
        run["url" if "url" in run else "web_url"] = f"{gitlab.PROJECT['web_url']}/{run['id']}"
    home = f"/api/v4/projects/{gitlab.NAME.replace('/', '%2F')}"
    return Ran(
        source="gitlab",
        url="https://gitlab.example",
        name=gitlab.NAME,
        hooks=[({}, one) for one in hooks],
        answers={
            f"{home}/pipelines": pipelines,
            **{f"{home}/pipelines/{one['id']}": one for one in pipelines},
            f"{home}/jobs": jobs,
            f"{home}/deployments": deployments,
            **{f"{home}/deployments/{one['id']}": one for one in deployments},
        },
    )


def _deployed(uuid: str, environment: str) -> dict[str, Any]:
    """A deployment of Bitbucket, of which no webhook tells."""
    ended = {"status": {"name": "SUCCESSFUL"}, "completion_date": "2026-03-02T10:05:00Z"}
    return {
        "uuid": uuid,
        "environment": {"uuid": environment},
        "release": {"commit": {"hash": SHA}},
        "state": {"name": "COMPLETED", **ended},
    }


def _bitbucket() -> Ran:
    """Pipelines of a branch, of a tag and of a pull request, a custom one, and one that failed."""

    def target(**values: Any) -> dict[str, Any]:
        defaults = {"ref_type": "branch", "ref_name": "main", "commit": {"hash": SHA}}
        return defaults | {"selector": {"type": "default"}} | values

    targets = {
        4: target(),
        5: target(ref_type="tag", ref_name="v2"),
        6: target(selector={"type": "custom", "pattern": "nightly"}),
        7: target(ref_type=None, ref_name=None, selector={"type": "pull-requests"}),
        8: target(),
    }
    refs = {4: "main", 5: "v2", 6: "main", 7: "feature", 8: "main"}
    ends = {number: "FAILED" if number == 8 else "SUCCESSFUL" for number in targets}
    pipelines = [
        {
            "build_number": number,
            "created_on": "2026-03-02T10:01:00Z",
            "completed_on": "2026-03-02T10:05:00Z",
            "state": {"name": "COMPLETED", "result": {"name": ends[number]}},
            "target": one,
        }
        for number, one in targets.items()
    ]
    status = bitbucket.STATUS_HOOK["commit_status"]
    url = "https://bitbucket.org/acme/shop/addon/pipelines/home#!/results/"
    hooks = [
        bitbucket.STATUS_HOOK
        | {
            "commit_status": status
            | {"state": ends[number], "refname": refs[number], "url": f"{url}{number}"}
            # The status changes a moment after the end.
            | {"updated_on": "2026-03-02T10:05:02Z", "commit": {"hash": SHA}}
        }
        for number in targets
    ]
    home = "/2.0/repositories/acme/shop"
    return Ran(
        source="bitbucket",
        url="https://bitbucket.org",
        name="acme/shop",
        hooks=[({"x-event-key": "repo:commit_status_updated"}, one) for one in hooks],
        answers={
            f"{home}/pipelines": {"values": pipelines},
            **{f"{home}/pipelines/{one['build_number']}": one for one in pipelines},
            f"{home}/environments": {"values": [{"uuid": "{e}", "name": "Production"}]},
            f"{home}/deployments": {"values": []},
        },
    )


def deployed_by_bitbucket() -> Ran:
    """A deployment to an environment, and one to another that was deleted since."""
    deployments = [_deployed("{d}", "{e}"), _deployed("{f}", "{gone}")]
    ran = _bitbucket()
    ran.answers["/2.0/repositories/acme/shop/deployments"] = {"values": deployments}
    return ran


def _azure() -> Ran:
    """A run of a branch with a stage and a job, one of a tag, and a release that was deployed."""
    builds = [azure.build(), azure.build(id=100, sourceBranch="refs/tags/v2")]
    stage = azure.record("Stage", "Deploy")
    records = [stage, azure.record("Job", "to production", stage["id"])]
    environment = {"id": 8, "definitionEnvironmentId": 3, "release": {"id": 5}}
    hooks = [
        *(azure.hook("build.complete", {"id": one["id"]}) for one in builds),
        azure.hook(
            "ms.vss-release.deployment-completed-event",
            {"environment": environment, "project": {"name": azure.PROJECT}},
        ),
    ]
    found: dict[str, Any] = {}
    for project in ("Web%20Team", azure.PROJECT_ID):
        for one in builds:
            found[f"/{project}/_apis/build/builds/{one['id']}"] = one
            found[f"/{project}/_apis/build/builds/{one['id']}/timeline"] = {"records": []}
        found[f"/{project}/_apis/build/builds/99/timeline"] = {"records": records}
        found[f"/{project}/_apis/build/builds"] = {"value": builds}
        releases = f"https://vsrm.dev.azure.com/acme/{project}/_apis/release/deployments"
        found[releases] = {"value": [azure.deployment()]}
    found["/Web%20Team/_apis/git/repositories/shop%20api"] = azure.listed_repository()
    return Ran(
        source="azure_devops",
        url=azure.BASE,
        name=azure.NAME,
        hooks=[({}, one | {"notificationId": n}) for n, one in enumerate(hooks)],
        answers=found,
    )


FORGES = {
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket cloud": _bitbucket,
    "azure devops": _azure,
}
"""Those that tell what ran by both ways; Gitea and Bitbucket Data Center tell of no runs."""

AT = datetime.fromisoformat("2026-03-02T14:00:00+00:00")
"""When all of it has happened."""

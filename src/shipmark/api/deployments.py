"""The methods deployments.*: what they take, what they answer, and one call each."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from shipmark.api import answers, coercions, forms
from shipmark.api.answers import Answer, AttributionAnswer, DeploymentAnswer, ListAnswer
from shipmark.api.calls import Call
from shipmark.api.coercions import ServiceName
from shipmark.api.decoding import Arguments, Form
from shipmark.api.paging import LIMIT, cursor_of, cut, page
from shipmark.application import report
from shipmark.application.change import Patch
from shipmark.application.drafts import Registration
from shipmark.application.explanation import DeploymentExplanation
from shipmark.application.queries import Cursor, DeploymentFilter
from shipmark.application.register import Registered
from shipmark.domain.errors import AmbiguousCommitSHAArguments, RequiredParamsMissing
from shipmark.domain.model import DEFAULT_ENVIRONMENT, Status

DEPLOYED_AT = Form(coercions.past_instant, forms.INSTANT.schema, forms.INSTANT.about)
REFERENCE_ID = forms.IDENTIFIER.described(
    "Your own unique id of the deployment. Sending it again with the same values is safe; with "
    "other values it is refused. A UUID if absent."
)
SOURCE_URL = forms.URL.described("Where more can be read about the deployment.")
SOURCE_NAME = forms.TEXT.described("The deploy system, to tell several apart.", examples=["argoCD"])
INTEGRATION_BRANCH = forms.BRANCH.described(
    "The branch that changes are merged to before the release branch; needs commit_sha and "
    "repository.",
    examples=["develop"],
)
ENVIRONMENT = forms.TEXT.described("Where it was deployed to.")
SUCCESS = forms.BOOLEAN.described("Whether the deployment succeeded; a failed one ships nothing.")
DRY_RUN = forms.BOOLEAN.described("Answer what would be shipped, and store nothing.")
STATUS = Form(
    coercions.one_of(Status), {"enum": [status.value for status in Status]}, "Attribution status."
)

RULE = forms.TEXT.described("The name of the deploy rule that inferred them.")


class CreateArguments(Arguments, kw_only=True, frozen=True):
    """A deployment to register."""

    one_of: ClassVar = (("repository",), ("commit_sha",), ("merge_commit_shas",))
    needs: ClassVar = {"integration_branch": ("commit_sha", "repository")}

    deployed_at: Annotated[datetime, DEPLOYED_AT]
    service: Annotated[ServiceName, forms.SERVICE]
    repository: Annotated[str | None, forms.REPOSITORY] = None
    commit_sha: Annotated[str | None, forms.COMMIT_SHA] = None
    merge_commit_shas: Annotated[tuple[str, ...], forms.MERGE_COMMIT_SHAS] = ()
    reference_id: Annotated[str | None, REFERENCE_ID] = None
    source_url: Annotated[str | None, SOURCE_URL] = None
    source_name: Annotated[str | None, SOURCE_NAME] = None
    metadata: Annotated[str | None, forms.METADATA] = None
    integration_branch: Annotated[str | None, INTEGRATION_BRANCH] = None
    environment: Annotated[str, ENVIRONMENT] = DEFAULT_ENVIRONMENT
    success: Annotated[bool, SUCCESS] = True
    dry_run: Annotated[bool, DRY_RUN] = False

    def check(self) -> None:
        if self.commit_sha and self.merge_commit_shas:
            raise AmbiguousCommitSHAArguments(argument="merge_commit_shas")

    def registration(self, account_id: int) -> Registration:
        """The same for the use case."""
        values = msgspec.structs.asdict(self)
        del values["dry_run"]
        values["service"], values["service_name"] = self.service
        return Registration(**values, account_id=account_id)


class RegisteredAnswer(Answer, kw_only=True, frozen=True):
    """The deployment, and how its attribution went."""

    id: int | None
    reference_id: str
    url: str | None
    attribution: AttributionAnswer


class CreateAnswer(RegisteredAnswer, kw_only=True, frozen=True):
    """The deployment, and how its attribution went.

    After a dry run ``id`` and ``url`` are null, and ``would_ship`` has the first thousand pull
    requests it would ship.
    """

    dry_run: bool | msgspec.UnsetType = msgspec.UNSET
    would_ship: list[answers.ShippedPullAnswer] | msgspec.UnsetType = msgspec.UNSET


async def create(call: Call, arguments: CreateArguments) -> CreateAnswer:
    """Register a deployment and attribute it to pull requests at once."""
    registration = arguments.registration(call.caller.account.id)
    if arguments.dry_run:
        previewed = await call.api.write(call.api.works.preview, registration)
        deployment = previewed.registered.deployment
        return CreateAnswer(
            id=None,
            reference_id=deployment.reference_id,
            url=None,
            attribution=answers.attribution(previewed.registered),
            dry_run=True,
            would_ship=[answers.shipped_pull(row, deployment) for row in previewed.pulls],
        )
    registered = await call.api.write(call.api.works.register, registration)
    return CreateAnswer(**_told(call, registered))


def _registered(call: Call, registered: Registered) -> RegisteredAnswer:
    return RegisteredAnswer(**_told(call, registered))


def _told(call: Call, registered: Registered) -> dict[str, Any]:
    """What is answered of a deployment that is registered or changed."""
    return {
        "id": registered.deployment.id,
        "reference_id": registered.deployment.reference_id,
        "url": call.page_of(registered.deployment.id),
        "attribution": answers.attribution(registered),
    }


class PatchArguments(Arguments, kw_only=True, frozen=True):
    """What to change of a deployment; what is absent stays as it is, what is null is taken away.

    Only what a deployment can be without is taken away, and its repository only if it lists merge
    commits; another null counts as absent.
    """

    clearable: ClassVar = frozenset(
        {
            "repository",
            "commit_sha",
            "source_url",
            "source_name",
            "metadata",
            "integration_branch",
        }
    )

    reference_id: Annotated[str, REFERENCE_ID]
    deployed_at: Annotated[datetime | UnsetType, DEPLOYED_AT] = UNSET
    service: Annotated[ServiceName | UnsetType, forms.SERVICE] = UNSET
    repository: Annotated[str | UnsetType | None, forms.REPOSITORY] = UNSET
    commit_sha: Annotated[str | UnsetType | None, forms.COMMIT_SHA] = UNSET
    merge_commit_shas: Annotated[tuple[str, ...] | UnsetType, forms.MERGE_COMMIT_SHAS] = UNSET
    source_url: Annotated[str | UnsetType | None, SOURCE_URL] = UNSET
    source_name: Annotated[str | UnsetType | None, SOURCE_NAME] = UNSET
    metadata: Annotated[str | UnsetType | None, forms.METADATA] = UNSET
    integration_branch: Annotated[str | UnsetType | None, INTEGRATION_BRANCH] = UNSET
    environment: Annotated[str | UnsetType, ENVIRONMENT] = UNSET
    success: Annotated[bool | UnsetType, SUCCESS] = UNSET

    def check(self) -> None:
        if self.commit_sha and self.merge_commit_shas:
            raise AmbiguousCommitSHAArguments(argument="merge_commit_shas")
        if self.integration_branch and self.merge_commit_shas:
            raise RequiredParamsMissing(
                "integration_branch needs commit_sha, not merge_commit_shas.",
                argument="commit_sha",
            )

    def patch(self, account_id: int) -> Patch:
        """The same for the use case."""
        values: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if value is not UNSET and name != "reference_id"
        }
        if self.service:
            values["service"], values["service_name"] = self.service
        return Patch(reference_id=self.reference_id, values=values, account_id=account_id)


async def update(call: Call, arguments: PatchArguments) -> RegisteredAnswer:
    """Change a deployment; commit_sha clears merge_commit_shas and the other way round."""
    patch = arguments.patch(call.caller.account.id)
    return _registered(call, await call.api.write(call.api.works.update, patch))


async def upsert(call: Call, arguments: PatchArguments) -> RegisteredAnswer:
    """Change the deployment with this reference_id, or register it if there is none."""
    patch = arguments.patch(call.caller.account.id)
    return _registered(call, await call.api.write(call.api.works.upsert, patch))


class ReferenceArguments(Arguments, kw_only=True, frozen=True):
    """Which deployment."""

    reference_id: Annotated[str, REFERENCE_ID.described("The reference_id it has.")]


class DeleteAnswer(Answer, kw_only=True, frozen=True):
    """Whether there was such a deployment; there is none now."""

    deleted: bool


async def delete(call: Call, arguments: ReferenceArguments) -> DeleteAnswer:
    """Remove a deployment as if it had never been. Deleting what is gone is fine."""
    deleted = await call.api.write(call.api.works.delete, arguments.reference_id)
    return DeleteAnswer(deleted=deleted)


class WhichArguments(Arguments, kw_only=True, frozen=True):
    """Which deployment, by either of its ids."""

    one_of: ClassVar = (("reference_id",), ("id",))

    reference_id: Annotated[str | None, REFERENCE_ID.described("The reference_id it has.")] = None
    id: Annotated[int | None, forms.WHOLE_NUMBER.described("The id it was given here.")] = None


async def retry(call: Call, arguments: WhichArguments) -> RegisteredAnswer:
    """Attribute a deployment again now and, if it still waits, start its time of retries anew."""
    row = await call.api.read(
        lambda tx: report.deployment(tx, arguments.id, arguments.reference_id)
    )
    return _registered(call, await call.api.write(call.api.works.retry, row.deployment.id))


class InfoArguments(WhichArguments, kw_only=True, frozen=True):
    """Which deployment, and which page of its pull requests and of its commits."""

    cursor: Annotated[Cursor | None, cursor_of("shipped", datetime, int)] = None
    commits_cursor: Annotated[
        Cursor | None,
        cursor_of("reached", datetime, int, str).described(
            "The next_commits_cursor of the page before."
        ),
    ] = None
    limit: Annotated[int, LIMIT] = 1000


class InfoAnswer(Answer, kw_only=True, frozen=True):
    """A deployment, the pull requests it ships, and the commits it reached, each in the order in
    which they came to their branch."""

    deployment: DeploymentAnswer
    pull_requests: list[answers.ShippedPullAnswer]
    next_cursor: str | None
    commits: list[answers.ReachedCommitAnswer]
    next_commits_cursor: str | None


async def info(call: Call, arguments: InfoArguments) -> InfoAnswer:
    """Everything about a deployment, with its pull requests and commits."""
    found = await call.api.read(
        lambda tx: report.deployment_with_contents(
            tx,
            arguments.id,
            arguments.reference_id,
            pulls=page(arguments.limit, arguments.cursor),
            commits=page(arguments.limit, arguments.commits_cursor),
        )
    )
    one = found.row.deployment
    pulls, next_cursor = cut(
        "shipped", found.pulls, arguments.limit, lambda row: row.pull.position or ()
    )
    commits, next_commits_cursor = cut(
        "reached", found.commits, arguments.limit, lambda commit: (*commit.position, commit.sha)
    )
    return InfoAnswer(
        deployment=answers.deployment(found.row, found.shipped, call.page_of(one.id)),
        pull_requests=[answers.shipped_pull(row, one) for row in pulls],
        next_cursor=next_cursor,
        commits=[answers.reached_commit(commit, found.row) for commit in commits],
        next_commits_cursor=next_commits_cursor,
    )


class ListArguments(Arguments, kw_only=True, frozen=True):
    """Which deployments."""

    service: Annotated[str | None, forms.TEXT.described("The service's identifier.")] = None
    repository: Annotated[str | None, forms.REPOSITORY] = None
    environment: Annotated[str | None, ENVIRONMENT] = None
    source_name: Annotated[str | None, SOURCE_NAME] = None
    success: Annotated[bool | None, SUCCESS] = None
    status: Annotated[Status | None, STATUS] = None
    rule: Annotated[str | None, RULE] = None
    since: Annotated[datetime | None, forms.INSTANT] = None
    until: Annotated[datetime | None, forms.INSTANT] = None
    cursor: Annotated[Cursor | None, cursor_of("deployments", datetime, str)] = None
    limit: Annotated[int, LIMIT] = 100


class DeploymentsAnswer(ListAnswer, kw_only=True, frozen=True):
    """A page of deployments, newest first."""

    deployments: list[DeploymentAnswer]


async def list_deployments(call: Call, arguments: ListArguments) -> DeploymentsAnswer:
    """Deployments, newest first, by any of the filters together."""
    asked = page(arguments.limit, arguments.cursor)
    found = await call.api.read(
        lambda tx: report.deployments(
            tx,
            DeploymentFilter(
                environments=() if arguments.environment is None else (arguments.environment,),
                source_name=arguments.source_name,
                success=arguments.success,
                status=arguments.status,
                since=arguments.since,
                until=arguments.until,
            ),
            asked,
            service=arguments.service,
            repository=arguments.repository,
            rule=arguments.rule,
        )
    )
    shown, next_cursor = cut(
        "deployments", found, arguments.limit, lambda one: one.row.deployment.order
    )
    return DeploymentsAnswer(
        deployments=[
            answers.deployment(one.row, one.shipped, call.page_of(one.row.deployment.id))
            for one in shown
        ],
        next_cursor=next_cursor,
    )


class ExplainAnswer(Answer, kw_only=True, frozen=True):
    """Why the deployment ships what it ships, in fields and in words."""

    deployment: DeploymentAnswer
    explanation: DeploymentExplanation


async def explain(call: Call, arguments: WhichArguments) -> ExplainAnswer:
    """Explain the attribution of a deployment."""
    found, explanation = await call.api.read(
        lambda tx: report.explained_deployment(tx, arguments.id, arguments.reference_id)
    )
    return ExplainAnswer(
        deployment=answers.deployment(
            found.row, found.shipped, call.page_of(found.row.deployment.id)
        ),
        explanation=explanation,
    )

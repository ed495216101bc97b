"""The method artifacts.set: which commit an artifact was built from."""

from typing import Annotated

from shipmark.api import coercions, forms
from shipmark.api.answers import Answer
from shipmark.api.calls import Call
from shipmark.api.decoding import Arguments, Form
from shipmark.application.artifacts import BuiltFrom

ARTIFACT = Form(
    coercions.long_text,
    {"type": "string", "examples": ["ghcr.io/acme/shop:1.2.0", "pkg:npm/%40acme/shop@1.2.0"]},
    "An image by its tag or digest, a digest, or a package URL with a version.",
)
COMMIT_SHA = forms.COMMIT_SHA.described(
    "7 to 40 characters of the SHA of the commit that it was built from."
)


class SetArguments(Arguments, kw_only=True, frozen=True):
    """An artifact, and what it was built from."""

    artifact: Annotated[str, ARTIFACT]
    repository: Annotated[str, forms.REPOSITORY]
    commit_sha: Annotated[str, COMMIT_SHA]


class SetAnswer(Answer, kw_only=True, frozen=True):
    """The ids that lead to the commit now, and the deployments that had waited for them."""

    artifact_ids: tuple[str, ...]
    repository: str
    commit_sha: str
    deployments: tuple[str, ...]


async def set_artifact(call: Call, arguments: SetArguments) -> SetAnswer:
    """Tell which commit an artifact was built from, before or after it is deployed."""
    built = BuiltFrom(
        artifact=arguments.artifact,
        repository=arguments.repository,
        commit_sha=arguments.commit_sha,
    )
    done = await call.api.write(call.api.works.set_artifact, built)
    return SetAnswer(
        artifact_ids=done.ids,
        repository=done.repository,
        commit_sha=arguments.commit_sha,
        deployments=done.deployments,
    )

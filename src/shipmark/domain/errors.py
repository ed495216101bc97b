"""Every refusal Shipmark can give, in one tree.

    ShipmarkError
    ├── Unauthenticated
    │   ├── NotAuthed                        no token was sent
    │   ├── InvalidAuth                      the token is unknown, expired or revoked
    │   ├── AccountInactive
    │   ├── MissingScope
    │   └── InvalidSignature                 a webhook that its forge did not send
    ├── Malformed
    │   ├── InvalidJSON
    │   ├── InvalidFile                      a file to import, or a line of one, that cannot be read
    │   ├── PayloadTooLarge
    │   ├── UnknownMethod
    │   └── MethodNotAllowed
    ├── InvalidArgument                      a value that is wrong whatever is stored
    │   ├── RequiredParamsMissing
    │   ├── CommitSHAInvalid
    │   ├── MergeCommitSHAsBlank
    │   ├── MergeCommitSHAsInvalid
    │   ├── MetadataInvalid
    │   ├── AmbiguousCommitSHAArguments
    │   └── IntegrationBranchNotValid
    ├── NotFound
    │   ├── RepositoryNotFound
    │   ├── RepoNotFound                     the same, as deployments.setPullServices spells it
    │   ├── MergeCommitSHAsNotFound
    │   ├── DeploymentNotFound
    │   ├── PullNotFound
    │   ├── IncidentNotFound
    │   └── ImportNotFound
    ├── ReferenceIdExists
    ├── ChangedMeanwhile                     what is changed is not what was looked at
    ├── ImportNotReady                       it is not at the point where this can be done
    ├── Unavailable                          nothing was stored; safe to send again
    └── TransactionConflict                  lost a race; the writer tries again

A class's ``code`` is the word clients test for. A class's docstring is its default message.
HTTP statuses are no business of the domain: they are given out in ``api/errors.py``.
"""

from typing import ClassVar


class ShipmarkError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str | None = None, *, argument: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.argument = argument
        super().__init__(self.message)


class Unauthenticated(ShipmarkError):
    """The request is not allowed."""


class NotAuthed(Unauthenticated):
    """No API token was sent. Send the header 'Authorization: Bearer <token>'."""

    code = "not_authed"


class InvalidAuth(Unauthenticated):
    """The API token is unknown, expired or revoked."""

    code = "invalid_auth"


class AccountInactive(Unauthenticated):
    """The account of this API token is deactivated."""

    code = "account_inactive"


class MissingScope(Unauthenticated):
    """The API token does not have the scope this method needs."""

    code = "missing_scope"


class InvalidSignature(Unauthenticated):
    """The webhook is not signed with the secret that is set here for its forge."""

    code = "invalid_signature"


class Malformed(ShipmarkError):
    """The request could not be understood."""


class InvalidJSON(Malformed):
    """The body of the request is not valid JSON."""

    code = "invalid_json"


class InvalidFile(Malformed):
    """The file, or the line of it, cannot be read."""

    code = "invalid_file"


class PayloadTooLarge(Malformed):
    """The body of the request is too large."""

    code = "payload_too_large"


class UnknownMethod(Malformed):
    """There is no such method."""

    code = "unknown_method"


class MethodNotAllowed(Malformed):
    """This method does not answer that HTTP verb."""

    code = "method_not_allowed"


class InvalidArgument(ShipmarkError):
    """An argument has a value of the wrong kind."""

    code = "invalid_arguments"


class RequiredParamsMissing(InvalidArgument):
    """One or more required arguments are missing."""

    code = "required_params_missing"


class CommitSHAInvalid(InvalidArgument):
    """commit_sha must be 7 to 40 hexadecimal characters."""

    code = "commit_sha_invalid"


class MergeCommitSHAsBlank(InvalidArgument):
    """merge_commit_shas is blank or an empty array; give at least one SHA or leave it out."""

    code = "merge_commit_shas_blank"


class MergeCommitSHAsInvalid(InvalidArgument):
    """Each of merge_commit_shas must be 7 to 40 hexadecimal characters."""

    code = "merge_commit_shas_invalid"


class MetadataInvalid(InvalidArgument):
    """metadata must be an object whose keys are letters, digits, dashes and underscores."""

    code = "metadata_invalid"


class AmbiguousCommitSHAArguments(InvalidArgument):
    """Give either commit_sha or merge_commit_shas, not both."""

    code = "ambiguous_commit_sha_arguments"


class IntegrationBranchNotValid(InvalidArgument):
    """integration_branch must be the base of pull requests and not the default branch."""

    code = "integration_branch_not_valid"


class NotFound(ShipmarkError):
    """What was named is not known here."""


class RepositoryNotFound(NotFound):
    """The repository is not known here."""

    code = "repository_not_found"


class RepoNotFound(NotFound):
    """The repository is not known here."""

    code = "repo_not_found"


class MergeCommitSHAsNotFound(NotFound):
    """One or more of merge_commit_shas belong to no imported pull request or commit."""

    code = "merge_commit_shas_not_found"


class DeploymentNotFound(NotFound):
    """There is no such deployment."""

    code = "deployment_not_found"


class PullNotFound(NotFound):
    """There is no such pull request."""

    code = "pull_not_found"


class IncidentNotFound(NotFound):
    """There is no such incident."""

    code = "incident_not_found"


class ImportNotFound(NotFound):
    """There is no such import."""

    code = "import_not_found"


class ImportNotReady(ShipmarkError):
    """The import is not at the point where this can be done."""

    code = "import_not_ready"


class ReferenceIdExists(ShipmarkError):
    """The reference_id already exists with other values."""

    code = "reference_id_exists"


class ChangedMeanwhile(ShipmarkError):
    """Someone changed it since it was looked at. Nothing was stored."""

    code = "changed_meanwhile"


class Unavailable(ShipmarkError):
    """The server cannot take this now. Nothing was stored; it is safe to send it again."""

    code = "unavailable"


class TransactionConflict(ShipmarkError):
    """Another transaction got there first; this one was undone and may be tried again."""

    code = "unavailable"

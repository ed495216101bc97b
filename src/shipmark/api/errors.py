"""From the domain's refusals to HTTP: the only table of statuses."""

from typing import Any

import msgspec
from starlette.responses import Response

from shipmark.domain import errors

STATUSES: dict[type[errors.ShipmarkError], int] = {
    errors.InvalidJSON: 400,
    errors.InvalidFile: 400,
    errors.NotAuthed: 401,
    errors.InvalidAuth: 401,
    errors.InvalidSignature: 401,
    errors.AccountInactive: 403,
    errors.MissingScope: 403,
    errors.UnknownMethod: 404,
    errors.DeploymentNotFound: 404,
    errors.PullNotFound: 404,
    errors.IncidentNotFound: 404,
    errors.ImportNotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.ReferenceIdExists: 409,
    errors.ChangedMeanwhile: 409,
    errors.ImportNotReady: 409,
    errors.PayloadTooLarge: 413,
    errors.InvalidArgument: 422,
    errors.NotFound: 422,
    errors.Unavailable: 503,
    errors.TransactionConflict: 503,
}

RETRY_AFTER_SECONDS = 1


def status_of(error: errors.ShipmarkError) -> int:
    """The HTTP status of a refusal: that of its class, or of the nearest class above."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def error_body(error: errors.ShipmarkError, request_id: str) -> dict[str, Any]:
    """The shape of every error."""
    body: dict[str, Any] = {
        "ok": False,
        "error": error.code,
        "message": error.message,
        "request_id": request_id,
    }
    return body | ({"argument": error.argument} if error.argument else {})


def error_response(
    error: errors.ShipmarkError, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """The answer to a request that was refused."""
    status = status_of(error)
    all_headers = dict(headers or {})
    if status == 503:
        all_headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == 401:
        all_headers["WWW-Authenticate"] = 'Bearer realm="shipmark"'
    return json_response(error_body(error, request_id), status=status, headers=all_headers)


def json_response(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A JSON answer; structs and instants are encoded as the wire types say."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )

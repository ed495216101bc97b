"""What every request goes through: an id, a log line, and an answer whatever happens."""

import logging
import re
import time
import uuid
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipmark.api.errors import error_response
from shipmark.domain.errors import ShipmarkError

log = logging.getLogger(__name__)
requests: Any = structlog.get_logger()

ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class RequestId:
    """Gives each request an id (its own X-Request-Id if that is sound), and logs it when done."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _sent_id(scope) or uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        # Each request runs in a task of its own, whose context ends with it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("A request failed in a way nobody foresaw")
            if not status:
                answer = error_response(
                    ShipmarkError(
                        "Something went wrong here. It is in the server's log under the "
                        f"request id {request_id}."
                    ),
                    request_id,
                )
                await answer(scope, receive, send_with_id)
        requests.info(
            "request",
            logger="shipmark.requests",
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=round(time.perf_counter() - began, 6),
        )


def _sent_id(scope: Scope) -> str | None:
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    text = sent.decode("latin-1")
    return text if ACCEPTABLE_ID.fullmatch(text) else None

"""A client of the API that needs nothing but the standard library."""

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Any

from shipmark.demo.failure import DemoFailed

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 10
KNOCK_SECONDS = 1
"""How long an answer to whether a server is ready is waited for; then it is asked again."""


class Client:
    """Calls the methods of a server on this machine."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """What a method answers. Raises DemoFailed when it refuses or does not answer."""
        try:
            status, text = self._request("POST", f"/api/{method}", json.dumps(arguments))
            answer: dict[str, Any] = json.loads(text)
        except (OSError, HTTPException, ValueError) as error:
            raise DemoFailed(f"{method} got no answer: {error}") from error
        if status != 200 or answer.get("ok") is not True:
            raise DemoFailed(
                f"{method} was refused: {answer.get('error')}: {answer.get('message')}"
            )
        return answer

    def is_let_in(self) -> bool:
        """Whether a server is ready here, and is the one that knows the token."""
        try:
            return all(
                self._request("GET", path, timeout=KNOCK_SECONDS)[0] == 200
                for path in ("/readyz", "/api/services.list")
            )
        except (OSError, HTTPException):
            return False

    def _request(
        self, verb: str, path: str, body: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> tuple[int, bytes]:
        with closing(HTTPConnection(HOST, self.port, timeout=timeout)) as connection:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(verb, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()

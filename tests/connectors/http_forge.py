"""A forge that speaks real HTTP: what a fake answers, and everything that can go wrong with it."""

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from shipmark.connectors.exchange import Request, Response

Answering = Callable[[Request], Response]
Fault = Callable[[BaseHTTPRequestHandler, Response], None]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class HTTPForge:
    """Serves what ``answering`` answers, below ``prefix``, with an ETag of each answer.

    ``faults`` are what happens to the next requests in place of that, one after the other; None
    stands for a right answer. ``asked`` is every request as it came, with its query.
    """

    def __init__(self, answering: Answering, prefix: str = "") -> None:
        self.answering = answering
        self.prefix = prefix
        self.faults: deque[Fault | None] = deque()
        self.asked: list[Request] = []
        self.not_modified = 0
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            # Head and body go out apart; else the body waits until the head is acknowledged.
            disable_nagle_algorithm = True
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                forge.serve(self)

            do_POST = do_GET  # noqa: N815 - so the server calls it

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        split = urlsplit(handler.path)
        length = int(handler.headers.get("content-length", 0))
        sent = handler.rfile.read(length)
        request = Request(
            path=split.path.removeprefix(self.prefix),
            method=handler.command,
            query=dict(parse_qsl(split.query)),
            headers={name.lower(): value for name, value in handler.headers.items()},
            body=json.loads(sent) if sent else None,
        )
        self.asked.append(request)
        fault = self.faults.popleft() if self.faults else None
        response = self.answering(request)
        if fault is not None:
            fault(handler, response)
            return
        etag = f'"{hashlib.sha256(response.body).hexdigest()}"'
        if response.status == 200 and request.headers.get("if-none-match") == etag:
            self.not_modified += 1
            response = Response(status=304, headers=response.headers)
        send(handler, response, etag=etag)


def send(handler: BaseHTTPRequestHandler, response: Response, **headers: str) -> None:
    if "date" in response.headers:
        handler.send_response_only(response.status)
    else:
        handler.send_response(response.status)
    for name, value in {**response.headers, **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(response.body)))
    handler.end_headers()
    handler.wfile.write(response.body)


# What goes wrong


def answers(status: int, body: bytes = b"{}", **headers: str) -> Fault:
    """Another answer than the right one."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: send(handler, Response(status=status, headers=told, body=body))


def hangs_up(handler: BaseHTTPRequestHandler, _: Response) -> None:
    """No answer at all."""
    handler.close_connection = True


def breaks_off(handler: BaseHTTPRequestHandler, response: Response) -> None:
    """Half of the answer that was announced."""
    handler.send_response(response.status)
    handler.send_header("content-length", str(len(response.body)))
    handler.end_headers()
    handler.wfile.write(response.body[: len(response.body) // 2])
    handler.wfile.flush()
    handler.close_connection = True


def is_slow(seconds: float) -> Fault:
    """The right answer, too late."""

    def late(handler: BaseHTTPRequestHandler, response: Response) -> None:
        time.sleep(seconds)
        handler.close_connection = True
        try:
            send(handler, response)
        except (BrokenPipeError, ConnectionResetError):
            return

    return late

"""Hold dialogues with a forge over HTTP: nothing else here asks the network for anything.

What a dialogue is sent has come through limits, redirects, failures that pass, and answers kept
from before. A token goes to the server it was made for, and to no other.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shipmark.connectors.exchange import Dialogue, Request, Response, Result
from shipmark.connectors.forge_errors import ForgeUnavailable, RateLimited
from shipmark.connectors.limits import Limits, retry_after
from shipmark.connectors.validators import Kept, answered, keep, unless_same

log = logging.getLogger(__name__)

CONNECT, READ = 10.0, 30.0
"""Seconds to wait for a connection, and for the next part of an answer."""

LONGEST_ANSWER = 120.0
"""Seconds that an answer may take as a whole: one that drips is given up, too."""

LARGEST_ANSWER = 64 * 1024 * 1024
ATTEMPTS = 3
"""How often the same is asked of a forge that fails, unless it is said otherwise."""

FIRST_PAUSE = 1.0
"""Seconds between the first two attempts; it doubles."""

MOST_REFUSALS = 8
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FAILURES = frozenset({408, 500, 502, 503, 504})
MOST_KEPT = 256
LARGEST_KEPT = 256 * 1024
"""Bytes of an answer that is kept; with ``MOST_KEPT``, at most 64 MB."""

CLOCK_DRIFT = timedelta(seconds=1)
"""How much too short a pause may turn out to be."""

PATIENCE = timedelta(seconds=5)
"""How long a limit is waited for, unless it is said otherwise; a longer one is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a forge is, and what its answers tell of limits.

    ``address`` makes a URL of a path and raises ValueError for what is none of the server's.
    """

    source: str
    address: Callable[[str], str]
    limits: Callable[..., Limits]
    follows_redirects: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: limits are counted by ``name``; the headers hold the token."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class Transport:
    """Asks one server. Several threads may share it.

    ``patience`` is the longest wait for a limit: beyond that RateLimited is raised, with the
    instant from which the forge may be asked again, and until then without asking it.
    """

    def __init__(
        self,
        server: Server,
        *,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
        timeouts: tuple[float, float] = (CONNECT, READ),
        attempts: int = ATTEMPTS,
    ) -> None:
        self.server = server
        self.patience = patience
        self._clock = clock
        self._sleep = sleep
        self._attempts = attempts
        connect, read = timeouts
        self._http = httpx.Client(
            timeout=httpx.Timeout(read, connect=connect), headers={"user-agent": "shipmark"}
        )
        self._limits: dict[str, Limits] = {}
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def close(self) -> None:
        self._http.close()

    def now(self) -> datetime:
        """What time it is, as tokens are judged by it."""
        return self._clock()

    def hold(self, dialogue: Dialogue[Result], caller: Caller) -> Result:
        """What a dialogue comes to. Raises ForgeError and whatever the dialogue raises."""
        try:
            request = next(dialogue)
            while True:
                request = dialogue.send(self.ask(request, caller))
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            dialogue.close()

    def budget(self, caller: Caller) -> Limits:
        """What the last answer told of the caller's limits."""
        return self._limits.get(caller.name, Limits())

    def ask(self, request: Request, caller: Caller) -> Response:
        """The answer to a request. Raises RateLimited and ForgeUnavailable."""
        url = self._url(request)
        key = (caller.name, str(url))
        kept = self._kept.get(key) if request.method == "GET" else None
        response = answered(self._patiently(unless_same(request, kept), url, caller), kept)
        self._keep(key, keep(request, response))
        return response

    def _url(self, request: Request) -> httpx.URL:
        """Paths are percent-encoded already, and stay as they are."""
        url = httpx.URL(self.server.address(request.path))
        return url.copy_merge_params(request.query) if request.query else url

    def _keep(self, key: tuple[str, str], kept: Kept | None) -> None:
        self._kept.pop(key, None)
        if kept is None or len(kept.response.body) > LARGEST_KEPT:
            return
        self._kept[key] = kept
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _patiently(self, request: Request, url: httpx.URL, caller: Caller) -> Response:
        """The first answer that is neither a refusal for a limit nor a failure that may pass."""
        refused = failed = 0
        while True:
            self._wait_for_limit(caller)
            response = self._attempt(request, url, caller, last=failed + 1 >= self._attempts)
            if response is not None:
                limits = self._limits_of(response, caller, refused)
                may_pass = response.status in FAILURES and request.method == "GET"
                if not limits.is_refused and (not may_pass or failed + 1 >= self._attempts):
                    return response
                if limits.is_refused:
                    refused += 1
                    self._give_up_after(refused, limits)
                    continue
            self._pause(FIRST_PAUSE * 2**failed, response)
            failed += 1

    def _attempt(
        self, request: Request, url: httpx.URL, caller: Caller, *, last: bool
    ) -> Response | None:
        """An answer; None where none came, and it is not the last attempt."""
        try:
            return self._follow(request, url, caller)
        except httpx.HTTPError as error:
            what = _named(error)
            log.debug("forge did not answer", extra={**self._about(url), "why": what})
            if last:
                raise ForgeUnavailable(
                    f"{url.host} did not answer when asked for {url.path}: {what}."
                ) from (None if isinstance(error, httpx.LocalProtocolError) else error)
            return None

    def _wait_for_limit(self, caller: Caller) -> None:
        until = self.budget(caller).wait_until
        now = self._clock()
        if until is None or until <= now:
            return
        if until - now > self.patience:
            raise RateLimited(
                f"The limits of {self.server.source} allow no more before "
                f"{until.isoformat(timespec='seconds')}.",
                until=until,
            )
        seconds = (until - now).total_seconds()
        log.info("forge asks for a pause", extra={"forge": self.server.source, "seconds": seconds})
        self._sleep(seconds)
        if until - self._clock() > CLOCK_DRIFT:
            # Whoever sleeps for us was woken to stop.
            raise RateLimited(f"The pause {self.server.source} asks for was not made.", until=until)

    def _limits_of(self, response: Response, caller: Caller, refused: int) -> Limits:
        limits = self.server.limits(response, now=self._clock(), refused=refused)
        self._limits[caller.name] = limits
        return limits

    def _give_up_after(self, refused: int, limits: Limits) -> None:
        if refused >= MOST_REFUSALS:
            said = f"{self.server.source} refused the same {refused} times, for its limits."
            raise RateLimited(said, until=limits.wait_until)

    def _pause(self, seconds: float, response: Response | None) -> None:
        """Wait before the next attempt, as long as the forge says, if it does."""
        now = self._clock()
        until = retry_after(response.headers, now) if response else None
        if until is not None:
            if until - now > self.patience:
                raise ForgeUnavailable(
                    f"{self.server.source} cannot be asked before "
                    f"{until.isoformat(timespec='seconds')}."
                )
            seconds = max(0.0, (until - now).total_seconds())
        self._sleep(seconds)

    def _follow(self, request: Request, url: httpx.URL, caller: Caller) -> Response:
        """An answer, of wherever the server sends us. Another server is not told the token."""
        home = _origin(url)
        for _ in range(MOST_REDIRECTS + 1):
            headers = {**request.headers, **(caller.headers if _origin(url) == home else {})}
            response = self._send(request.method, url, headers, request.body)
            target = self._target(request, response, url)
            if target is None:
                return response
            url = target
        raise ForgeUnavailable(f"{self.server.source} sends from one address to the next.")

    def _target(self, request: Request, response: Response, url: httpx.URL) -> httpx.URL | None:
        """Where an answer sends us; None: nowhere."""
        location = response.headers.get("location")
        is_redirect = response.status in REDIRECTS and request.method == "GET"
        if not location or not is_redirect or not self.server.follows_redirects:
            return None
        try:
            target = url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise ForgeUnavailable(f"{url.host} sends to {location!r}: {error}.") from error
        if target.scheme not in {url.scheme, "https"}:
            raise ForgeUnavailable(f"{url.host} sends to {target.host} without encryption.")
        return target

    def _send(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: Any) -> Response:
        began = time.monotonic()
        sent: dict[str, Any] = {} if body is None else {"json": body}
        received = bytearray()
        with self._http.stream(method, url, headers=headers, **sent) as got:
            for part in got.iter_bytes():
                received += part
                if len(received) > LARGEST_ANSWER or time.monotonic() - began > LONGEST_ANSWER:
                    raise httpx.ReadError("the answer is too large, or takes too long")
            response = Response(
                status=got.status_code,
                headers={name.lower(): value for name, value in got.headers.items()},
                body=bytes(received),
            )
        seconds = round(time.monotonic() - began, 3)
        about = {**self._about(url), "status": response.status, "seconds": seconds}
        log.debug("forge asked", extra={**about, **self._told(response)})
        return response

    def _about(self, url: httpx.URL) -> dict[str, Any]:
        return {"forge": self.server.source, "host": url.host, "path": url.path}

    def _told(self, response: Response) -> dict[str, Any]:
        """What an answer tells of the budget, for the log."""
        limits = self.server.limits(response, now=self._clock(), refused=0)
        return {"remaining": limits.remaining, "limit": limits.limit}


def _named(error: httpx.HTTPError) -> str:
    """What went wrong. What could not even be sent is not quoted: it may be a token."""
    kind = type(error).__name__
    says_more = str(error) and not isinstance(error, httpx.LocalProtocolError)
    return f"{kind}: {error}" if says_more else kind


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port

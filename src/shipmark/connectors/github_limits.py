"""How much more GitHub may be asked: its primary limits by the hour, and its secondary ones.

Calls that REST answers with 304 are free, where they carry a token.
"""

import json
from datetime import datetime

from shipmark.connectors.exchange import Response
from shipmark.connectors.limits import Limits, at_second, pause, retry_after, whole

REFUSING = {403, 429}
GRAPHQL_REFUSALS = (b'"RATE_LIMITED"', b'"RATE_LIMIT"')
SECONDARY = ("secondary rate limit", "abuse detection")


def limits(response: Response, *, now: datetime, refused: int = 0) -> Limits:
    """What an answer tells of limits. ``refused`` counts how often the same was refused before.

    A refusal that is not for a limit, such as a permission that is missing, is none here.
    """
    headers = response.headers
    remaining = whole(headers, "x-ratelimit-remaining")
    resets_at = at_second(whole(headers, "x-ratelimit-reset"))
    is_refused = _is_refused(response, remaining)
    wait_until = resets_at if remaining == 0 else None
    if is_refused:
        wait_until = retry_after(headers, now) or wait_until or now + pause(refused)
    return Limits(
        wait_until=wait_until if wait_until and wait_until > now else None,
        is_refused=is_refused,
        remaining=remaining,
        limit=whole(headers, "x-ratelimit-limit"),
        resets_at=resets_at,
    )


def _is_refused(response: Response, remaining: int | None) -> bool:
    if response.status == 200:
        # GraphQL says so in an answer that looks like a success.
        start = response.body[:2000]
        return b'"errors"' in start and any(word in start for word in GRAPHQL_REFUSALS)
    if response.status not in REFUSING:
        return False
    told = response.status == 429 or remaining == 0 or "retry-after" in response.headers
    return told or any(words in _message(response) for words in SECONDARY)


def _message(response: Response) -> str:
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return message.lower() if isinstance(message, str) else ""

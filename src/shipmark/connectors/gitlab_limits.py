"""How much more GitLab may be asked. Its own limits are for each minute; an administrator may set
others, or none, and then it tells nothing."""

from datetime import datetime

from shipmark.connectors.exchange import Response
from shipmark.connectors.limits import TOO_MANY, Limits, at_second, pause, retry_after, whole


def limits(response: Response, *, now: datetime, refused: int = 0) -> Limits:
    """What an answer tells of the limits; ``refused`` is how often the same was refused before.

    GitLab.com has been seen to refuse with nothing but the status.
    """
    headers = response.headers
    remaining = whole(headers, "ratelimit-remaining")
    resets_at = at_second(whole(headers, "ratelimit-reset"))
    is_refused = response.status == TOO_MANY
    wait_until = resets_at if remaining == 0 else None
    if is_refused:
        wait_until = retry_after(headers, now) or resets_at or now + pause(refused)
    return Limits(
        wait_until=wait_until,
        is_refused=is_refused,
        remaining=remaining,
        limit=whole(headers, "ratelimit-limit"),
        resets_at=resets_at,
    )

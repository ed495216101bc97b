"""How much more Bitbucket may be asked. Cloud counts the requests of the last hour and does not say
when there will be room again; Data Center says it in Retry-After, where it limits at all."""

from dataclasses import replace
from datetime import datetime

from shipmark.connectors.exchange import Response
from shipmark.connectors.limits import Limits, plain_limits, whole


def limits(response: Response, *, now: datetime, refused: int = 0) -> Limits:
    """What an answer tells of the limits; ``refused`` is how often the same was refused before."""
    return replace(
        plain_limits(response, now=now, refused=refused),
        remaining=whole(response.headers, "x-ratelimit-remaining"),
        limit=whole(response.headers, "x-ratelimit-limit"),
    )

"""Ask a forge for what has changed only: the validators (ETags) of HTTP.

The transport keeps answers by their URL. A dialogue never meets a 304: it is sent the answer that
was kept, and a forge does not count the call.
"""

from dataclasses import dataclass, replace

from shipmark.connectors.exchange import Request, Response

NOT_MODIFIED = 304
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer, and the forge's name for this version of it."""

    etag: str
    response: Response


def keep(request: Request, response: Response) -> Kept | None:
    """What to keep of an answer for the next time; None: the forge named no version of it."""
    etag = response.headers.get("etag")
    if request.method != "GET" or response.status != OK or not etag:
        return None
    return Kept(etag=etag, response=response)


def unless_same(request: Request, kept: Kept | None) -> Request:
    """The same request, to be answered in full only if the answer has changed."""
    if kept is None:
        return request
    return replace(request, headers={**request.headers, "if-none-match": kept.etag})


def answered(response: Response, kept: Kept | None) -> Response:
    """The answer to `unless_same`, whether it has changed or not. The headers are the new ones:
    what they tell of limits is so now."""
    if response.status != NOT_MODIFIED or kept is None:
        return response
    headers = {**kept.response.headers, **response.headers}
    return replace(kept.response, headers=headers)

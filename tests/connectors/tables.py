"""A forge that is a table of answers."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.connectors.talks import Answering, ok

from shipmark.connectors.exchange import Request, Response


def address(request: Request) -> str:
    """A request as one line, its query in the order of the alphabet."""
    query = urlencode(sorted((key, str(value)) for key, value in request.query.items()))
    return f"{request.path}?{query}" if query else request.path


def table(answers: Mapping[str, Any]) -> Answering:
    """Answers by path and query, or else by path alone; 404 to all else."""

    def answer(request: Request) -> Response:
        found = answers.get(address(request), answers.get(request.path))
        if found is None:
            return ok({"message": "Not Found"}, status=404)
        return found if isinstance(found, Response) else ok(found)

    return answer

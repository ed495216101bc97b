"""Files that pages load, under names that change with their content, so that they are kept for
ever."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from shipmark.web.site import Site

FOR_EVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
CHART_SCRIPT = f"charts-{version('vl-convert-python')}.js"
"""Its content is that of the version of vl-convert that makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    content: bytes
    media_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """The files by the names that they are served under."""
    return {
        served_name(one.name): StaticFile(
            content=one.read_bytes(),
            media_type=mimetypes.guess_type(one.name)[0] or "application/octet-stream",
        )
        for one in files("shipmark.web").joinpath("static").iterdir()
        if one.is_file()
    }


@cache
def served_name(name: str) -> str:
    """A file's name with a digest of its content in it."""
    content = files("shipmark.web").joinpath("static", name).read_bytes()
    stem, _, ending = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"


async def serve(request: Request) -> Response:
    """A static file, for anyone."""
    name = request.path_params["name"]
    site: Site = request.app.state.site
    found = static_files().get(name)
    if name == CHART_SCRIPT and (script := await site.drawing.script()) is not None:
        found = StaticFile(content=script.encode(), media_type="text/javascript")
    if found is None:
        return Response("There is no such file.", status_code=404, media_type="text/plain")
    headers = FOR_EVER | {"Vary": "Accept-Encoding"}
    content = found.content
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        content, headers["Content-Encoding"] = _compressed(content), "gzip"
    return Response(content, media_type=found.media_type, headers=headers)


@lru_cache(64)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)

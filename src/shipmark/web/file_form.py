"""A form with a file as its last field (multipart/form-data), read as it comes.

However large the file is, a piece of it is held at a time. The fields come before it, so that
they can be judged while nothing of it has been taken yet.
"""

import re
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect

from shipmark.domain.errors import InvalidFile, PayloadTooLarge

LARGEST_FIELD = 64 * 1024
MOST_FIELDS = 100
_BOUNDARY = re.compile(r'^multipart/form-data\s*;.*?boundary="?([^";\s]{1,70})"?', re.IGNORECASE)
_NAMES = re.compile(r'[;\s](name|filename)="([^"]*)"')
_ESCAPED = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))
"""What browsers write in a name for characters that would end it."""


class FileForm:
    """What was sent. ``filename`` is known once the fields are read; None without a file."""

    def __init__(self, content_type: str, stream: AsyncIterator[bytes]) -> None:
        """Raises InvalidFile for anything but such a form."""
        boundary = _BOUNDARY.match(content_type)
        if boundary is None:
            raise InvalidFile("A form with a file has to be sent as multipart/form-data.")
        self._between = f"\r\n--{boundary[1]}".encode("latin-1")
        self._stream = stream
        # The first boundary stands at the very beginning, all others behind a line.
        self._held = bytearray(b"\r\n")
        self.filename: str | None = None

    async def fields(self) -> dict[str, str]:
        """The fields before the file. Raises InvalidFile or PayloadTooLarge."""
        found: dict[str, str] = {}
        await self._until(self._between)
        while await self._goes_on():
            names = dict(_NAMES.findall((await self._until(b"\r\n\r\n")).decode(errors="replace")))
            if "filename" in names:
                self.filename = _plain(names["filename"])
                break
            if len(found) == MOST_FIELDS:
                raise PayloadTooLarge(f"A form may have {MOST_FIELDS} fields at most.")
            value = await self._until(self._between)
            found[_plain(names.get("name", ""))] = value.decode(errors="replace")
        return found

    async def content(self) -> AsyncIterator[bytes]:
        """The file, in pieces. Raises InvalidFile if it breaks off, or is not the last part: of
        another file nobody would see that it was left out."""
        kept = len(self._between) - 1
        while (end := self._held.find(self._between)) < 0:
            if len(self._held) > kept:
                yield bytes(self._held[:-kept])
                del self._held[:-kept]
            await self._more()
        yield bytes(self._held[:end])
        del self._held[: end + len(self._between)]
        if await self._goes_on():
            await self._refuse_more()

    async def _refuse_more(self) -> None:
        names = dict(_NAMES.findall((await self._until(b"\r\n\r\n")).decode(errors="replace")))
        if "filename" in names:
            raise InvalidFile(
                f"There is a second file, '{_plain(names['filename'])[:100]}'; send one at a time. "
                "Nothing was taken."
            )
        raise InvalidFile(
            f"The field '{_plain(names.get('name', ''))[:100]}' comes behind the file; send it "
            "before. Nothing was taken."
        )

    async def _goes_on(self) -> bool:
        """Whether another field comes behind a boundary. Two dashes end the form."""
        while len(self._held) < 2:
            await self._more()
        return not self._held.startswith(b"--")

    async def _until(self, mark: bytes) -> bytes:
        while (end := self._held.find(mark)) < 0:
            if len(self._held) > LARGEST_FIELD:
                raise PayloadTooLarge(
                    f"A field of this form may have {LARGEST_FIELD // 1024} KiB at most."
                )
            await self._more()
        found = bytes(self._held[:end])
        del self._held[: end + len(mark)]
        return found

    async def _more(self) -> None:
        try:
            self._held += await anext(self._stream)
        except (StopAsyncIteration, ClientDisconnect):
            raise InvalidFile("The connection was closed before the file was complete.") from None


def _plain(name: str) -> str:
    for written, meant in _ESCAPED:
        name = name.replace(written, meant)
    return name

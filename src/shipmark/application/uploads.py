"""Files that are sent in pieces: unpacked, cut into parts of one size, and packed to be stored.

However large the file is, about one part of it is held at a time.
"""

import zlib
from collections.abc import Iterator

from shipmark.domain.errors import InvalidFile, PayloadTooLarge

PART = 512 * 1024
"""Bytes of the file, unpacked, that are stored together."""

GZIP = b"\x1f\x8b"
GZIP_WINDOW = 31
QUICKLY = 1


class Parts:
    """Cuts what was sent, packed with gzip or not, into parts. A file is packed if it begins so."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._held = bytearray()
        self._begins = b""
        self._is_packed: bool | None = None
        self._unpacking = zlib.decompressobj(GZIP_WINDOW)

    def feed(self, sent: bytes) -> Iterator[bytes]:
        """The parts that are whole with what was sent now. Raises PayloadTooLarge, InvalidFile."""
        if self._is_packed is None:
            self._begins += sent
            if len(self._begins) < len(GZIP):
                return
            self._is_packed = self._begins.startswith(GZIP)
            sent, self._begins = self._begins, b""
        for unpacked in self._unpacked(sent) if self._is_packed else (sent,):
            yield from self._cut(unpacked)

    def finish(self) -> Iterator[bytes]:
        """What is left once all was sent. Raises InvalidFile for what ends too early."""
        if self._is_packed and not self._unpacking.eof:
            raise InvalidFile("The gzip file ends before it is complete; nothing was stored.")
        yield from self._cut(self._begins)
        if self._held:
            yield bytes(self._held)

    def _unpacked(self, sent: bytes) -> Iterator[bytes]:
        while sent:
            if self._unpacking.eof:
                # A gzip file may be several, one behind the other, with nothing but zeros after.
                sent = sent.lstrip(b"\0")
                self._unpacking = zlib.decompressobj(GZIP_WINDOW) if sent else self._unpacking
                continue
            try:
                yield self._unpacking.decompress(sent, PART)
            except zlib.error as error:
                raise InvalidFile(f"The gzip file is broken: {error}.") from None
            sent = self._unpacking.unconsumed_tail or self._unpacking.unused_data

    def _cut(self, unpacked: bytes) -> Iterator[bytes]:
        self._size += len(unpacked)
        if self._size > self._most:
            raise PayloadTooLarge(
                f"The file is larger than {self._most} bytes. Send it as several files, or let the "
                "server take more with SHIPMARK_MAX_IMPORT_BYTES."
            )
        self._held += unpacked
        while len(self._held) >= PART:
            yield bytes(self._held[:PART])
            del self._held[:PART]


def pack(part: bytes) -> bytes:
    """A part as it is stored."""
    return zlib.compress(part, QUICKLY)


def unpack(stored: bytes) -> bytes:
    """A part as it was sent."""
    return zlib.decompress(stored)

"""Read what a forge sends: JSON that nobody here wrote becomes a struct of the fields we use.

A payload's shape is a `Wire`; its fields have the types below, which bring values to the form in
which facts are recorded. To a type checker they are the plain types that they result in.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform

import msgspec

from shipmark.domain.errors import ShipmarkError
from shipmark.domain.model import LAST_NUMBER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 100_000_000_000
"""A number this large counts milliseconds; a smaller one, seconds."""
LONGEST_TEXT = 65_536
HEADS = "refs/heads/"
TAGS = "refs/tags/"

_SHA = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_UNFIT = re.compile("[\0\ud800-\udfff]")

Number = Annotated[int, msgspec.Meta(ge=1, lt=LAST_NUMBER)]
"""The number of a pull request."""


class UnreadablePayload(ShipmarkError):
    """What the forge sent does not have the form it should have."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class _WireMeta(msgspec.StructMeta):
    """Makes every shape frozen and keyword-only, which msgspec wants said of each class."""

    def __new__(mcs, *made: Any, **options: Any) -> Any:
        return super().__new__(mcs, *made, **{"frozen": True, "kw_only": True} | options)


class Wire(msgspec.Struct, metaclass=_WireMeta):
    """The shape of something a forge sends. Fields that are not declared are passed over.

    What may be missing or null has a default: ``closed_at: Instant | None = None``.
    """


if TYPE_CHECKING:
    Instant = datetime
    SHA = str
    Text = str
else:

    class _ReadAs(type):
        """msgspec gives what it does not know to a hook, and asks if the result is of the type."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, cls.plain)

    class Instant(metaclass=_ReadAs):
        """ISO-8601, or a count of seconds or milliseconds since 1970; an aware datetime in UTC.

        What is before 1970, as the zero of some languages, is read as 1970: `told` tells it.
        """

        plain = datetime

    class SHA(metaclass=_ReadAs):
        """A full SHA in lower case. Git's way to say that there is no commit, zeros, is read
        as "", and so is an empty text."""

        plain = str

    class Text(metaclass=_ReadAs):
        """Text that every database can hold."""

        plain = str


Shape = TypeVar("Shape")


def read(shape: type[Shape], payload: Any) -> Shape:
    """What a payload says. Raises UnreadablePayload, which names the JSON path of what is wrong."""
    try:
        return msgspec.convert(payload, shape, dec_hook=_read_as)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise UnreadablePayload(f"The payload cannot be read: {error}.") from error


def told(at: datetime | None) -> datetime | None:
    """An instant, unless it is one that stands for none."""
    return None if at is None or at <= EPOCH else at


def branch_of(ref: str) -> str | None:
    """The branch that a full reference names; None: it is a tag, or something else."""
    return ref.removeprefix(HEADS) if ref.startswith(HEADS) else None


def tag_of(ref: str) -> str | None:
    """The tag that a full reference names; None: it is a branch, or something else."""
    return ref.removeprefix(TAGS) if ref.startswith(TAGS) else None


def instant(value: object) -> datetime:
    """An instant in any of the forms that forges have for it. Raises ValueError."""
    try:
        return max(_instant(value), EPOCH)
    except OverflowError:
        raise ValueError(f"{value!r} is out of range for an instant") from None


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        # GitLab's webhooks tell the zone by its name, and it is always this one.
        at = datetime.fromisoformat(value.strip().removesuffix(" UTC").replace(" +", "+"))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"Expected an instant, got {type(value).__name__}")  # noqa: TRY004
    if abs(value) >= MILLISECONDS_FROM:
        return EPOCH + timedelta(milliseconds=value)
    return EPOCH + timedelta(seconds=value)


def _sha(value: object) -> str:
    if not isinstance(value, str) or (value and not _SHA.fullmatch(value)):
        raise ValueError("Expected a full SHA")
    return value.lower() if value.strip("0") else ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Expected text, got {type(value).__name__}")  # noqa: TRY004
    return _UNFIT.sub("�", value[:LONGEST_TEXT])


_READERS: dict[Any, Callable[[object], object]] = {Instant: instant, SHA: _sha, Text: _text}


def _read_as(kind: type, value: object) -> object:
    return _READERS[kind](value)

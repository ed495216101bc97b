"""One webhook as a forge delivers it, and what proves that the forge did."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

LONGEST_ID = 255
REST_REFUSED = "What it tells by itself is recorded, and the forge does not tell the rest: "
"""How the error of a delivery begins whose forge did not let us ask for what it leaves open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook as it came. ``headers`` are those that tell what it is, none that prove it."""

    forge: str
    delivery_id: str
    headers: Mapping[str, str]
    body: bytes
    id: int = 0
    received_at: datetime | None = None
    attempts: int = 0

    @property
    def digest(self) -> str:
        """What another delivery with the same body has, too."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def told_apart(self) -> "Delivery":
        """The same under an id that another body cannot have."""
        end = f":{self.digest[:16]}"
        return replace(self, delivery_id=f"{self.delivery_id[: LONGEST_ID - len(end)]}{end}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """How a forge's webhooks are told from forgeries, and apart."""

    secret: str
    is_genuine: Callable[[str, Mapping[str, str], bytes], bool]
    delivery_id: Callable[[Mapping[str, str], bytes], str]
    kept_headers: Collection[str]

    def delivery(self, forge: str, headers: Mapping[str, str], body: bytes) -> Delivery | None:
        """What is to be stored; None: whoever sent it does not know the secret."""
        if not self.is_genuine(self.secret, headers, body):
            return None
        return Delivery(
            forge=forge,
            delivery_id=self.delivery_id(headers, body)[:LONGEST_ID],
            headers={name: headers[name] for name in self.kept_headers if name in headers},
            body=body,
        )

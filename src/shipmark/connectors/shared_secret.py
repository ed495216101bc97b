"""Tell a sender that knows a secret, where what it sends is not signed."""

import base64
import binascii
import hmac
from collections.abc import Mapping

PROOF_HEADER = "x-shipmark-secret"


def knows_secret(secret: str, headers: Mapping[str, str]) -> bool:
    """Whether the headers prove that the sender knows the secret; in constant time.

    One is enough: ``Authorization: Bearer`` with it, basic authentication with it as the password
    and any user name, or the header X-Shipmark-Secret. False where there is no secret, so that
    none never means no check.
    """
    kind, _, proof = headers.get("authorization", "").partition(" ")
    sent = {
        "bearer": proof.strip().encode("utf-8", "replace"),
        "basic": _password(proof.strip()),
    }.get(kind.lower(), b"")
    also = headers.get(PROOF_HEADER, "").encode("utf-8", "replace")
    right = secret.encode()
    same = [hmac.compare_digest(one, right) for one in (sent, also)]
    return bool(secret) and any(same)


def _password(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""

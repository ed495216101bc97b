"""Tell a webhook that the forge sent from one that anyone did: its body's HMAC-SHA256."""

import hashlib
import hmac


def is_signed(secret: str, signature: str | None, body: bytes) -> bool:
    """Whether the signature, in hexadecimal, is that of the body under the secret.

    False where either is missing, so that no secret never means no check. Constant time.
    """
    if not secret or not signature:
        return False
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # As bytes: compare_digest takes no text that is not ASCII, and anyone may send such.
    return hmac.compare_digest(right.encode(), signature.lower().encode("utf-8", "replace"))


def digest(body: bytes) -> str:
    """What a repeat of a delivery has again, where the forge gives deliveries no id."""
    return hashlib.sha256(body).hexdigest()

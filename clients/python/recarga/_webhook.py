from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Union, cast

from ._errors import WebhookError

if TYPE_CHECKING:
    from .types import WebhookEvent


class Webhook:
    """Verifies Recarga's webhooks (Standard Webhooks)."""

    def __init__(self, secrets: Union[str, Sequence[str]], *, tolerance: float = 300) -> None:
        """secrets: the caller's secret, whsec_…; several while one is being replaced.

        tolerance: by how many seconds the timestamp may differ from this clock.
        """
        self._keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
        if not self._keys:
            raise ValueError("a webhook secret is needed")
        if not tolerance > 0:
            raise ValueError(f"tolerance {tolerance} must be positive")
        self._tolerance = tolerance

    def verify(self, body: Union[bytes, str], headers: Mapping[str, str]) -> WebhookEvent:
        """Returns the event of a webhook that was signed lately with one of the secrets; else raises a WebhookError.

        body is what was received, byte for byte, before anything parsed it.
        """
        if not isinstance(body, (bytes, bytearray, str)):
            raise TypeError("verify needs the raw body, bytes or str, not what a parser made of it")
        raw = body.encode() if isinstance(body, str) else bytes(body)
        found = {str(name).lower(): str(value) for name, value in headers.items()}
        id, at, signatures = (found.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
        if not (id and at and signatures):
            raise WebhookError("headers", "webhook-id, webhook-timestamp or webhook-signature is missing")
        if not re.fullmatch("[0-9]{1,12}", at) or abs(time.time() - int(at)) > self._tolerance:
            raise WebhookError("timestamp", "webhook-timestamp is too far from this clock")
        if not self._signed(f"{id}.{at}.".encode() + raw, signatures.encode().split(b" ")):
            raise WebhookError("signature", "no webhook-signature matches")
        return cast("WebhookEvent", {**_event(raw), "id": id})

    def _signed(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        matches = False
        for key in self._keys:
            want = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
            for signature in signatures:
                matches |= hmac.compare_digest(signature, want)
        return matches


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret[6:], validate=True) if secret.startswith("whsec_") else b""
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        # Without the text, which is secret.
        raise ValueError("a webhook secret must be whsec_ and 24 to 64 bytes in base64") from None
    return key


def _event(raw: bytes) -> Any:
    try:
        event = json.loads(raw, parse_float=Decimal)
        kind, data = event["type"], event["data"]
        if kind and isinstance(kind, str) and isinstance(data, dict):
            if not kind.startswith("topup.") or data["distributor_transaction_id"]:
                return event
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise WebhookError("body", "the body is not an event") from None

"""Stands in for the package standardwebhooks, which a test cannot count on installing. It verifies as the
specification says and fails as the package does, so what is tested with it is the receiver around it."""

import base64
import hashlib
import hmac
import json
import time


class WebhookVerificationError(Exception):
    pass


class Webhook:
    def __init__(self, secret):
        self.key = base64.b64decode(secret.removeprefix("whsec_"))

    def verify(self, data, headers):
        headers = {name.lower(): value for name, value in headers.items()}
        event_id, at, signatures = (headers.get("webhook-" + name) for name in ("id", "timestamp", "signature"))
        if not (event_id and at and signatures):
            raise WebhookVerificationError("Missing required headers")
        if abs(time.time() - float(at)) > 300:
            raise WebhookVerificationError("Message timestamp is not within the tolerance")
        expected = hmac.new(self.key, f"{event_id}.{at}.".encode() + data, hashlib.sha256).digest()
        for versioned in signatures.split(" "):
            version, signature = versioned.split(",")
            if version == "v1" and hmac.compare_digest(expected, base64.b64decode(signature)):
                return json.loads(data)
        raise WebhookVerificationError("No matching signature found")

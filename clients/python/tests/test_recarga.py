import base64
import hashlib
import hmac
import json
import time
import unittest
from decimal import Decimal
from email.message import Message

import recarga
from recarga import _client

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()
ORDER = {
    "distributor_transaction_id": "ORD-1",
    "phone_number": "5537686660",
    "product_id": "MOVISTAR_TAE",
    "amount": 10.1,
}
EVENT = {
    "type": "topup.succeeded",
    "timestamp": "2026-01-31T18:00:00Z",
    "data": {"sequence": 1, "state": "succeeded", **ORDER},
}
BODY = json.dumps(EVENT).encode()


def signed(at=None, content=BODY):
    at = int(time.time()) if at is None else at
    mac = hmac.new(base64.b64decode(SECRET[6:]), f"evt_1.{at}.".encode() + content, hashlib.sha256)
    signature = "v1," + base64.b64encode(mac.digest()).decode()
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}


class Webhooks(unittest.TestCase):
    def refused(self, reason, body, headers, **options):
        with self.assertRaises(recarga.WebhookError) as raised:
            recarga.Webhook(SECRET, **options).verify(body, headers)
        self.assertEqual(raised.exception.reason, reason)

    def test_the_public_vector_is_signed_as_there(self):
        headers = {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        self.refused("body", b'{"test": 2432232314}', headers, tolerance=1e9)  # it is signed, and no event
        self.refused("signature", b'{"test": 2432232315}', headers, tolerance=1e9)

    def test_headers_are_read_from_each_kind(self):
        message = Message()
        for name, value in signed().items():
            message[name.title()] = value
        for headers in (signed(), message, {name.upper(): value for name, value in signed().items()}):
            for body in (BODY, bytearray(BODY), BODY.decode()):
                event = recarga.Webhook([OTHER, SECRET]).verify(body, headers)
                self.assertEqual(event["id"], "evt_1")
                self.assertEqual(event["data"]["amount"], Decimal("10.1"))

    def test_what_must_not_be_believed_is_refused(self):
        now = int(time.time())
        recarga.Webhook(SECRET).verify(BODY, signed(now - 290))
        for at in (now - 310, now + 310, 0):
            self.refused("timestamp", BODY, signed(at))
        for at in ("1e9", "-1", " 1", "١٢", "1\n"):
            self.refused("timestamp", BODY, {**signed(), "webhook-timestamp": at})
        good = signed()["webhook-signature"]
        recarga.Webhook(SECRET).verify(BODY, {**signed(), "webhook-signature": "v1a,x nonsense " + good})
        for signature in (good[3:], good[:-1], good.replace("v1", "v2"), good.upper(), "v1,", " ", "v1,ñ"):
            self.refused("signature", BODY, {**signed(), "webhook-signature": signature})
        for content in (b"", b"[]", b"{}", b"null", b"\xff", b'{"type":"topup.failed","data":{}}', b'{"type":7,"data":{}}'):
            self.refused("body", content, signed(content=content))
        self.refused("headers", BODY, {})
        with self.assertRaises(TypeError):
            recarga.Webhook(SECRET).verify(EVENT, signed())
        operators = b'{"type":"balance.low","timestamp":"2026-01-31T18:00:00Z","data":{}}'
        self.assertEqual(recarga.Webhook(SECRET).verify(operators, signed(content=operators))["type"], "balance.low")

    def test_what_cannot_be_a_secret_is_refused(self):
        for wrong in ([], [SECRET, ""], "", "whsec_", SECRET[6:], SECRET + "\n"):
            with self.assertRaises(ValueError):
                recarga.Webhook(wrong)
        with self.assertRaises(ValueError):
            recarga.Webhook(SECRET, tolerance=0)


class Amounts(unittest.TestCase):
    def test_a_decimal_stays_exact(self):
        for amount, want in ((Decimal("10.10"), "10.1"), (Decimal("10.00"), "10"), (Decimal("1E+2"), "100"), (10, "10")):
            self.assertEqual(json.dumps(amount, default=_client._number), want)

    def test_what_json_cannot_say_is_refused(self):
        client = recarga.Client("http://127.0.0.1:1", "key")
        for amount in (Decimal("NaN"), Decimal("Infinity"), Decimal("0." + "3" * 30), float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                client.place({**ORDER, "amount": amount})
        with self.assertRaises(TypeError):
            client.place({**ORDER, "process_at": object()})


if __name__ == "__main__":
    unittest.main()

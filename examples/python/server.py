"""A receiver of Recarga's webhooks, for a checkout to start from.

RECARGA_WEBHOOK_SECRET  the secret you were given, whsec_…
PORT                    3000 by default; 0 takes any free one
"""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

# One secret is all a receiver ever needs. While it is being replaced, Recarga signs every webhook with
# the old and the new one, so you change from one to the other within that time, whenever you like.
secret = os.environ.get("RECARGA_WEBHOOK_SECRET", "")
if not secret.startswith("whsec_"):
    print("RECARGA_WEBHOOK_SECRET must be the secret you were given, whsec_…", file=sys.stderr)
    sys.exit(2)
webhook = Webhook(secret)

# Two tables of your database, changed in one transaction. Here they end with the process.
handled = set()  # webhook-id of every event that was handled
orders = {}  # order id -> what the shop believes of it
lock = threading.Lock()

MAX_BODY = 256 * 1024  # far above any event


def settle(event_id, order):
    """An event comes at least once, and events of one order may overtake each other."""
    with lock:
        if event_id in handled:
            return "repeat, ignored"
        handled.add(event_id)
        known = orders.get(order["distributor_transaction_id"], {"sequence": 0})
        if order["sequence"] <= known["sequence"]:
            return "older news, ignored"
        orders[order["distributor_transaction_id"]] = order
        return order["state"]  # "unknown" is not final: neither refund nor buy again, a final event follows


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a silent connection is kept

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self.answer(411)
        if int(length) > MAX_BODY:
            self.close_connection = True
            self.rfile.read(min(int(length), 4 * MAX_BODY))  # or the sender may miss the answer
            return self.answer(413)
        body = self.rfile.read(int(length))
        try:
            # The signature is over the bytes as they came: verify first, parse after.
            event = webhook.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError) as error:  # ValueError: a header that is no signature at all
            print(f"refused: {error}", flush=True)
            return self.answer(400)
        if not event["type"].startswith("topup."):  # a ping, or what a later Recarga sends: not about an order
            return self.answer(204)
        event_id, order = self.headers["webhook-id"], event["data"]
        result = settle(event_id, order)
        print(f"{event_id} {event['type']} {order['distributor_transaction_id']} #{order['sequence']}: {result}", flush=True)
        self.answer(204)  # it is stored; slow work (mail, invoice) comes after the answer

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *args):
        pass  # one line an event is enough


# Local only: put it behind the proxy that has your certificate.
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()

"""Webhooks in Flask: request.get_data() is the body as it came; request.get_json() is not."""

import os

from flask import Flask, request
from recarga import Webhook, WebhookError

webhook = Webhook(os.environ["RECARGA_WEBHOOK_SECRET"].split(","))
app = Flask(__name__)


@app.post("/recarga")
def receive():
    try:
        event = webhook.verify(request.get_data(), request.headers)
    except WebhookError:
        return "", 400
    if event["type"].startswith("topup."):  # not a ping
        order = event["data"]
        # Store it here: once for each event["id"], and only if order["sequence"] is higher than the order's last.
        print(event["id"], event["type"], order["distributor_transaction_id"], order["state"], flush=True)
    return "", 204

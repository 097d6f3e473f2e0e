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
    # Store it here: once for each event["id"], and only if event["data"]["sequence"] is higher than the order's last.
    print(event["id"], event["type"], event["data"]["distributor_transaction_id"], event["data"]["state"], flush=True)
    return "", 204

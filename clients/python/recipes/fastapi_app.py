"""Webhooks in FastAPI: take the Request itself, not a model: await request.body() is the body as it came."""

import os

from fastapi import FastAPI, Request, Response
from recarga import Webhook, WebhookError

webhook = Webhook(os.environ["RECARGA_WEBHOOK_SECRET"].split(","))
app = FastAPI()


@app.post("/recarga")
async def receive(request: Request) -> Response:
    try:
        event = webhook.verify(await request.body(), request.headers)
    except WebhookError:
        return Response(status_code=400)
    if event["type"].startswith("topup."):  # not a ping
        order = event["data"]
        # Store it here: once for each event["id"], and only if order["sequence"] is higher than the order's last.
        print(event["id"], event["type"], order["distributor_transaction_id"], order["state"], flush=True)
    return Response(status_code=204)

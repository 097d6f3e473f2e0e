"""Webhooks in Django: request.body is the body as it came. Route it with path("recarga", receive)."""

import os

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from recarga import Webhook, WebhookError

webhook = Webhook(os.environ["RECARGA_WEBHOOK_SECRET"].split(","))


@csrf_exempt  # the signature says who sent it
@require_POST
def receive(request):
    try:
        event = webhook.verify(request.body, request.headers)
    except WebhookError:
        return HttpResponse(status=400)
    if event["type"].startswith("topup."):  # not a ping
        order = event["data"]
        # Store it here: once for each event["id"], and only if order["sequence"] is higher than the order's last.
        print(event["id"], event["type"], order["distributor_transaction_id"], order["state"], flush=True)
    return HttpResponse(status=204)

"""Does with the client for Python what the lines of its input say, and answers each with a line."""

import base64
import json
import sys

from recarga import Client, RecargaError, Webhook

client = None


def run(line):
    global client
    what = line["do"]
    if what == "client":
        times = {name + "_timeout": line[name] for name in ("attempt", "total") if name in line}
        client = Client(line["url"], line["key"], **times)
        return {}
    if what == "place":
        return client.place(line["order"])
    if what == "get":
        return client.get(line["id"])
    if what == "cancel":
        return client.cancel(line["id"])
    if what == "wait":
        return client.wait(line["id"], timeout=line.get("timeout", 60))
    event = Webhook(line["secrets"]).verify(base64.b64decode(line["body"]), line["headers"])
    return {**event["data"], "id": event["id"], "type": event["type"]}


for text in sys.stdin:
    try:
        said = run(json.loads(text))
    except (RecargaError, ValueError, TypeError) as error:
        said = {
            "error": type(error).__name__.replace("Error", "") if isinstance(error, RecargaError) else "usage",
            "status": getattr(error, "status", None),
            "reason": getattr(error, "reason", None),
            "message": str(error),
            "state": getattr(error, "order", {}).get("state"),
        }
    print(json.dumps(said, default=float), flush=True)

// Webhooks in Express: express.raw gives the route the body as it came. Let no express.json() run before it.
import express from "express";
import { Webhook, WebhookError } from "recarga";

const webhook = new Webhook(process.env.RECARGA_WEBHOOK_SECRET.split(","));

export const app = express();

app.post("/recarga", express.raw({ type: "*/*", limit: "1mb" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    return response.status(400).end();
  }
  if (event.type.startsWith("topup.")) { // not a ping
    // Store it here: once for each event.id, and only if event.data.sequence is higher than the order's last one.
    console.log(event.id, event.type, event.data.distributor_transaction_id, event.data.state);
  }
  response.status(204).end();
});

// Webhooks in Next.js: app/recarga/route.js. request.text() is the body as it came; request.json() is not.
import { Webhook, WebhookError } from "recarga";

const webhook = new Webhook(process.env.RECARGA_WEBHOOK_SECRET.split(","));

export async function POST(request) {
  let event;
  try {
    event = webhook.verify(await request.text(), request.headers);
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    return new Response(null, { status: 400 });
  }
  if (event.type.startsWith("topup.")) { // not a ping
    // Store it here: once for each event.id, and only if event.data.sequence is higher than the order's last one.
    console.log(event.id, event.type, event.data.distributor_transaction_id, event.data.state);
  }
  return new Response(null, { status: 204 });
}

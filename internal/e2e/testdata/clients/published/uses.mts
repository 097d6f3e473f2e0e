import { createServer } from "node:http";
import { AnswerError, Client, NoAnswerError, ProblemError, WaitTimeoutError, Webhook, WebhookError } from "recarga";
import type { Order, OrderDetails, OrderRequest, WebhookEvent } from "recarga";

const client = new Client("https://recarga.example", "key", { totalTimeoutMs: 1000 });
const request: OrderRequest = {
  distributor_transaction_id: "ORD-1", phone_number: "5537686660", product_id: "OF_OUR_OWN_CATALOGUE", amount: 10,
  metadata: { cart: "1842" }, priority: "high",
};
const placed: Order = await client.place(request, { signal: AbortSignal.timeout(1000) });
const ended: OrderDetails = await client.wait(placed.distributor_transaction_id, { timeoutMs: 5000 });
if (ended.state === "failed") console.log(ended.reason satisfies string | null, ended.attempts[0]?.outcome);
await client.cancel("ORD-1").catch((error: unknown) => {
  if (error instanceof ProblemError) console.log(error.status.toFixed(), error.errors[0]?.message, error.retryAfterMs);
  else if (error instanceof WaitTimeoutError) console.log(error.order.state);
  else if (error instanceof WebhookError) console.log(error.reason satisfies "headers" | "timestamp" | "signature" | "body");
  else if (error instanceof NoAnswerError || error instanceof AnswerError) console.log(error.message, error.cause);
});
const webhook = new Webhook(["whsec_a", "whsec_b"], { toleranceSeconds: 60 });
createServer((request) => {
  const event: WebhookEvent = webhook.verify(Buffer.from(""), request.headers);
  console.log(webhook.verify("", new Headers()).type, event.data.sequence + 1, event.data.state);
});

// @ts-expect-error the id is missing
await client.place({ phone_number: "5537686660", product_id: "MOVISTAR_TAE", amount: 10 });
// @ts-expect-error an amount is a number
await client.place({ ...request, amount: "10" });
// @ts-expect-error no such field
await client.place({ ...request, fone_number: "1" } satisfies OrderRequest);
// @ts-expect-error no such state
if (ended.state === "exploded") throw new Error();
// @ts-expect-error a parsed body
webhook.verify({ type: "topup.failed" }, {});

// Sends a webhook to the receivers for Express and Next.js, a ping, and one whose body was changed.
import { createHmac } from "node:crypto";
import { once } from "node:events";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
process.env.RECARGA_WEBHOOK_SECRET = secret;
const { app } = await import("./express.mjs");
const { POST } = await import("./next.mjs");

const body = '{"type":"topup.succeeded","timestamp":"2026-01-31T18:00:00Z","data":{"sequence":1,"state":"succeeded","distributor_transaction_id":"ORD-1"}}';
const ping = '{"type":"ping","timestamp":"2026-01-31T18:00:00Z","data":{"caller":"shop","endpoint":"default"}}';
const at = Math.floor(Date.now() / 1000);

function headersOf(signed) {
  const mac = createHmac("sha256", Buffer.from(secret.slice(6), "base64")).update(`evt_1.${at}.${signed}`).digest("base64");
  return { "Content-Type": "application/json", "webhook-id": "evt_1", "webhook-timestamp": `${at}`, "webhook-signature": `v1,${mac}` };
}

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/recarga`;
for (const [signed, sent] of [[body, body], [ping, ping], [body, `${body} `]]) {
  const message = { method: "POST", headers: headersOf(signed), body: sent };
  console.log((await fetch(url, message)).status, (await POST(new Request(url, message))).status);
}
server.close();

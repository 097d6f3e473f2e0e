// A receiver of Recarga's webhooks, for a checkout to start from.
//
//   RECARGA_WEBHOOK_SECRET  the secret you were given, whsec_…
//   PORT                    3000 by default; 0 takes any free one
import http from "node:http";
import { Webhook } from "standardwebhooks";

// One secret is all a receiver ever needs. While it is being replaced, Recarga signs every webhook with
// the old and the new one, so you change from one to the other within that time, whenever you like.
const secret = process.env.RECARGA_WEBHOOK_SECRET;
if (!secret?.startsWith("whsec_")) {
  console.error("RECARGA_WEBHOOK_SECRET must be the secret you were given, whsec_…");
  process.exit(2);
}
const webhook = new Webhook(secret);

// Two tables of your database, changed in one transaction. Here they end with the process.
const handled = new Set(); // webhook-id of every event that was handled
const orders = new Map(); // order id -> what the shop believes of it

// An event comes at least once, and events of one order may overtake each other.
function settle(id, { distributor_transaction_id: order, sequence, state }) {
  if (handled.has(id)) return "repeat, ignored";
  handled.add(id);
  if (sequence <= (orders.get(order)?.sequence ?? 0)) return "older news, ignored";
  orders.set(order, { sequence, state });
  return state; // "unknown" is not final: neither refund nor buy again, a final event follows
}

const maxBody = 256 * 1024; // far above any event

async function receive(request) {
  if (request.method !== "POST") return 405;
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    if ((size += chunk.length) <= maxBody) chunks.push(chunk);
  }
  if (size > maxBody) return 413;
  let event;
  try {
    // The signature is over the bytes as they came: verify first, parse after.
    event = webhook.verify(Buffer.concat(chunks), request.headers);
  } catch (error) {
    console.log(`refused: ${error.message}`);
    return 400;
  }
  if (!event.type.startsWith("topup.")) return 204; // a ping, or what a later Recarga sends: not about an order
  const id = request.headers["webhook-id"];
  const { distributor_transaction_id: order, sequence } = event.data;
  console.log(`${id} ${event.type} ${order} #${sequence}: ${settle(id, event.data)}`);
  return 204; // it is stored; slow work (mail, invoice) comes after the answer
}

const server = http.createServer((request, response) => {
  receive(request)
    .then((status) => response.writeHead(status).end())
    .catch((error) => { // a caller that hung up, or a store that failed: the event comes again
      console.error(error.message);
      response.writeHead(500).end();
    });
});
// Local only: put it behind the proxy that has your certificate.
server.listen(process.env.PORT ?? 3000, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

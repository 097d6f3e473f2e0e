"use strict";
const assert = require("node:assert/strict");
const { createHmac } = require("node:crypto");
const { createServer } = require("node:http");
const { test } = require("node:test");
const recarga = require("..");

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const other = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const order = { distributor_transaction_id: "ORD-1", phone_number: "5537686660", product_id: "MOVISTAR_TAE", amount: 10.1 };
const body = JSON.stringify({ type: "topup.succeeded", timestamp: "2026-01-31T18:00:00Z", data: { sequence: 1, state: "succeeded", ...order } });

function signed({ at = Math.floor(Date.now() / 1000), by = secret, content = body } = {}) {
  const mac = createHmac("sha256", Buffer.from(by.slice(6), "base64")).update(`evt_1.${at}.${content}`).digest("base64");
  return { "webhook-id": "evt_1", "webhook-timestamp": String(at), "webhook-signature": `v1,${mac}` };
}

const refused = (reason) => (error) =>
  error instanceof recarga.WebhookError && error.reason === reason;

test("the public vector of Standard Webhooks is signed as there", () => {
  const headers = { "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" };
  const lenient = new recarga.Webhook(secret, { toleranceSeconds: 1e9 });
  assert.throws(() => lenient.verify('{"test": 2432232314}', headers), refused("body")); // it is signed, and no event
  assert.throws(() => lenient.verify('{"test": 2432232315}', headers), refused("signature"));
});

test("headers are read from each framework's kind", () => {
  const webhook = new recarga.Webhook([other, secret]);
  const headers = signed();
  for (const source of [headers, new Headers(headers), new Map(Object.entries(headers)),
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]))]) {
    const event = webhook.verify(Buffer.from(body), source);
    assert.equal(event.id, "evt_1");
    assert.equal(event.data.amount, 10.1);
  }
});

test("what must not be believed is refused", () => {
  const webhook = new recarga.Webhook(secret);
  const now = Math.floor(Date.now() / 1000);
  webhook.verify(body, signed({ at: now - 290 }));
  for (const at of [now - 310, now + 310, 0]) {
    assert.throws(() => webhook.verify(body, signed({ at })), refused("timestamp"));
  }
  for (const at of ["", "1e9", "-1", " 1", "0x10"]) {
    assert.throws(() => webhook.verify(body, { ...signed(), "webhook-timestamp": at }), refused(at ? "timestamp" : "headers"));
  }
  const good = signed()["webhook-signature"];
  webhook.verify(body, { ...signed(), "webhook-signature": `v1a,x nonsense ${good}` });
  for (const signature of [good.slice(3), good.slice(0, -1), good.replace("v1", "v2"), good.toUpperCase(), "v1,", " "]) {
    assert.throws(() => webhook.verify(body, { ...signed(), "webhook-signature": signature }), refused("signature"));
  }
  for (const content of ["", "[]", "{}", "null", '{"type":"topup.failed","data":{}}', '{"type":7,"data":{}}']) {
    assert.throws(() => webhook.verify(content, signed({ content })), refused("body"));
  }
  assert.throws(() => webhook.verify(JSON.parse(body), signed()), TypeError);
  const operators = '{"type":"balance.low","timestamp":"2026-01-31T18:00:00Z","data":{}}';
  assert.equal(webhook.verify(operators, signed({ content: operators })).type, "balance.low");
});

test("what cannot be a secret is refused", () => {
  for (const wrong of [[], [secret, ""], "", "whsec_", secret.slice(6), `${secret}\n`]) {
    assert.throws(() => new recarga.Webhook(wrong), TypeError);
  }
  assert.throws(() => new recarga.Webhook(secret, { toleranceSeconds: 0 }), TypeError);
});

test("an amount that JSON cannot say is refused, and a signal ends a call at once", async (t) => {
  const bodies = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    bodies.push(text);
    response.writeHead(503, { "Retry-After": "86400" }).end();
  });
  t.after(() => server.close() && server.closeAllConnections());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new recarga.Client(`http://127.0.0.1:${server.address().port}/`, "key");
  for (const amount of [NaN, Infinity, "10", undefined]) {
    await assert.rejects(client.place({ ...order, amount }), TypeError);
  }
  await assert.rejects(client.place(order, { signal: AbortSignal.abort(new Error("closed")) }), /closed/);
  assert.deepEqual(bodies, []);
  await assert.rejects(client.place(order), (error) =>
    error instanceof recarga.NoAnswerError && error.cause instanceof recarga.ProblemError && error.cause.retryAfterMs === 86400000);
  assert.deepEqual(bodies, [JSON.stringify(order)]);
});

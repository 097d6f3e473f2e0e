// Does with the client for Node what the lines of its input say, and answers each with a line.
import { createInterface } from "node:readline";
import { Client, Webhook } from "recarga";

let client;

const ms = (seconds) => (seconds === undefined ? undefined : seconds * 1000);

async function run({ do: what, url, key, attempt, total, order, id, timeout, body, headers, secrets }) {
  switch (what) {
    case "client":
      client = new Client(url, key, { attemptTimeoutMs: ms(attempt), totalTimeoutMs: ms(total) });
      return {};
    case "place":
      return client.place(order);
    case "get":
      return client.get(id);
    case "cancel":
      return client.cancel(id);
    case "wait":
      return client.wait(id, { timeoutMs: ms(timeout) });
    case "verify": {
      const event = new Webhook(secrets).verify(Buffer.from(body, "base64"), headers);
      return { id: event.id, type: event.type, sequence: event.data.sequence, ...event.data };
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await run(JSON.parse(line));
  } catch (error) {
    const { name, status, reason, message, order } = error;
    said = { error: name === "TypeError" ? "usage" : name.replace(/Error$/, ""), status, reason, message, state: order?.state };
  }
  console.log(JSON.stringify(said));
}

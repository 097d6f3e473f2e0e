"use strict";
// The client of Recarga's HTTP API, and the verifier of its webhooks. No dependencies.

const { createHmac, timingSafeEqual } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const { version } = require("./package.json");

/** @typedef {import("./openapi.js").components["schemas"]} Schemas */
/**
 * What `place` takes. The catalogue of the server says which products there are.
 * @typedef {Omit<Schemas["OrderRequest"], "product_id"> & { product_id: string }} OrderRequest
 */
/** @typedef {Schemas["Order"]} Order */
/** @typedef {Schemas["OrderDetails"]} OrderDetails */
/** @typedef {Partial<Schemas["Problem"]>} Problem */
/**
 * What every method takes. `signal` ends it at once; the order may be placed nevertheless.
 * @typedef {{ signal?: AbortSignal | undefined }} CallOptions
 */
/**
 * `attemptTimeoutMs` bounds one request (30,000 by default), and `totalTimeoutMs` a call with all its repeats (60,000).
 * @typedef {{ attemptTimeoutMs?: number | undefined, totalTimeoutMs?: number | undefined }} ClientOptions
 */
/**
 * An event of an order (its type begins with `topup.`); `data.sequence` rises, so that you can drop older ones.
 * Operators get others, whose data is no order.
 * @typedef {{ id: string, type: string, timestamp: string, data: Order & { sequence: number } }} WebhookEvent
 */
/** @typedef {{ get(name: string): string | null } | Record<string, string | string[] | undefined>} HeaderSource */

/** What every error of this package is, but a TypeError: that is a mistake in how it is called. */
class RecargaError extends Error {
  /** @param {string} message @param {{ cause?: unknown }} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The API refused the request: it is wrong, or does not apply to the order. */
class ProblemError extends RecargaError {
  /** @param {string} what @param {number} status @param {Problem} problem @param {number} retryAfterMs */
  constructor(what, status, problem, retryAfterMs) {
    const errors = (Array.isArray(problem.errors) ? problem.errors : []).filter(isObject);
    const fields = errors.map(({ location, message = "", value }) => {
      const found = value == null ? "" : ` ${JSON.stringify(value)}`;
      return `${String(location ?? "").replace(/^(body|query)\./, "")}${found} ${message}`;
    });
    super(`${what}: ${[status, problem.title].filter(Boolean).join(" ")}: ${fields.join("; ") || problem.detail}`);
    /** The status of the answer. */
    this.status = status;
    /** The answer (RFC 9457). @type {Problem} */
    this.problem = problem;
    /** The wrong fields of the request. @type {Schemas["WrongField"][]} */
    this.errors = errors;
    /** How long the API asked to wait; 0 where it did not. */
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came in time, or only answers that the API is not ready; `cause` is the last of them. The request may
 * have been carried out: call again with the same id. */
class NoAnswerError extends RecargaError {}

/** What came is no answer of Recarga's to this request. It may have been carried out: call again with the same id. */
class AnswerError extends RecargaError {}

/** The order has not ended in time. */
class WaitTimeoutError extends RecargaError {
  /** @param {OrderDetails} order @param {unknown} cause */
  constructor(order, cause) {
    super(`wait for ${order.distributor_transaction_id}: it is still ${order.state}`, { cause });
    /** As it was last seen. @type {OrderDetails} */
    this.order = order;
  }
}

/** A webhook that must not be believed. */
class WebhookError extends RecargaError {
  /** @param {"headers" | "timestamp" | "signature" | "body"} reason @param {string} message */
  constructor(reason, message) {
    super(message);
    /** What is wrong with it. */
    this.reason = reason;
  }
}

const ORDER_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,64}$/;
const ENDED = ["succeeded", "failed", "canceled", "unknown"];
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** How long the server is asked to wait for a change of an order. Proxies cut longer silences. */
const LONGEST_WAIT_S = 30;

const now = () => performance.now();

/** @param {number} n counts the pauses, from 0 */
function pauseOf(n) {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** n) * (0.5 + Math.random() / 2);
}

/** Retry-After, in seconds or as a date, as milliseconds from now. @param {string | null} value */
function retryAfterMs(value) {
  if (value == null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {string} text @returns {unknown} undefined where it is no JSON */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {unknown} id @returns {asserts id is string} */
function checkId(id) {
  if (typeof id !== "string" || !ORDER_ID.test(id)) {
    throw new TypeError(`distributor_transaction_id ${JSON.stringify(id)} must be 1 to 64 of A-Z a-z 0-9 . _ : -`);
  }
}

/** @param {string} name @param {number} value */
function checkTime(name, value) {
  if (!(value > 0 && value < 2 ** 31)) throw new TypeError(`${name} ${value} must be a positive number of milliseconds`);
  return value;
}

/** Whether a server does not know `?wait=`. @param {unknown} error */
function refusesToWait(error) {
  return error instanceof ProblemError && error.status === 422 &&
    error.errors.some(({ location }) => location === "query.wait");
}

/** @param {string} url */
function baseOf(url) {
  const wrong = (/** @type {string} */ why) => new TypeError(`the URL of Recarga's API ${JSON.stringify(url)} ${why}`);
  if (typeof url !== "string" || !/^https?:\/\/[^\s\p{Cc}]+$/iu.test(url) || !URL.canParse(url)) {
    throw wrong("must be like https://recarga.example");
  }
  const { username, password, search, hash } = new URL(url);
  if (username || password || search || hash || /[?#]/.test(url)) throw wrong("must have no user, query or fragment");
  const base = url.replace(/\/+$/, "");
  if (/\/v1(\/topups)?$/.test(base)) throw wrong("must end before /v1");
  return base;
}

/**
 * A request; with a `tag`, only for what has changed since. `extraMs` is how much longer than others it may take.
 * @typedef {{ what: string, method: string, path: string, id: string, body?: string, tag?: string, extraMs?: number }} Call
 */

/** Places orders, and asks for them. Each method repeats its request, with the same id, until it is answered or the
 * time is over. */
class Client {
  #base;
  #headers;
  #attemptMs;
  #totalMs;
  /** Whether the server knows `?wait=`. */
  #waits = true;

  /**
   * @param {string} url as in https://recarga.example
   * @param {string} key the caller's API key
   * @param {ClientOptions} [options]
   */
  constructor(url, key, { attemptTimeoutMs = 30_000, totalTimeoutMs = 60_000 } = {}) {
    this.#base = baseOf(url);
    if (typeof key !== "string" || !/^[\x21-\x7e]+$/.test(key)) {
      throw new TypeError("the API key must be ASCII without blanks and newlines, and not empty");
    }
    this.#headers = { Authorization: `Bearer ${key}`, Accept: "application/json", "User-Agent": `recarga-node/${version}` };
    this.#attemptMs = checkTime("attemptTimeoutMs", attemptTimeoutMs);
    this.#totalMs = checkTime("totalTimeoutMs", totalTimeoutMs);
  }

  /**
   * Places an order. The same id with the same content is the same order, however often it is placed. An order of the
   * shop keeps its id for ever: save it before you call this, and after a NoAnswerError or a crash place it again.
   *
   * @param {OrderRequest} order
   * @param {CallOptions} [options]
   * @returns {Promise<Order>}
   */
  async place(order, { signal } = {}) {
    if (!isObject(order)) throw new TypeError("the order must be an object");
    const id = order.distributor_transaction_id;
    checkId(id);
    // JSON has no NaN: it would become null.
    if (!Number.isFinite(order.amount)) throw new TypeError(`amount ${order.amount} must be a number of pesos`);
    const body = JSON.stringify(order);
    const call = { what: `place ${id}`, method: "POST", path: "/v1/topups", id, body };
    return (await this.#repeat(call, this.#totalMs, signal)).order;
  }

  /**
   * Returns an order with its attempts and events.
   *
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<OrderDetails>}
   */
  async get(id, { signal } = {}) {
    checkId(id);
    const call = { what: `get ${id}`, method: "GET", path: `/v1/topups/${id}`, id };
    return (await this.#repeat(call, this.#totalMs, signal)).order;
  }

  /**
   * Withdraws an order. A ProblemError with status 409 says that money may have moved.
   *
   * @param {string} id
   * @param {CallOptions} [options]
   * @returns {Promise<Order>}
   */
  async cancel(id, { signal } = {}) {
    checkId(id);
    const call = { what: `cancel ${id}`, method: "POST", path: `/v1/topups/${id}/cancel`, id };
    return (await this.#repeat(call, this.#totalMs, signal)).order;
  }

  /**
   * Waits until an order has ended (`succeeded`, `failed`, `canceled`) or is held as `unknown`: then neither refund nor
   * buy again, a person settles it. Throws a WaitTimeoutError after `timeoutMs` (60,000 by default).
   *
   * @param {string} id
   * @param {CallOptions & { timeoutMs?: number | undefined }} [options]
   * @returns {Promise<OrderDetails>}
   */
  async wait(id, { timeoutMs = 60_000, signal } = {}) {
    checkId(id);
    const end = now() + checkTime("timeoutMs", timeoutMs);
    const path = `/v1/topups/${id}`;
    /** @type {OrderDetails | undefined} */
    let order;
    let tag = "";
    for (let n = 0; ; n++) {
      const asked = now();
      const leftMs = Math.max(1, end - asked);
      const seconds = order && this.#waits ? Math.min(LONGEST_WAIT_S, Math.floor(leftMs / 1000)) : 0;
      const call = { what: `wait for ${id}`, method: "GET", path, id, tag };
      try {
        const seen = await this.#repeat(
          seconds ? { ...call, path: `${path}?wait=${seconds}s`, extraMs: seconds * 1000 } : call, leftMs, signal);
        if (seen.order) ({ order, tag } = seen);
      } catch (error) {
        if (order && error instanceof NoAnswerError) throw new WaitTimeoutError(order, error);
        if (!seconds || !refusesToWait(error)) throw error;
        this.#waits = false;
      }
      if (order && ENDED.includes(order.state)) return order;
      // A server that has waited itself is asked again at once.
      const pause = now() - asked < 1000 ? pauseOf(n) : 0;
      if (order && now() + pause >= end) throw new WaitTimeoutError(order, undefined);
      await sleep(pause, undefined, { signal });
    }
  }

  /**
   * @param {Call} call @param {number} totalMs @param {AbortSignal | undefined} signal
   * @returns {Promise<{ order: any, tag: string }>} without an order where it has not changed
   */
  async #repeat(call, totalMs, signal) {
    const end = now() + totalMs;
    for (let n = 0; ; n++) {
      const failure = await this.#once(call, end - now(), signal);
      if ("order" in failure) return failure;
      signal?.throwIfAborted();
      const pause = Math.max(pauseOf(n), failure.retryAfterMs);
      if (now() + pause >= end) {
        const { message } = failure.error;
        throw new NoAnswerError(`${call.what}: not answered in time; last: ${message}`, { cause: failure.error });
      }
      await sleep(pause, undefined, { signal });
    }
  }

  /**
   * Makes one request. What may succeed later is returned, and anything else thrown.
   *
   * @param {Call} call @param {number} leftMs @param {AbortSignal | undefined} signal
   * @returns {Promise<{ order: unknown, tag: string } | { error: Error, retryAfterMs: number }>}
   */
  async #once({ what, method, path, id, body, tag, extraMs = 0 }, leftMs, signal) {
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(Math.min(leftMs, this.#attemptMs + extraMs))));
    /** @type {Record<string, string>} */
    const headers = { ...this.#headers };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (tag) headers["If-None-Match"] = tag;
    let answer, text;
    try {
      answer = await fetch(this.#base + path, {
        method,
        headers,
        body: body ?? null,
        redirect: "manual", // a redirected POST would become a GET
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await answer.text();
    } catch (error) {
      const { message, cause } = /** @type {Error} */ (error);
      const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
      return { error: new NoAnswerError(why, { cause: error }), retryAfterMs: 0 };
    }
    const { status } = answer;
    const said = parse(text);
    if (status >= 400) {
      const problem = isObject(said) ? said : { detail: "the answer is no problem document; is this Recarga's API?" };
      const after = retryAfterMs(answer.headers.get("Retry-After"));
      const error = new ProblemError(what, status, problem, after);
      if (status >= 500 || status === 408 || status === 425 || status === 429) return { error, retryAfterMs: after };
      throw error;
    }
    if (status === 304 && tag) return { order: undefined, tag };
    if (status !== 200 && status !== 202) {
      throw new AnswerError(`${what}: the answer is ${status}, not an order; is this the URL of Recarga's API?`);
    }
    if (!isObject(said)) throw new AnswerError(`${what}: the answer is no JSON object; is this Recarga's API?`);
    if (said.distributor_transaction_id !== id) {
      const other = JSON.stringify(said.distributor_transaction_id);
      throw new AnswerError(`${what}: the answer is of the order ${other}; is this Recarga's API?`);
    }
    if (typeof said.state !== "string" || said.state === "") {
      throw new AnswerError(`${what}: the answer has no state; is this Recarga's API?`);
    }
    return { order: said, tag: answer.headers.get("ETag") ?? "" };
  }
}

/** @param {string} secret */
function keyOf(secret) {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  const key = Buffer.from(encoded ?? "", "base64");
  if (key.length < 24 || key.length > 64 || key.toString("base64") !== encoded) {
    throw new TypeError("a webhook secret must be whsec_ and 24 to 64 bytes in base64"); // the text is secret
  }
  return key;
}

/** @param {HeaderSource} headers @param {string} name */
function header(headers, name) {
  if (typeof headers.get === "function") return headers.get(name) ?? "";
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name) return String((Array.isArray(value) ? value[0] : value) ?? "");
  }
  return "";
}

/** Verifies Recarga's webhooks (Standard Webhooks). */
class Webhook {
  #keys;
  #toleranceSeconds;

  /**
   * @param {string | string[]} secrets the caller's secret, whsec_…; several while one is being replaced
   * @param {{ toleranceSeconds?: number | undefined }} [options] how far the timestamp may be from this clock (300)
   */
  constructor(secrets, { toleranceSeconds = 300 } = {}) {
    this.#keys = [secrets].flat().map(keyOf);
    if (this.#keys.length === 0) throw new TypeError("a webhook secret is needed");
    if (!(toleranceSeconds > 0)) throw new TypeError(`toleranceSeconds ${toleranceSeconds} must be positive`);
    this.#toleranceSeconds = toleranceSeconds;
  }

  /**
   * Returns the event of a webhook that was signed lately with one of the secrets; else throws a WebhookError.
   *
   * @param {string | Uint8Array} body as received, byte for byte, before anything parsed it
   * @param {HeaderSource} headers of the request
   * @returns {WebhookEvent}
   */
  verify(body, headers) {
    if (typeof body !== "string" && !(body instanceof Uint8Array)) {
      throw new TypeError("verify needs the raw body, a string or a Buffer, not what a parser made of it");
    }
    const id = header(headers, "webhook-id");
    const at = header(headers, "webhook-timestamp");
    const signatures = header(headers, "webhook-signature");
    if (!id || !at || !signatures) {
      throw new WebhookError("headers", "webhook-id, webhook-timestamp or webhook-signature is missing");
    }
    if (!/^\d{1,12}$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > this.#toleranceSeconds) {
      throw new WebhookError("timestamp", "webhook-timestamp is too far from this clock");
    }
    if (!this.#signed(body, id, at, signatures.split(" "))) {
      throw new WebhookError("signature", "no webhook-signature matches");
    }
    const event = parse(typeof body === "string" ? body : new TextDecoder().decode(body));
    if (!isObject(event) || typeof event.type !== "string" || event.type === "" || !isObject(event.data) ||
      (event.type.startsWith("topup.") && !event.data.distributor_transaction_id)) {
      throw new WebhookError("body", "the body is not an event");
    }
    return /** @type {WebhookEvent} */ (/** @type {unknown} */ ({ ...event, id }));
  }

  /** @param {string | Uint8Array} body @param {string} id @param {string} at @param {string[]} signatures */
  #signed(body, id, at, signatures) {
    let found = false;
    for (const key of this.#keys) {
      const mac = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest("base64");
      const want = Buffer.from(`v1,${mac}`);
      for (const signature of signatures) {
        const given = Buffer.from(signature);
        if (given.length === want.length && timingSafeEqual(given, want)) found = true;
      }
    }
    return found;
  }
}

module.exports = {
  AnswerError, Client, NoAnswerError, ProblemError, RecargaError, WaitTimeoutError, Webhook, WebhookError,
};

export type Schemas = import("./openapi.js").components["schemas"];
/**
 * What `place` takes. The catalogue of the server says which products there are.
 */
export type OrderRequest = Omit<Schemas["OrderRequest"], "product_id"> & {
    product_id: string;
};
export type Order = Schemas["Order"];
export type OrderDetails = Schemas["OrderDetails"];
export type Problem = Partial<Schemas["Problem"]>;
/**
 * What every method takes. `signal` ends it at once; the order may be placed nevertheless.
 */
export type CallOptions = {
    signal?: AbortSignal | undefined;
};
/**
 * `attemptTimeoutMs` bounds one request (30,000 by default), and `totalTimeoutMs` a call with all its repeats (60,000).
 */
export type ClientOptions = {
    attemptTimeoutMs?: number | undefined;
    totalTimeoutMs?: number | undefined;
};
/**
 * An event of an order (its type begins with `topup.`); `data.sequence` rises, so that you can drop older ones.
 * Operators get others, whose data is no order.
 */
export type WebhookEvent = {
    id: string;
    type: string;
    timestamp: string;
    data: Order & {
        sequence: number;
    };
};
export type HeaderSource = {
    get(name: string): string | null;
} | Record<string, string | string[] | undefined>;
/**
 * A request; with a `tag`, only for what has changed since. `extraMs` is how much longer than others it may take.
 */
export type Call = {
    what: string;
    method: string;
    path: string;
    id: string;
    body?: string;
    tag?: string;
    extraMs?: number;
};
/** What came is no answer of Recarga's to this request. It may have been carried out: call again with the same id. */
export class AnswerError extends RecargaError {
}
/**
 * A request; with a `tag`, only for what has changed since. `extraMs` is how much longer than others it may take.
 * @typedef {{ what: string, method: string, path: string, id: string, body?: string, tag?: string, extraMs?: number }} Call
 */
/** Places orders, and asks for them. Each method repeats its request, with the same id, until it is answered or the
 * time is over. */
export class Client {
    /**
     * @param {string} url as in https://recarga.example
     * @param {string} key the caller's API key
     * @param {ClientOptions} [options]
     */
    constructor(url: string, key: string, { attemptTimeoutMs, totalTimeoutMs }?: ClientOptions);
    /**
     * Places an order. The same id with the same content is the same order, however often it is placed. An order of the
     * shop keeps its id for ever: save it before you call this, and after a NoAnswerError or a crash place it again.
     *
     * @param {OrderRequest} order
     * @param {CallOptions} [options]
     * @returns {Promise<Order>}
     */
    place(order: OrderRequest, { signal }?: CallOptions): Promise<Order>;
    /**
     * Returns an order with its attempts and events.
     *
     * @param {string} id
     * @param {CallOptions} [options]
     * @returns {Promise<OrderDetails>}
     */
    get(id: string, { signal }?: CallOptions): Promise<OrderDetails>;
    /**
     * Withdraws an order. A ProblemError with status 409 says that money may have moved.
     *
     * @param {string} id
     * @param {CallOptions} [options]
     * @returns {Promise<Order>}
     */
    cancel(id: string, { signal }?: CallOptions): Promise<Order>;
    /**
     * Waits until an order has ended (`succeeded`, `failed`, `canceled`) or is held as `unknown`: then neither refund nor
     * buy again, a person settles it. Throws a WaitTimeoutError after `timeoutMs` (60,000 by default).
     *
     * @param {string} id
     * @param {CallOptions & { timeoutMs?: number | undefined }} [options]
     * @returns {Promise<OrderDetails>}
     */
    wait(id: string, { timeoutMs, signal }?: CallOptions & {
        timeoutMs?: number | undefined;
    }): Promise<OrderDetails>;
    #private;
}
/** No answer came in time, or only answers that the API is not ready; `cause` is the last of them. The request may
 * have been carried out: call again with the same id. */
export class NoAnswerError extends RecargaError {
}
/** The API refused the request: it is wrong, or does not apply to the order. */
export class ProblemError extends RecargaError {
    /** @param {string} what @param {number} status @param {Problem} problem @param {number} retryAfterMs */
    constructor(what: string, status: number, problem: Problem, retryAfterMs: number);
    /** The status of the answer. */
    status: number;
    /** The answer (RFC 9457). @type {Problem} */
    problem: Problem;
    /** The wrong fields of the request. @type {Schemas["WrongField"][]} */
    errors: Schemas["WrongField"][];
    /** How long the API asked to wait; 0 where it did not. */
    retryAfterMs: number;
}
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
export class RecargaError extends Error {
    /** @param {string} message @param {{ cause?: unknown }} [options] */
    constructor(message: string, options?: {
        cause?: unknown;
    });
}
/** The order has not ended in time. */
export class WaitTimeoutError extends RecargaError {
    /** @param {OrderDetails} order @param {unknown} cause */
    constructor(order: OrderDetails, cause: unknown);
    /** As it was last seen. @type {OrderDetails} */
    order: OrderDetails;
}
/** Verifies Recarga's webhooks (Standard Webhooks). */
export class Webhook {
    /**
     * @param {string | string[]} secrets the caller's secret, whsec_…; several while one is being replaced
     * @param {{ toleranceSeconds?: number | undefined }} [options] how far the timestamp may be from this clock (300)
     */
    constructor(secrets: string | string[], { toleranceSeconds }?: {
        toleranceSeconds?: number | undefined;
    });
    /**
     * Returns the event of a webhook that was signed lately with one of the secrets; else throws a WebhookError.
     *
     * @param {string | Uint8Array} body as received, byte for byte, before anything parsed it
     * @param {HeaderSource} headers of the request
     * @returns {WebhookEvent}
     */
    verify(body: string | Uint8Array, headers: HeaderSource): WebhookEvent;
    #private;
}
/** A webhook that must not be believed. */
export class WebhookError extends RecargaError {
    /** @param {"headers" | "timestamp" | "signature" | "body"} reason @param {string} message */
    constructor(reason: "headers" | "timestamp" | "signature" | "body", message: string);
    /** What is wrong with it. */
    reason: "timestamp" | "body" | "headers" | "signature";
}

// What a checkout does with the types that openapi-typescript makes of docs/openapi.json. A type that were any, or never,
// would not compile.
import type { components, paths, webhooks } from "./api.js";

type Order = components["schemas"]["Order"];
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Accepted = paths["/v1/topups"]["post"]["responses"]["202"]["content"]["application/json"];

export const same: Equal<Accepted, Order> = true;
export const told: keyof webhooks = "topup.succeeded";
export const label = (order: Order): string => order.distributor_transaction_id + (order.reason ?? order.state);
// @ts-expect-error there is no such state
export const wrong: Order["state"] = "won";

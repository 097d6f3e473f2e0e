<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Order
{
    public function __construct(
        /** MXN. */
        public readonly int|float $amount,
        /** How many requests went to the distributor. */
        public readonly int $attempt_count,
        /** The carrier's authorization. */
        public readonly ?string $auth_code,
        /** The distributor's balance after the purchase, in its own currency. */
        public readonly int|float|null $balance_after,
        /** Who placed it. */
        public readonly string $caller,
        /** When it was accepted. */
        public readonly string $created_at,
        /** Always MXN. */
        public readonly string $currency,
        /** The order's id, yours. */
        public readonly string $distributor_transaction_id,
        /** Not after this time; null: no end of your own. */
        public readonly ?string $expires_at,
        /** When it became final. */
        public readonly ?string $finished_at,
        /**
         * Your own texts, as they were sent.
         * @var array<string, string>
         */
        public readonly array $metadata,
        /** When it will be tried (again); null when no try is scheduled. */
        public readonly ?string $next_attempt_at,
        /** The carrier's name; empty where it was not given. */
        public readonly ?string $operator,
        /** The 10 digits. */
        public readonly string $phone_number,
        /**
         * `high`, `normal` or `bulk`.
         * @var 'high'|'normal'|'bulk'
         */
        public readonly string $priority,
        /** Not before this time; null: at once. */
        public readonly ?string $process_at,
        /** The product, of `GET /v1/products`. */
        public readonly string $product_id,
        /**
         * Why it failed; null in any other state.
         * @var 'declined'|'retries_exhausted'|'expired'|'invalid'|'resolved'|null
         */
        public readonly ?string $reason,
        /** The carrier's reference. */
        public readonly ?string $reference,
        /** The distributor's code of the last attempt. */
        public readonly ?string $response_code,
        /** The distributor's words for it. */
        public readonly ?string $response_message,
        /**
         * `queued`: accepted durably, waiting (also: scheduled for later) (money: not moved). `submitting`: an attempt
         * is under way (money: may be moving). `retrying`: the last attempt was `unavailable` or `not_sent`; the next
         * one is scheduled (money: not moved). `unknown`: an attempt is in doubt: its outcome is not known, or a
         * statement charges what it denies; held, never sent again by itself (money: may have moved). `succeeded`:
         * code 00 (money: moved). `failed`: final, for the reason given (money: not moved). `canceled`: withdrawn by
         * the caller before any attempt could have moved money (money: not moved).
         * @var 'queued'|'submitting'|'retrying'|'unknown'|'succeeded'|'failed'|'canceled'
         */
        public readonly string $state,
        /** The distributor's id of the purchase. */
        public readonly ?string $transaction_id,
        /** When it changed last. */
        public readonly string $updated_at,
        /**
         * Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), `outage` (its
         * operator fails), `balance`, `login` (the distributor refuses our credentials), `paused` (somebody has paused
         * its purchase), `operator` (somebody holds it back); null when it does not.
         * @var 'turn'|'pace'|'outage'|'balance'|'login'|'paused'|'operator'|null
         */
        public readonly ?string $waits_for,
        public readonly ?Conclusion $conclusion = null,
        /**
         * Since when later evidence contradicts the final state, which stays until a person decides; absent when none
         * does.
         */
        public readonly ?string $disputed_at = null,
    ) {
    }

    /**
     * @param array<string, mixed> $json
     *
     * @throws \TypeError where a value is missing or of another kind
     */
    public static function fromArray(array $json): self
    {
        return new self(
            amount: $json['amount'] ?? null,
            attempt_count: $json['attempt_count'] ?? null,
            auth_code: $json['auth_code'] ?? null,
            balance_after: $json['balance_after'] ?? null,
            caller: $json['caller'] ?? null,
            created_at: $json['created_at'] ?? null,
            currency: $json['currency'] ?? null,
            distributor_transaction_id: $json['distributor_transaction_id'] ?? null,
            expires_at: $json['expires_at'] ?? null,
            finished_at: $json['finished_at'] ?? null,
            metadata: $json['metadata'] ?? [],
            next_attempt_at: $json['next_attempt_at'] ?? null,
            operator: $json['operator'] ?? null,
            phone_number: $json['phone_number'] ?? null,
            priority: $json['priority'] ?? null,
            process_at: $json['process_at'] ?? null,
            product_id: $json['product_id'] ?? null,
            reason: $json['reason'] ?? null,
            reference: $json['reference'] ?? null,
            response_code: $json['response_code'] ?? null,
            response_message: $json['response_message'] ?? null,
            state: $json['state'] ?? null,
            transaction_id: $json['transaction_id'] ?? null,
            updated_at: $json['updated_at'] ?? null,
            waits_for: $json['waits_for'] ?? null,
            conclusion: isset($json['conclusion']) ? Conclusion::fromArray($json['conclusion']) : null,
            disputed_at: $json['disputed_at'] ?? null,
        );
    }
}

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Event
{
    public function __construct(
        /** When its endpoint answered 2xx; null: it has not. */
        public readonly ?string $delivered_at,
        /** The webhook-id: the same on every try. */
        public readonly string $id,
        /** Rises by one per order: drop what is older than you have. */
        public readonly int $sequence,
        /**
         * All requests to the endpoint, in their order.
         * @var list<DeliveryTry>
         */
        public readonly array $tries,
        /**
         * As in `topup.succeeded`.
         * @var 'topup.unknown'|'topup.succeeded'|'topup.failed'|'topup.canceled'|'topup.corrected'|'endpoint.disabled'|'balance.low'|'balance.drift'
         */
        public readonly string $type,
        /** The name of the caller's endpoint that receives it; absent for the callback URL. */
        public readonly ?string $endpoint = null,
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
            delivered_at: $json['delivered_at'] ?? null,
            id: $json['id'] ?? null,
            sequence: $json['sequence'] ?? null,
            tries: isset($json['tries']) ? array_map([DeliveryTry::class, 'fromArray'], $json['tries']) : [],
            type: $json['type'] ?? null,
            endpoint: $json['endpoint'] ?? null,
        );
    }
}

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Correction
{
    public function __construct(
        /** When. */
        public readonly string $at,
        public readonly ?string $auth_code,
        /** @var 'succeeded'|'failed'|'resend'|'held'|'restored' */
        public readonly string $outcome,
        public readonly ?string $reference,
        public readonly ?string $transaction_id,
        /** @var 'queued'|'submitting'|'retrying'|'unknown'|'succeeded'|'failed'|'canceled' */
        public readonly string $was,
        public readonly ?string $was_transaction_id,
        /** For the operator: who decided. */
        public readonly ?string $by = null,
        /** For the operator: why. */
        public readonly ?string $reason = null,
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
            at: $json['at'] ?? null,
            auth_code: $json['auth_code'] ?? null,
            outcome: $json['outcome'] ?? null,
            reference: $json['reference'] ?? null,
            transaction_id: $json['transaction_id'] ?? null,
            was: $json['was'] ?? null,
            was_transaction_id: $json['was_transaction_id'] ?? null,
            by: $json['by'] ?? null,
            reason: $json['reason'] ?? null,
        );
    }
}

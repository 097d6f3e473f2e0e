<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Resolution
{
    public function __construct(
        /** When. */
        public readonly string $at,
        /** The number of the attempt that was held. */
        public readonly int $attempt,
        public readonly ?string $auth_code,
        /**
         * `succeeded`, `failed` or `resend`; `held`: a statement charged it while it waited.
         * @var 'succeeded'|'failed'|'resend'|'held'|'restored'
         */
        public readonly string $outcome,
        public readonly ?string $reference,
        public readonly ?string $transaction_id,
        /** For the operator: who decided. */
        public readonly ?string $by = null,
        /** For the operator: it was decided while the attempt's answer might still have been on the way. */
        public readonly ?bool $forced = null,
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
            attempt: $json['attempt'] ?? null,
            auth_code: $json['auth_code'] ?? null,
            outcome: $json['outcome'] ?? null,
            reference: $json['reference'] ?? null,
            transaction_id: $json['transaction_id'] ?? null,
            by: $json['by'] ?? null,
            forced: $json['forced'] ?? null,
            reason: $json['reason'] ?? null,
        );
    }
}

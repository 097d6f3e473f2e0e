<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Attempt
{
    public function __construct(
        /** Why the outcome does not follow from a response code. A caller sees one sentence for each outcome. */
        public readonly ?string $error,
        /** When its outcome was recorded; null while it is under way. */
        public readonly ?string $finished_at,
        /** Of the distributor's answer; null where there was none. */
        public readonly ?int $http_status,
        /** Counts from 1. */
        public readonly int $number,
        /**
         * Null while it is under way.
         * @var 'approved'|'declined'|'unavailable'|'not_sent'|'unknown'|null
         */
        public readonly ?string $outcome,
        /** The distributor's code; null where the answer had none. */
        public readonly ?string $response_code,
        /** The distributor's words for it. */
        public readonly ?string $response_message,
        /** When the request was made. */
        public readonly string $started_at,
        /**
         * For the operator. Of an unknown outcome: how far the request got, how the answer began, and what the balance
         * did meanwhile.
         */
        public readonly ?string $evidence = null,
        /** True where it was made to try an operator that was out. The first three of an order spent no try. */
        public readonly ?bool $probe = null,
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
            error: $json['error'] ?? null,
            finished_at: $json['finished_at'] ?? null,
            http_status: $json['http_status'] ?? null,
            number: $json['number'] ?? null,
            outcome: $json['outcome'] ?? null,
            response_code: $json['response_code'] ?? null,
            response_message: $json['response_message'] ?? null,
            started_at: $json['started_at'] ?? null,
            evidence: $json['evidence'] ?? null,
            probe: $json['probe'] ?? null,
        );
    }
}

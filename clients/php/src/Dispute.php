<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Dispute
{
    public function __construct(
        public readonly ?string $ended_at,
        public readonly string $evidence,
        public readonly string $raised_by,
        public readonly string $since,
        public readonly ?string $ended_by = null,
        public readonly ?string $outcome = null,
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
            ended_at: $json['ended_at'] ?? null,
            evidence: $json['evidence'] ?? null,
            raised_by: $json['raised_by'] ?? null,
            since: $json['since'] ?? null,
            ended_by: $json['ended_by'] ?? null,
            outcome: $json['outcome'] ?? null,
            reason: $json['reason'] ?? null,
        );
    }
}

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class DeliveryTry
{
    public function __construct(
        /** When it began. */
        public readonly string $at,
        /** To the answer, or to the error. */
        public readonly int $duration_ms,
        /** Why it is not delivered, where the status does not say it. */
        public readonly ?string $error,
        /** Of the answer; null when there was none. */
        public readonly ?int $status,
        public readonly ?TryResponse $response = null,
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
            duration_ms: $json['duration_ms'] ?? null,
            error: $json['error'] ?? null,
            status: $json['status'] ?? null,
            response: isset($json['response']) ? TryResponse::fromArray($json['response']) : null,
        );
    }
}

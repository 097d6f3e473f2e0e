<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class TryResponse
{
    public function __construct(
        /**
         * Its first KiB, as valid UTF-8 without control characters. What repeats a secret of the endpoint's is
         * replaced by `(hidden)`.
         */
        public readonly string $body,
        /**
         * Of the answer: `cf-mitigated`, `content-type`, `ngrok-error-code`, `retry-after` and `server`, and no other.
         * @var array<string, string>|null
         */
        public readonly ?array $headers = null,
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
            body: $json['body'] ?? null,
            headers: $json['headers'] ?? null,
        );
    }
}

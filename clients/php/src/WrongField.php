<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class WrongField
{
    public function __construct(
        /** Where it is, as in `body.amount` or `query.state`. */
        public readonly ?string $location = null,
        /** What is allowed. */
        public readonly ?string $message = null,
        /** What was found there, cut short, and masked where it may be a phone number; absent where nothing was. */
        public readonly mixed $value = null,
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
            location: $json['location'] ?? null,
            message: $json['message'] ?? null,
            value: $json['value'] ?? null,
        );
    }
}

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class WrongField
{
    public function __construct(
        /** Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
        public readonly ?string $location = null,
        /** Error message text */
        public readonly ?string $message = null,
        /** The value at the given location */
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

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Conclusion
{
    public function __construct(
        /**
         * `charged`, `not_charged` (both probably) or `unclear`.
         * @var 'charged'|'not_charged'|'unclear'
         */
        public readonly string $call,
        /**
         * The evidence, a line each.
         * @var list<string>
         */
        public readonly array $reasons,
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
            call: $json['call'] ?? null,
            reasons: $json['reasons'] ?? [],
        );
    }
}

<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Problem
{
    public function __construct(
        /** A human-readable explanation specific to this occurrence of the problem. */
        public readonly ?string $detail = null,
        /**
         * Optional list of individual error details
         * @var list<WrongField>|null
         */
        public readonly ?array $errors = null,
        /** A URI reference that identifies the specific occurrence of the problem. */
        public readonly ?string $instance = null,
        /** HTTP status code */
        public readonly ?int $status = null,
        /**
         * A short, human-readable summary of the problem type. This value should not change between occurrences of the
         * error.
         */
        public readonly ?string $title = null,
        /** A URI reference to human-readable documentation for the error. */
        public readonly ?string $type = null,
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
            detail: $json['detail'] ?? null,
            errors: isset($json['errors']) ? array_map([WrongField::class, 'fromArray'], $json['errors']) : null,
            instance: $json['instance'] ?? null,
            status: $json['status'] ?? null,
            title: $json['title'] ?? null,
            type: $json['type'] ?? null,
        );
    }
}

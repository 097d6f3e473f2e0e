<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Problem
{
    public function __construct(
        /**
         * What a program distinguishes it by; it never changes its meaning.
         * @var 'malformed_body'|'key_missing'|'key_unknown'|'key_expired'|'not_permitted'|'disabled'|'order_not_found'|'event_not_found'|'bulk_not_found'|'caller_not_found'|'endpoint_not_found'|'operator_not_found'|'path_not_found'|'method_not_allowed'|'body_too_slow'|'id_taken'|'wrong_state'|'too_early'|'changed_meanwhile'|'name_taken'|'events_gone'|'too_large'|'unsupported_media_type'|'not_allowed'|'too_many_tries'|'limit_reached'|'too_many_waits'|'client_gone'|'internal_fault'|'distributor_unreachable'|'unavailable'|'busy'|'waits_full'|'not_here'|null
         */
        public readonly ?string $code = null,
        /** What is wrong with this request, for people. */
        public readonly ?string $detail = null,
        /**
         * The fields that are not allowed; absent where it is none.
         * @var list<WrongField>|null
         */
        public readonly ?array $errors = null,
        /** Always absent. */
        public readonly ?string $instance = null,
        /** That of HTTP. */
        public readonly ?int $status = null,
        /** The name of the status. */
        public readonly ?string $title = null,
        /** Always absent, that is `about:blank`; see `code`. */
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
            code: $json['code'] ?? null,
            detail: $json['detail'] ?? null,
            errors: isset($json['errors']) ? array_map([WrongField::class, 'fromArray'], $json['errors']) : null,
            instance: $json['instance'] ?? null,
            status: $json['status'] ?? null,
            title: $json['title'] ?? null,
            type: $json['type'] ?? null,
        );
    }
}

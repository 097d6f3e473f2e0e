<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class Action
{
    public function __construct(
        /** What was done: the id of an operation. */
        public readonly string $action,
        /** When it began. */
        public readonly string $at,
        /** Who did it: the name of an operator, or of a caller. */
        public readonly string $by,
        /** What it was changed to; of an action on many also that action's id; null where the action says it all. */
        public readonly ?string $detail,
        /** The id of the order, or of its event. */
        public readonly ?string $on,
        /** Why; null where nobody was asked. */
        public readonly ?string $reason,
        /** That of the key, or `local` for a command on the machine of the book. */
        public readonly string $role,
        /** `api`, `console`, `cli` (a command that talks to the API) or `local`. */
        public readonly string $via,
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
            action: $json['action'] ?? null,
            at: $json['at'] ?? null,
            by: $json['by'] ?? null,
            detail: $json['detail'] ?? null,
            on: $json['on'] ?? null,
            reason: $json['reason'] ?? null,
            role: $json['role'] ?? null,
            via: $json['via'] ?? null,
        );
    }
}

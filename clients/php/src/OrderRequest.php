<?php

// Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.

declare(strict_types=1);

namespace Recarga;

final class OrderRequest implements \JsonSerializable
{
    public function __construct(
        /**
         * MXN, at most 2 decimals, exact: within the product's range, or its fixed price. 10 to 5000 MXN for
         * MOVISTAR_TAE. exactly 30 MXN for MOVISTAR_PAQUETE_16. exactly 50 MXN for MOVISTAR_PAQUETE_17. exactly 70 MXN
         * for MOVISTAR_PAQUETE_18. exactly 90 MXN for MOVISTAR_PAQUETE_19. exactly 110 MXN for MOVISTAR_PAQUETE_20.
         * exactly 150 MXN for MOVISTAR_PAQUETE_21. exactly 210 MXN for MOVISTAR_PAQUETE_22. exactly 320 MXN for
         * MOVISTAR_PAQUETE_23. exactly 400 MXN for MOVISTAR_PAQUETE_24. exactly 420 MXN for MOVISTAR_PAQUETE_25.
         */
        public readonly int|float|string $amount,
        /** The order's id: yours, unique for ever. The same id with the same content is the same order. */
        public readonly string $distributor_transaction_id,
        /**
         * A Mexican number of 10 digits, the first 2-9, not one of the non-geographic 300, 500, 800, 888, 900.
         * Separators, +52, 52 (of 12 digits) and 521 (of 13) are removed.
         */
        public readonly string $phone_number,
        /** A product of `GET /v1/products`. */
        public readonly string $product_id,
        /**
         * Where this order's events go instead of the caller's own URL; of the same origin. Not part of the order's
         * content.
         */
        public readonly ?string $callback_url = null,
        /** Absent, or the name of the key's own caller. */
        public readonly ?string $caller = null,
        /** Not after this time: then the order becomes `failed`, reason `expired`. Later than process_at and than now. */
        public readonly ?string $expires_at = null,
        /**
         * Your own texts, echoed everywhere the order appears; at most 4096 bytes of JSON.
         * @var array<string, string>|null
         */
        public readonly ?array $metadata = null,
        /** The carrier's name; the distributor finds it out where it is absent. */
        public readonly ?string $operator = null,
        /**
         * How soon it is bought while not all can be: `high` for an order that a person waits for, `bulk` for one that
         * may wait. Default: `normal`. Not part of the order's content.
         * @var 'high'|'normal'|'bulk'|null
         */
        public readonly ?string $priority = null,
        /** Not before this time. Default: at once. */
        public readonly ?string $process_at = null,
    ) {
    }

    /** @return array<string, mixed> without what is null */
    public function jsonSerialize(): array
    {
        $fields = array_filter(get_object_vars($this), static fn ($value) => $value !== null);
        if (isset($fields['metadata'])) {
            $fields['metadata'] = (object) $fields['metadata']; // an empty array would be [] and not {}
        }
        return $fields;
    }
}

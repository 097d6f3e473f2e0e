<?php

declare(strict_types=1);

namespace Recarga;

/** A verified webhook. */
final class WebhookEvent
{
    /**
     * @param string $id the same on every try: ignore what you have handled
     * @param string $type as in topup.succeeded
     * @param int $sequence rises with every event of the order: drop what is not newer than you have
     * @param Order|null $order as it was when the event was made; null where it is about no order, which only operators get
     * @param array<string, mixed> $data what the order was read from
     */
    public function __construct(
        public readonly string $id,
        public readonly string $type,
        public readonly string $timestamp,
        public readonly int $sequence,
        public readonly ?Order $order,
        public readonly array $data,
    ) {
    }
}

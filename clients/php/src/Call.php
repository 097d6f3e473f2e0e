<?php

declare(strict_types=1);

namespace Recarga;

/**
 * One request of the client's, which it may make several times.
 *
 * @internal
 */
final class Call
{
    /**
     * @param string $id the order that the answer must be of
     * @param string $tag asks only for what has changed since, and is then the tag of what came
     * @param float $extra how many seconds longer than others it may take
     */
    public function __construct(
        public readonly string $what,
        public readonly string $method,
        public readonly string $path,
        public readonly string $id,
        public readonly ?string $body = null,
        public string $tag = '',
        public readonly float $extra = 0,
    ) {
    }
}

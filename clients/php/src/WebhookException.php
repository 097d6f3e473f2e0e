<?php

declare(strict_types=1);

namespace Recarga;

/** A webhook that must not be believed. */
class WebhookException extends RecargaException
{
    /** @param 'headers'|'timestamp'|'signature'|'body' $reason what is wrong with it */
    public function __construct(public readonly string $reason, string $message)
    {
        parent::__construct($message);
    }
}

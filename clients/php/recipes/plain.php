<?php

// Webhooks in plain PHP: php://input is the body as it came.

declare(strict_types=1);

use Recarga\Webhook;
use Recarga\WebhookException;

require __DIR__ . '/vendor/autoload.php';

$webhook = new Webhook(explode(',', (string) getenv('RECARGA_WEBHOOK_SECRET')));
try {
    $event = $webhook->verify((string) file_get_contents('php://input'), $_SERVER);
} catch (WebhookException) {
    http_response_code(400);
    exit;
}
if ($event->order !== null) { // not a ping
    // Store it here: once for each $event->id, and only if $event->sequence is higher than the order's last one.
    error_log("$event->id $event->type {$event->order->distributor_transaction_id} {$event->order->state}");
}
http_response_code(204);

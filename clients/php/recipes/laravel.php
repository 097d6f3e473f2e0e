<?php

// Webhooks in Laravel: in routes/api.php, which has no CSRF check. getContent() is the body as it came.

declare(strict_types=1);

use Illuminate\Http\Request;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\Facades\Route;
use Recarga\Webhook;
use Recarga\WebhookException;

Route::post('/recarga', function (Request $request) {
    $webhook = new Webhook(explode(',', config('services.recarga.webhook_secret')));
    try {
        $event = $webhook->verify($request->getContent(), $request->headers->all());
    } catch (WebhookException) {
        return response()->noContent(400);
    }
    if ($event->order !== null) { // not a ping
        // Store it here: once for each $event->id, and only if $event->sequence is higher than the order's last one.
        Log::info($event->type, ['event' => $event->id, 'order' => $event->order->distributor_transaction_id]);
    }
    return response()->noContent();
});

<?php
// A receiver of Recarga's webhooks, for a checkout to start from.
//
//   RECARGA_WEBHOOK_SECRET  the secret you were given, whsec_…
//   RECEIVER_DB             the file of what was received, receiver.db by default
declare(strict_types=1);

require __DIR__ . '/vendor/autoload.php';

const MAX_BODY = 256 * 1024; // far above any event

// One secret is all a receiver ever needs. While it is being replaced, Recarga signs every webhook with
// the old and the new one, so you change from one to the other within that time, whenever you like.
function secret(): string
{
    $secret = (string) getenv('RECARGA_WEBHOOK_SECRET');
    if (!str_starts_with($secret, 'whsec_')) {
        throw new RuntimeException('RECARGA_WEBHOOK_SECRET must be the secret you were given, whsec_…');
    }
    return $secret;
}

// PHP keeps nothing from one request to the next. These are two tables of your database.
function store(): PDO
{
    $db = new PDO('sqlite:' . (getenv('RECEIVER_DB') ?: __DIR__ . '/receiver.db'));
    $db->exec('PRAGMA busy_timeout = 5000');
    $db->exec('CREATE TABLE IF NOT EXISTS handled (webhook_id TEXT PRIMARY KEY)');
    $db->exec('CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, sequence INTEGER, state TEXT)');
    return $db;
}

// An event comes at least once, and events of one order may overtake each other.
function settle(PDO $db, string $id, array $order): string
{
    $db->exec('BEGIN IMMEDIATE');
    $new = $db->prepare('INSERT INTO handled VALUES (?) ON CONFLICT DO NOTHING');
    $new->execute([$id]);
    $newer = $db->prepare('INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE
        SET sequence = excluded.sequence, state = excluded.state WHERE excluded.sequence > orders.sequence');
    $newer->execute([$order['distributor_transaction_id'], $order['sequence'], $order['state']]);
    $db->exec('COMMIT');
    return match (true) {
        $new->rowCount() === 0 => 'repeat, ignored',
        $newer->rowCount() === 0 => 'older news, ignored',
        default => $order['state'], // "unknown" is not final: neither refund nor buy again, a final event follows
    };
}

function receive(): int
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        return 405;
    }
    $webhook = new StandardWebhooks\Webhook(secret());
    $headers = array_filter([
        'webhook-id' => $_SERVER['HTTP_WEBHOOK_ID'] ?? null,
        'webhook-timestamp' => $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? null,
        'webhook-signature' => $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? null,
    ]);
    $body = file_get_contents('php://input', length: MAX_BODY + 1);
    if (strlen($body) > MAX_BODY) {
        return 413;
    }
    try {
        // The signature is over the bytes as they came: verify first, parse after.
        $event = $webhook->verify($body, $headers);
    } catch (Throwable $error) { // not only its own exceptions: a header that is no signature at all is a TypeError
        error_log('refused: ' . $error->getMessage());
        return 400;
    }
    if (!str_starts_with($event['type'], 'topup.')) { // a ping, or what a later Recarga sends: not about an order
        return 204;
    }
    $order = $event['data'];
    $result = settle(store(), $headers['webhook-id'], $order);
    error_log("{$headers['webhook-id']} {$event['type']} {$order['distributor_transaction_id']} #{$order['sequence']}: $result");
    return 204; // it is stored; slow work (mail, invoice) belongs in a job of its own
}

try {
    http_response_code(receive());
} catch (Throwable $error) { // the store failed: any answer but 2xx, and the event comes again
    error_log($error->getMessage());
    http_response_code(500);
}

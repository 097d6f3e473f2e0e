<?php

// The tests of the client for PHP that need no server: php tests/run.php

declare(strict_types=1);

use Recarga\Client;
use Recarga\NoAnswerException;
use Recarga\OrderRequest;
use Recarga\Webhook;
use Recarga\WebhookException;

spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/../src/' . str_replace('Recarga\\', '', $class) . '.php';
});
error_reporting(E_ALL);
set_error_handler(static function (int $level, string $message, string $file, int $line): void {
    throw new ErrorException($message, 0, $level, $file, $line);
});

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
$wrong = 0;

function check(string $what, bool $holds): void
{
    global $wrong;
    if (!$holds) {
        $wrong++;
        echo "not so: $what\n";
    }
}

/** @return Throwable|null what was thrown */
function thrown(callable $f): ?Throwable
{
    try {
        $f();
        return null;
    } catch (Throwable $error) {
        return $error;
    }
}

function signed(string $body, ?int $at = null): array
{
    $at ??= time();
    $mac = hash_hmac('sha256', "evt_1.$at.$body", base64_decode(substr(SECRET, 6)), true);
    return ['webhook-id' => 'evt_1', 'webhook-timestamp' => (string) $at, 'webhook-signature' => 'v1,' . base64_encode($mac)];
}

function refused(string $reason, string $body, array $headers, int $tolerance = 300): void
{
    $error = thrown(static fn () => (new Webhook(SECRET, $tolerance))->verify($body, $headers));
    $what = "$reason of " . json_encode([$body, $headers], JSON_INVALID_UTF8_SUBSTITUTE);
    check("$what: $error", $error instanceof WebhookException && $error->reason === $reason);
}

$order = [
    'distributor_transaction_id' => 'ORD-1', 'caller' => 'default', 'state' => 'succeeded', 'phone_number' => '5537686660',
    'product_id' => 'MOVISTAR_TAE', 'amount' => 10.1, 'currency' => 'MXN', 'priority' => 'normal', 'metadata' => [],
    'attempt_count' => 1, 'created_at' => '2026-01-31T18:00:00Z', 'updated_at' => '2026-01-31T18:00:00Z',
];
$body = json_encode(['type' => 'topup.succeeded', 'timestamp' => '2026-01-31T18:00:00Z', 'data' => ['sequence' => 1] + $order]);

// The public vector of Standard Webhooks: it is signed, and no event.
$vector = [
    'webhook-id' => 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp' => '1614265330',
    'webhook-signature' => 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
];
refused('body', '{"test": 2432232314}', $vector, 1_000_000_000);
refused('signature', '{"test": 2432232315}', $vector, 1_000_000_000);

// Headers are read from each framework's kind.
$server = ['REQUEST_TIME' => 7, 'argv' => []];
$lists = [];
foreach (signed($body) as $name => $value) {
    $server['HTTP_' . strtoupper(str_replace('-', '_', $name))] = $value;
    $lists[ucwords($name, '-')] = [$value];
}
foreach ([signed($body), $server, $lists] as $headers) {
    $event = (new Webhook(['whsec_' . base64_encode(str_repeat('x', 32)), SECRET]))->verify($body, $headers);
    check('the event', $event->id === 'evt_1' && $event->sequence === 1 && $event->order?->amount === 10.1);
}

// What must not be believed.
$now = time();
check('290 s', thrown(static fn () => (new Webhook(SECRET))->verify($body, signed($body, $now - 290))) === null);
foreach ([$now - 310, $now + 310, 1] as $at) {
    refused('timestamp', $body, signed($body, $at));
}
foreach (['1e9', '-1', ' 1', "1\n"] as $at) {
    refused('timestamp', $body, ['webhook-timestamp' => $at] + signed($body));
}
$good = signed($body)['webhook-signature'];
$among = ['webhook-signature' => "v1a,x nonsense $good"] + signed($body);
check('one of several', thrown(static fn () => (new Webhook(SECRET))->verify($body, $among)) === null);
foreach ([substr($good, 3), substr($good, 0, -1), 'v2' . substr($good, 2), strtoupper($good), 'v1,', ' '] as $signature) {
    refused('signature', $body, ['webhook-signature' => $signature] + signed($body));
}
foreach (['', '[]', '{}', 'null', "\xff", '{"type":"topup.failed","data":{}}', '{"type":7,"data":{}}'] as $content) {
    refused('body', $content, signed($content));
}
refused('headers', $body, []);
$operators = '{"type":"balance.low","timestamp":"2026-01-31T18:00:00Z","data":{"x":1}}';
$event = (new Webhook(SECRET))->verify($operators, signed($operators));
check("an operator's event", $event->order === null && $event->data === ['x' => 1]);

// What cannot be a secret.
foreach ([[], [SECRET, ''], '', 'whsec_', substr(SECRET, 6), SECRET . "\n"] as $secrets) {
    check('a secret', thrown(static fn () => new Webhook($secrets)) instanceof InvalidArgumentException);
}
check('a tolerance', thrown(static fn () => new Webhook(SECRET, 0)) instanceof InvalidArgumentException);

// An amount is sent as it is, whatever PHP's precision, and nothing else is changed.
ini_set('serialize_precision', '17');
$encode = new ReflectionMethod(Client::class, 'encode');
foreach ([[10, '10'], [10.1, '10.1'], ['10.10', '10.1'], ['10', '10'], ['1234567.89', '1234567.89']] as [$amount, $want]) {
    $json = $encode->invoke(null, new OrderRequest(
        distributor_transaction_id: 'A', phone_number: '5537686660', product_id: 'X', amount: $amount, metadata: [],
    ));
    check("$json has $want", str_contains($json, "\"amount\":$want,") && str_contains($json, '"metadata":{}'));
    check('no null', !str_contains($json, 'null') && ini_get('serialize_precision') === '17');
}
foreach (['', '1,234', '10.001', '-1', '1e2', "10\n", NAN, INF] as $amount) {
    $place = static fn () => (new Client('http://127.0.0.1:1', 'key'))->place(new OrderRequest(
        distributor_transaction_id: 'A', phone_number: '5537686660', product_id: 'X', amount: $amount,
    ));
    check("amount $amount", thrown($place) instanceof InvalidArgumentException);
}
$place = static fn () => (new Client('http://127.0.0.1:1', 'key', totalTimeout: 0.05))->get('A');
check('nobody is there', thrown($place) instanceof NoAnswerException);

echo $wrong === 0 ? "ok\n" : "$wrong checks failed\n";
exit($wrong === 0 ? 0 : 1);

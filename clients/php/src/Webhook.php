<?php

declare(strict_types=1);

namespace Recarga;

/** Verifies Recarga's webhooks (Standard Webhooks). */
final class Webhook
{
    /** @var non-empty-list<string> */
    private readonly array $keys;

    /**
     * @param string|list<string> $secrets the caller's secret, whsec_…; several while one is being replaced
     * @param int $tolerance by how many seconds the timestamp may differ from this clock
     */
    public function __construct(#[\SensitiveParameter] string|array $secrets, private readonly int $tolerance = 300)
    {
        if ($secrets === []) {
            throw new \InvalidArgumentException('a webhook secret is needed');
        }
        if ($tolerance <= 0) {
            throw new \InvalidArgumentException("tolerance $tolerance must be positive");
        }
        $this->keys = array_map([self::class, 'key'], array_values((array) $secrets));
    }

    /**
     * Returns the event of a webhook that was signed lately with one of the secrets.
     *
     * @param string $body as received, byte for byte: file_get_contents('php://input')
     * @param array<string, string|list<string|null>> $headers by name, as of getallheaders(), a PSR-7 or a Symfony
     *     request; or $_SERVER
     *
     * @throws WebhookException where it must not be believed
     */
    public function verify(string $body, array $headers): WebhookEvent
    {
        $id = self::header($headers, 'webhook-id');
        $at = self::header($headers, 'webhook-timestamp');
        $signatures = self::header($headers, 'webhook-signature');
        if ($id === '' || $at === '' || $signatures === '') {
            throw new WebhookException('headers', 'webhook-id, webhook-timestamp or webhook-signature is missing');
        }
        if (!preg_match('/^[0-9]{1,12}$/D', $at) || abs(time() - (int) $at) > $this->tolerance) {
            throw new WebhookException('timestamp', 'webhook-timestamp is too far from this clock');
        }
        if (!$this->signed("$id.$at.$body", explode(' ', $signatures))) {
            throw new WebhookException('signature', 'no webhook-signature matches');
        }
        return self::event($id, $body);
    }

    /** @param list<string> $signatures */
    private function signed(string $content, array $signatures): bool
    {
        $matches = false;
        foreach ($this->keys as $key) {
            $want = 'v1,' . base64_encode(hash_hmac('sha256', $content, $key, true));
            foreach ($signatures as $signature) {
                $matches = hash_equals($want, $signature) || $matches;
            }
        }
        return $matches;
    }

    private static function event(string $id, string $body): WebhookEvent
    {
        try {
            $event = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
            $type = $event['type'] ?? null;
            $data = $event['data'] ?? null;
            $order = is_array($data) && str_starts_with((string) $type, 'topup.') ? Order::fromArray($data) : null;
            if (is_string($type) && $type !== '' && is_array($data) && $order?->distributor_transaction_id !== '') {
                return new WebhookEvent($id, $type, $event['timestamp'], $data['sequence'] ?? 0, $order, $data);
            }
        } catch (\JsonException | \TypeError $wrong) {
        }
        throw new WebhookException('body', 'the body is not an event');
    }

    private static function key(#[\SensitiveParameter] string $secret): string
    {
        $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6), true) : false;
        if ($key === false || strlen($key) < 24 || strlen($key) > 64 || base64_encode($key) !== substr($secret, 6)) {
            // Without the text, which is secret.
            throw new \InvalidArgumentException('a webhook secret must be whsec_ and 24 to 64 bytes in base64');
        }
        return $key;
    }

    /** @param array<string, mixed> $headers */
    private static function header(array $headers, string $name): string
    {
        foreach ($headers as $key => $value) {
            $key = strtolower(str_replace('_', '-', (string) $key));
            if ($key === $name || $key === "http-$name") {
                return (string) (is_array($value) ? reset($value) : $value);
            }
        }
        return '';
    }
}

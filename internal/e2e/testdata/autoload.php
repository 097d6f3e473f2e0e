<?php
// Stands in for the package standard-webhooks, which a test cannot count on installing. It verifies as the
// specification says, so what is tested with it is the receiver around it.
namespace StandardWebhooks;

final class Webhook
{
    private string $key;

    public function __construct(string $secret)
    {
        $this->key = base64_decode(substr($secret, strlen('whsec_')));
    }

    public function verify(string $data, array $headers): array
    {
        if (count($headers) < 3) {
            throw new \RuntimeException('Missing required headers');
        }
        ['webhook-id' => $id, 'webhook-timestamp' => $at, 'webhook-signature' => $signatures] = $headers;
        if (abs(time() - (int) $at) > 300) {
            throw new \RuntimeException('Message timestamp is not within the tolerance');
        }
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$data", $this->key, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($expected, $signature)) {
                return json_decode($data, true);
            }
        }
        throw new \RuntimeException('No matching signature found');
    }
}

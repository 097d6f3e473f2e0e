<?php

declare(strict_types=1);

namespace Recarga;

/**
 * Places orders, and asks for them. Each method repeats its request, with the same id, until it is answered or the time
 * is over.
 */
final class Client
{
    public const VERSION = '0.1.0';

    private const ENDED = ['succeeded', 'failed', 'canceled', 'unknown'];
    private const FIRST_PAUSE = 0.1;
    private const LONGEST_PAUSE = 5.0;
    /** How many seconds the server is asked to wait for a change of an order. Proxies cut longer silences. */
    private const LONGEST_WAIT = 30;

    private readonly string $url;
    private readonly \CurlHandle $curl;
    /** Whether the server knows ?wait=. */
    private bool $waits = true;

    /**
     * @param string $url as in https://recarga.example
     * @param string $key the caller's API key
     * @param float $attemptTimeout how many seconds one request may take
     * @param float $totalTimeout how many seconds a call may take with all its repeats
     */
    public function __construct(
        string $url,
        #[\SensitiveParameter] private readonly string $key,
        private readonly float $attemptTimeout = 30,
        private readonly float $totalTimeout = 60,
    ) {
        $this->url = self::base($url);
        if (!preg_match('/^[\x21-\x7e]+$/D', $key)) {
            throw new \InvalidArgumentException('the API key must be ASCII without blanks and newlines, and not empty');
        }
        self::checkSeconds('attemptTimeout', $attemptTimeout);
        self::checkSeconds('totalTimeout', $totalTimeout);
        $this->curl = curl_init();
    }

    /**
     * Places an order. The same id with the same content is the same order, however often it is placed. An order of the
     * shop keeps its id for ever: save it before you call this, and after a NoAnswerException or a crash place it again.
     *
     * @throws RecargaException
     */
    public function place(OrderRequest $order): Order
    {
        $id = self::checkId($order->distributor_transaction_id);
        $call = new Call("place $id", 'POST', '/v1/topups', $id, self::encode($order));
        return $this->read($call, Order::class, $this->totalTimeout);
    }

    /**
     * Returns an order with its attempts and events.
     *
     * @throws RecargaException
     */
    public function get(string $id): OrderDetails
    {
        $call = new Call("get $id", 'GET', '/v1/topups/' . self::checkId($id), $id);
        return $this->read($call, OrderDetails::class, $this->totalTimeout);
    }

    /**
     * Withdraws an order. A ProblemException with status 409 says that money may have moved.
     *
     * @throws RecargaException
     */
    public function cancel(string $id): Order
    {
        $call = new Call("cancel $id", 'POST', '/v1/topups/' . self::checkId($id) . '/cancel', $id);
        return $this->read($call, Order::class, $this->totalTimeout);
    }

    /**
     * Waits until an order has ended (succeeded, failed, canceled) or is held as unknown: then neither refund nor buy
     * again, a person settles it.
     *
     * @param float $timeout how many seconds it may take
     *
     * @throws WaitTimeoutException after that time
     * @throws RecargaException
     */
    public function wait(string $id, float $timeout = 60): OrderDetails
    {
        $path = '/v1/topups/' . self::checkId($id);
        self::checkSeconds('timeout', $timeout);
        $end = self::now() + $timeout;
        $order = null;
        $tag = '';
        for ($n = 0;; $n++) {
            $asked = self::now();
            $left = max(0.001, $end - $asked);
            $seconds = $order !== null && $this->waits ? min(self::LONGEST_WAIT, (int) $left) : 0;
            $query = $seconds > 0 ? "?wait={$seconds}s" : '';
            $call = new Call("wait for $id", 'GET', $path . $query, $id, tag: $tag, extra: $seconds);
            try {
                $order = $this->read($call, OrderDetails::class, $left) ?? $order;
                $tag = $call->tag;
            } catch (NoAnswerException $unanswered) {
                throw $order === null ? $unanswered : new WaitTimeoutException($order, $unanswered);
            } catch (ProblemException $refusal) {
                if ($seconds === 0 || !self::refusesToWait($refusal)) {
                    throw $refusal;
                }
                $this->waits = false;
            }
            if ($order !== null && in_array($order->state, self::ENDED, true)) {
                return $order;
            }
            // A server that has waited itself is asked again at once.
            $pause = self::now() - $asked < 1 ? self::pause($n) : 0;
            if ($order !== null && self::now() + $pause >= $end) {
                throw new WaitTimeoutException($order);
            }
            usleep((int) ($pause * 1e6));
        }
    }

    /** Whether a server does not know ?wait=. */
    private static function refusesToWait(ProblemException $refusal): bool
    {
        $wrong = array_map(static fn (WrongField $field) => $field->location, $refusal->problem->errors ?? []);
        return $refusal->status === 422 && in_array('query.wait', $wrong, true);
    }

    /**
     * @template T of Order|OrderDetails
     * @param class-string<T> $class
     * @return T|null null where it has not changed
     */
    private function read(Call $call, string $class, float $total): Order|OrderDetails|null
    {
        $answer = $this->repeat($call, $total);
        try {
            return $answer === [] ? null : $class::fromArray($answer);
        } catch (\TypeError $wrong) {
            throw new AnswerException("$call->what: the answer is not an order; is this Recarga's API?", 0, $wrong);
        }
    }

    /** @return array<string, mixed> empty where the order has not changed */
    private function repeat(Call $call, float $total): array
    {
        $end = self::now() + $total;
        for ($n = 0;; $n++) {
            $timeout = max(0.001, min($end - self::now(), $this->attemptTimeout + $call->extra));
            $failure = $this->once($call, $timeout);
            if (is_array($failure)) {
                return $failure;
            }
            $after = $failure instanceof ProblemException ? $failure->retryAfter : 0.0;
            $pause = max(self::pause($n), $after);
            if (self::now() + $pause >= $end) {
                $last = $failure->getMessage();
                throw new NoAnswerException("$call->what: not answered in time; last: $last", 0, $failure);
            }
            usleep((int) ($pause * 1e6));
        }
    }

    /**
     * Makes one request. What may succeed later is returned, and anything else thrown.
     *
     * @return array<string, mixed>|RecargaException
     */
    private function once(Call $call, float $timeout): array|RecargaException
    {
        $header = ["Authorization: Bearer $this->key", 'Accept: application/json', 'Expect:'];
        if ($call->body !== null) {
            $header[] = 'Content-Type: application/json';
        }
        if ($call->tag !== '') {
            $header[] = "If-None-Match: $call->tag";
        }
        $fields = [];
        curl_reset($this->curl); // it keeps the connections; no redirect is followed: a POST would become a GET
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->url . $call->path,
            CURLOPT_CUSTOMREQUEST => $call->method,
            CURLOPT_HTTPHEADER => $header,
            CURLOPT_USERAGENT => 'recarga-php/' . self::VERSION,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_TIMEOUT_MS => (int) ceil($timeout * 1000),
            CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use (&$fields): int {
                [$name, $value] = explode(':', $line, 2) + ['', ''];
                $fields[strtolower($name)] = trim($value);
                return strlen($line);
            },
        ]);
        if ($call->method === 'POST') {
            curl_setopt($this->curl, CURLOPT_POSTFIELDS, $call->body ?? '');
        }
        $text = curl_exec($this->curl);
        if ($text === false) {
            return new NoAnswerException(curl_error($this->curl));
        }
        $status = (int) curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE);
        $said = json_decode((string) $text, true);
        if ($status >= 400) {
            $refusal = new ProblemException($call->what, $status, self::problem($said), self::retryAfter($fields['retry-after'] ?? ''));
            if ($status >= 500 || in_array($status, [408, 425, 429], true)) {
                return $refusal;
            }
            throw $refusal;
        }
        if ($status === 304 && $call->tag !== '') {
            return [];
        }
        $order = self::order($call, $status, $said);
        $call->tag = $fields['etag'] ?? '';
        return $order;
    }

    private static function problem(mixed $said): Problem
    {
        try {
            if (is_array($said)) {
                return Problem::fromArray($said);
            }
        } catch (\TypeError) {
        }
        return new Problem(detail: "the answer is no problem document; is this Recarga's API?");
    }

    /**
     * Returns what was answered, if it is the order.
     *
     * @return array<string, mixed>
     */
    private static function order(Call $call, int $status, mixed $said): array
    {
        $id = is_array($said) ? $said['distributor_transaction_id'] ?? null : null;
        $state = is_array($said) ? $said['state'] ?? null : null;
        $wrong = match (true) {
            $status !== 200 && $status !== 202 => "is $status, not an order; is this the URL of",
            !is_array($said) => 'is no JSON object; is this',
            $id !== $call->id => 'is of the order ' . json_encode($id) . '; is this',
            !is_string($state) || $state === '' => 'has no state; is this',
            default => null,
        };
        if ($wrong !== null) {
            throw new AnswerException("$call->what: the answer $wrong Recarga's API?");
        }
        return $said;
    }

    private static function encode(OrderRequest $order): string
    {
        $fields = $order->jsonSerialize();
        if (is_string($order->amount)) {
            if (!preg_match('/^[0-9]{1,9}(\.[0-9]{1,2})?$/D', $order->amount)) {
                throw new \InvalidArgumentException("amount '$order->amount' must be pesos with at most 2 decimals");
            }
            $fields['amount'] = (float) $order->amount;
        }
        $precision = ini_set('serialize_precision', '-1'); // with another one 10.1 is 10.0999…
        try {
            return json_encode($fields, JSON_THROW_ON_ERROR);
        } catch (\JsonException $wrong) { // INF, NAN, or a text that is not UTF-8
            throw new \InvalidArgumentException("the order cannot be sent: {$wrong->getMessage()}", 0, $wrong);
        } finally {
            if ($precision !== false) {
                ini_set('serialize_precision', $precision);
            }
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    /** @param int $n counts the pauses, from 0 */
    private static function pause(int $n): float
    {
        $longest = min(self::LONGEST_PAUSE, self::FIRST_PAUSE * 2 ** min($n, 30));
        return $longest * (0.5 + random_int(0, 1000) / 2000);
    }

    /** Reads Retry-After, in seconds or as a date, as seconds from now. */
    private static function retryAfter(string $value): float
    {
        if (preg_match('/^[0-9]{1,15}$/D', $value)) {
            return (float) $value;
        }
        $at = \DateTimeImmutable::createFromFormat(DATE_RFC7231, $value, new \DateTimeZone('UTC'));
        return $at === false ? 0.0 : max(0.0, $at->getTimestamp() - microtime(true));
    }

    private static function checkId(string $id): string
    {
        if (!preg_match('/^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,64}$/D', $id)) {
            $found = json_encode($id, JSON_INVALID_UTF8_SUBSTITUTE);
            throw new \InvalidArgumentException("distributor_transaction_id $found must be 1 to 64 of A-Z a-z 0-9 . _ : -");
        }
        return $id;
    }

    private static function checkSeconds(string $name, float $value): void
    {
        if (!($value > 0 && $value < 1e6)) {
            throw new \InvalidArgumentException("$name $value must be a positive number of seconds");
        }
    }

    private static function base(string $url): string
    {
        $parts = preg_match('/^https?:\/\/[^\s\x00-\x1f\x7f]+$/iD', $url) ? parse_url($url) : false;
        $wrong = match (true) {
            !isset($parts['host']) => 'must be like https://recarga.example',
            isset($parts['user']) || strpbrk($url, '?#') !== false => 'must have no user, query or fragment',
            (bool) preg_match('/\/v1(\/topups)?\/*$/D', $url) => 'must end before /v1',
            default => null,
        };
        if ($wrong !== null) {
            $found = json_encode($url, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
            throw new \InvalidArgumentException("the URL of Recarga's API $found $wrong");
        }
        return rtrim($url, '/');
    }
}

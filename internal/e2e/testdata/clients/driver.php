<?php

// Does with the client for PHP what the lines of its input say, and answers each with a line.

declare(strict_types=1);

use Recarga\Client;
use Recarga\OrderRequest;
use Recarga\RecargaException;
use Recarga\Webhook;

spl_autoload_register(static function (string $class) use ($argv): void {
    require $argv[1] . '/' . str_replace(['Recarga\\', '\\'], ['', '/'], $class) . '.php';
});
set_error_handler(static function (int $level, string $message, string $file, int $line): void {
    throw new ErrorException($message, 0, $level, $file, $line); // a notice is a mistake of the client's
});

$client = null;
$run = static function (array $line) use (&$client): mixed {
    switch ($line['do']) {
        case 'client':
            $client = new Client($line['url'], $line['key'], $line['attempt'] ?? 30, $line['total'] ?? 60);
            return new stdClass();
        case 'place':
            return $client->place(new OrderRequest(...$line['order']));
        case 'get':
            return $client->get($line['id']);
        case 'cancel':
            return $client->cancel($line['id']);
        case 'wait':
            return $client->wait($line['id'], $line['timeout'] ?? 60);
    }
    $event = (new Webhook($line['secrets']))->verify(base64_decode($line['body']), $line['headers']);
    return ['id' => $event->id, 'type' => $event->type, 'sequence' => $event->sequence] + get_object_vars($event->order);
};

while (($text = fgets(STDIN)) !== false) {
    try {
        $said = $run(json_decode($text, true, flags: JSON_THROW_ON_ERROR));
    } catch (RecargaException | InvalidArgumentException | TypeError $error) {
        $name = (new ReflectionClass($error))->getShortName();
        $said = [
            'error' => $error instanceof RecargaException ? str_replace('Exception', '', $name) : 'usage',
            'status' => $error->status ?? null,
            'reason' => $error->reason ?? null,
            'message' => $error->getMessage(),
            'state' => $error->order->state ?? null,
        ];
    }
    echo json_encode($said, JSON_THROW_ON_ERROR), "\n";
}

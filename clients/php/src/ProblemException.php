<?php

declare(strict_types=1);

namespace Recarga;

/** The API refused the request: it is wrong, or does not apply to the order. */
class ProblemException extends RecargaException
{
    /**
     * @param int $status of the answer
     * @param Problem $problem the answer (RFC 9457); its errors name each wrong field
     * @param float $retryAfter how many seconds the API asked to wait; 0 where it did not
     */
    public function __construct(
        string $what,
        public readonly int $status,
        public readonly Problem $problem,
        public readonly float $retryAfter,
    ) {
        $fields = array_map(static function (WrongField $field): string {
            $name = preg_replace('/^(body|query)\./', '', $field->location ?? '');
            $found = $field->value === null ? '' : ' ' . json_encode($field->value, JSON_UNESCAPED_UNICODE);
            return "$name$found $field->message";
        }, $problem->errors ?? []);
        $said = $fields === [] ? $problem->detail : implode('; ', $fields);
        parent::__construct("$what: " . trim("$status $problem->title") . ": $said");
    }
}

<?php

declare(strict_types=1);

namespace Recarga;

/** What came is no answer of Recarga's to this request. It may have been carried out: call again with the same id. */
class AnswerException extends RecargaException
{
}

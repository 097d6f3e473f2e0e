<?php

declare(strict_types=1);

namespace Recarga;

/**
 * No answer came in time, or only answers that the API is not ready; getPrevious() is the last of them. The request may
 * have been carried out: call again with the same id.
 */
class NoAnswerException extends RecargaException
{
}

<?php

declare(strict_types=1);

namespace Recarga;

/** What every error of this package is, but an InvalidArgumentException: that is a mistake in how it is called. */
class RecargaException extends \RuntimeException
{
}

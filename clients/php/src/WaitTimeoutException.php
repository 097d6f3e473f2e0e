<?php

declare(strict_types=1);

namespace Recarga;

/** The order has not ended in time. */
class WaitTimeoutException extends RecargaException
{
    /** @param OrderDetails $order as it was last seen */
    public function __construct(public readonly OrderDetails $order, ?\Throwable $previous = null)
    {
        $id = $order->distributor_transaction_id;
        parent::__construct("wait for $id: it is still $order->state", 0, $previous);
    }
}

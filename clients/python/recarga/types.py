# Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.
"""What the API takes and answers.

A key that is not in every answer is of a class whose keys may be absent. The state of an order, and any other text of a
few values, may have more values in a newer release.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class _Attempt(TypedDict):
    # Why the outcome does not follow from a response code. A caller sees one sentence for each outcome.
    error: Optional[str]
    finished_at: Optional[str]
    http_status: Optional[int]
    # Counts from 1.
    number: int
    # Null while it is under way.
    outcome: Optional[Literal["approved", "declined", "unavailable", "not_sent", "unknown"]]
    response_code: Optional[str]
    response_message: Optional[str]
    started_at: str


class Attempt(_Attempt, total=False):
    # For the operator. Of an unknown outcome: how far the request got, how the answer began, and what the balance did
    # meanwhile.
    evidence: str
    # True where it was made to try an operator that was out. The first three of an order spent no try.
    probe: bool


class _Correction(TypedDict):
    # When.
    at: str
    auth_code: Optional[str]
    outcome: str
    reference: Optional[str]
    transaction_id: Optional[str]
    was: Literal["queued", "submitting", "retrying", "unknown", "succeeded", "failed", "canceled"]
    was_transaction_id: Optional[str]


class Correction(_Correction, total=False):
    # For the operator: who decided.
    by: str
    # For the operator: why.
    reason: str


class _Dispute(TypedDict):
    ended_at: Optional[str]
    evidence: str
    raised_by: str
    since: str


class Dispute(_Dispute, total=False):
    ended_by: str
    outcome: str
    reason: str


class _Event(TypedDict):
    delivered_at: Optional[str]
    # The webhook-id: the same on every try.
    id: str
    # Rises by one per order: drop what is older than you have.
    sequence: int
    tries: List[Try]
    # As in `topup.succeeded`.
    type: str


class Event(_Event, total=False):
    endpoint: str


class _Order(TypedDict):
    # MXN.
    amount: Union[int, Decimal]
    # How many requests went to the distributor.
    attempt_count: int
    # The carrier's authorization.
    auth_code: Optional[str]
    # The distributor's balance after the purchase, in its own currency.
    balance_after: Optional[Union[int, Decimal]]
    # Who placed it.
    caller: str
    created_at: str
    currency: str
    distributor_transaction_id: str
    expires_at: Optional[str]
    # When it became final.
    finished_at: Optional[str]
    metadata: Dict[str, str]
    # When it will be tried (again); null when no try is scheduled.
    next_attempt_at: Optional[str]
    operator: Optional[str]
    phone_number: str
    # `high`, `normal` or `bulk`.
    priority: str
    process_at: Optional[str]
    product_id: str
    # Why it failed; null in any other state.
    reason: Optional[Literal["declined", "retries_exhausted", "expired", "invalid", "resolved"]]
    # The carrier's reference.
    reference: Optional[str]
    # The distributor's code of the last attempt.
    response_code: Optional[str]
    # The distributor's words for it.
    response_message: Optional[str]
    # `queued`: accepted durably, waiting (also: scheduled for later) (money: not moved). `submitting`: an attempt is
    # under way (money: may be moving). `retrying`: the last attempt was `unavailable` or `not_sent`; the next one is
    # scheduled (money: not moved). `unknown`: an attempt is in doubt: its outcome is not known, or a statement charges
    # what it denies; held, never sent again by itself (money: may have moved). `succeeded`: code 00 (money: moved).
    # `failed`: final, for the reason given (money: not moved). `canceled`: withdrawn by the caller before any attempt
    # could have moved money (money: not moved).
    state: Literal["queued", "submitting", "retrying", "unknown", "succeeded", "failed", "canceled"]
    # The distributor's id of the purchase.
    transaction_id: Optional[str]
    updated_at: str
    # Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), `outage` (its operator
    # fails), `balance`; null when it does not.
    waits_for: Optional[str]


class Order(_Order, total=False):
    # Since when later evidence contradicts the final state, which stays until a person decides; absent when none does.
    disputed_at: str


class _OrderDetails(TypedDict):
    # MXN.
    amount: Union[int, Decimal]
    # How many requests went to the distributor.
    attempt_count: int
    attempts: List[Attempt]
    # The carrier's authorization.
    auth_code: Optional[str]
    # The distributor's balance after the purchase, in its own currency.
    balance_after: Optional[Union[int, Decimal]]
    # Who placed it.
    caller: str
    created_at: str
    currency: str
    distributor_transaction_id: str
    events: List[Event]
    expires_at: Optional[str]
    # When it became final.
    finished_at: Optional[str]
    metadata: Dict[str, str]
    # When it will be tried (again); null when no try is scheduled.
    next_attempt_at: Optional[str]
    operator: Optional[str]
    phone_number: str
    # `high`, `normal` or `bulk`.
    priority: str
    process_at: Optional[str]
    product_id: str
    # Why it failed; null in any other state.
    reason: Optional[Literal["declined", "retries_exhausted", "expired", "invalid", "resolved"]]
    # The carrier's reference.
    reference: Optional[str]
    # The distributor's code of the last attempt.
    response_code: Optional[str]
    # The distributor's words for it.
    response_message: Optional[str]
    # `queued`: accepted durably, waiting (also: scheduled for later) (money: not moved). `submitting`: an attempt is
    # under way (money: may be moving). `retrying`: the last attempt was `unavailable` or `not_sent`; the next one is
    # scheduled (money: not moved). `unknown`: an attempt is in doubt: its outcome is not known, or a statement charges
    # what it denies; held, never sent again by itself (money: may have moved). `succeeded`: code 00 (money: moved).
    # `failed`: final, for the reason given (money: not moved). `canceled`: withdrawn by the caller before any attempt
    # could have moved money (money: not moved).
    state: Literal["queued", "submitting", "retrying", "unknown", "succeeded", "failed", "canceled"]
    # The distributor's id of the purchase.
    transaction_id: Optional[str]
    updated_at: str
    # Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), `outage` (its operator
    # fails), `balance`; null when it does not.
    waits_for: Optional[str]


class OrderDetails(_OrderDetails, total=False):
    # The changes of a final state that was wrong; absent where there are none.
    corrections: List[Correction]
    # Since when later evidence contradicts the final state, which stays until a person decides; absent when none does.
    disputed_at: str
    # The evidence that contradicted a final state, and how it was judged. For operators' keys; absent where there is
    # none.
    disputes: List[Dispute]
    # What was decided of the order while it was held, or held it; absent where nothing was.
    resolutions: List[Resolution]


class _OrderRequest(TypedDict):
    # MXN, at most 2 decimals, exact: within the product's range, or its fixed price. 10 to 5000 MXN for MOVISTAR_TAE.
    # exactly 30 MXN for MOVISTAR_PAQUETE_16. exactly 50 MXN for MOVISTAR_PAQUETE_17. exactly 70 MXN for
    # MOVISTAR_PAQUETE_18. exactly 90 MXN for MOVISTAR_PAQUETE_19. exactly 110 MXN for MOVISTAR_PAQUETE_20. exactly 150
    # MXN for MOVISTAR_PAQUETE_21. exactly 210 MXN for MOVISTAR_PAQUETE_22. exactly 320 MXN for MOVISTAR_PAQUETE_23.
    # exactly 400 MXN for MOVISTAR_PAQUETE_24. exactly 420 MXN for MOVISTAR_PAQUETE_25.
    amount: Union[int, float, Decimal]
    # The order's id: yours, unique for ever. The same id with the same content is the same order.
    distributor_transaction_id: str
    # A Mexican number of 10 digits, the first 2-9, not one of the non-geographic 300, 500, 800, 888, 900. Separators,
    # +52, 52 (of 12 digits) and 521 (of 13) are removed.
    phone_number: str
    # A product of `GET /v1/products`.
    product_id: str


class OrderRequest(_OrderRequest, total=False):
    # Where this order's events go instead of the caller's own URL; of the same origin. Not part of the order's content.
    callback_url: str
    # Absent, or the name of the key's own caller.
    caller: str
    # Not after this time: then the order becomes `failed`, reason `expired`. Later than process_at and than now.
    expires_at: str
    # Your own texts, echoed everywhere the order appears; at most 4096 bytes of JSON.
    metadata: Dict[str, str]
    # The carrier's name; the distributor finds it out where it is absent.
    operator: str
    # How soon it is bought while not all can be: `high` for an order that a person waits for, `bulk` for one that may
    # wait. Default: `normal`. Not part of the order's content.
    priority: Literal["high", "normal", "bulk"]
    # Not before this time. Default: at once.
    process_at: str


class Problem(TypedDict, total=False):
    # A human-readable explanation specific to this occurrence of the problem.
    detail: str
    # Optional list of individual error details
    errors: List[WrongField]
    # A URI reference that identifies the specific occurrence of the problem.
    instance: str
    # HTTP status code
    status: int
    # A short, human-readable summary of the problem type. This value should not change between occurrences of the
    # error.
    title: str
    # A URI reference to human-readable documentation for the error.
    type: str


class _Resolution(TypedDict):
    # When.
    at: str
    # The number of the attempt that was held.
    attempt: int
    auth_code: Optional[str]
    # `succeeded`, `failed` or `resend`; `held`: a statement charged it while it waited.
    outcome: str
    reference: Optional[str]
    transaction_id: Optional[str]


class Resolution(_Resolution, total=False):
    # For the operator: who decided.
    by: str
    # For the operator: it was decided while the attempt's answer might still have been on the way.
    forced: bool
    # For the operator: why.
    reason: str


class Try(TypedDict):
    at: str
    duration_ms: int
    error: Optional[str]
    status: Optional[int]


class WrongField(TypedDict, total=False):
    # Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id'
    location: str
    # Error message text
    message: str
    # The value at the given location
    value: Any


class EventData(Order):
    # Rises with every event of the order: drop what is not newer than you have.
    sequence: int


class WebhookEvent(TypedDict):
    """A verified webhook. Operators get others, too, whose data is no order and whose type has another beginning."""

    # The same on every try: ignore what you have handled.
    id: str
    # As in topup.succeeded.
    type: str
    timestamp: str
    data: EventData

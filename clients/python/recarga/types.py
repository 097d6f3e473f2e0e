# Made by go generate ./scripts/clienttypes from docs/openapi.json. Do not edit.
"""What the API takes and answers.

A key that is not in every answer is of a class whose keys may be absent. The state of an order, and any other text of
a few values, may have more values in a newer release.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class Action(TypedDict):
    # What was done: the id of an operation.
    action: str
    # When it began.
    at: str
    # Who did it: the name of an operator, or of a caller.
    by: str
    # What it was changed to; of an action on many also that action's id; null where the action says it all.
    detail: Optional[str]
    # The id of the order, or of its event.
    on: Optional[str]
    # Why; null where nobody was asked.
    reason: Optional[str]
    # That of the key, or `local` for a command on the machine of the book.
    role: str
    # `api`, `console`, `cli` (a command that talks to the API) or `local`.
    via: str


class _Attempt(TypedDict):
    # Why the outcome does not follow from a response code. A caller sees one sentence for each outcome.
    error: Optional[str]
    # When its outcome was recorded; null while it is under way.
    finished_at: Optional[str]
    # Of the distributor's answer; null where there was none.
    http_status: Optional[int]
    # Counts from 1.
    number: int
    # Null while it is under way.
    outcome: Optional[Literal["approved", "declined", "unavailable", "not_sent", "unknown"]]
    # The distributor's code; null where the answer had none.
    response_code: Optional[str]
    # The distributor's words for it.
    response_message: Optional[str]
    # When the request was made.
    started_at: str


class Attempt(_Attempt, total=False):
    # For the operator. Of an unknown outcome: how far the request got, how the answer began, and what the balance did
    # meanwhile.
    evidence: str
    # True where it was made to try an operator that was out. The first three of an order spent no try.
    probe: bool


class Conclusion(TypedDict):
    # `charged`, `not_charged` (both probably) or `unclear`.
    call: Literal["charged", "not_charged", "unclear"]
    # The evidence, a line each.
    reasons: List[str]


class _Correction(TypedDict):
    # When.
    at: str
    auth_code: Optional[str]
    outcome: Literal["succeeded", "failed", "resend", "held", "restored"]
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
    # When its endpoint answered 2xx; null: it has not.
    delivered_at: Optional[str]
    # The webhook-id: the same on every try.
    id: str
    # Rises by one per order: drop what is older than you have.
    sequence: int
    # All requests to the endpoint, in their order.
    tries: List[Try]
    # As in `topup.succeeded`.
    type: Literal["topup.unknown", "topup.succeeded", "topup.failed", "topup.canceled", "topup.corrected", "endpoint.disabled", "balance.low", "balance.drift"]


class Event(_Event, total=False):
    # The name of the caller's endpoint that receives it; absent for the callback URL.
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
    # When it was accepted.
    created_at: str
    # Always MXN.
    currency: str
    # The order's id, yours.
    distributor_transaction_id: str
    # Not after this time; null: no end of your own.
    expires_at: Optional[str]
    # When it became final.
    finished_at: Optional[str]
    # Your own texts, as they were sent.
    metadata: Dict[str, str]
    # When it will be tried (again); null when no try is scheduled.
    next_attempt_at: Optional[str]
    # The carrier's name; empty where it was not given.
    operator: Optional[str]
    # The 10 digits.
    phone_number: str
    # `high`, `normal` or `bulk`.
    priority: Literal["high", "normal", "bulk"]
    # Not before this time; null: at once.
    process_at: Optional[str]
    # The product, of `GET /v1/products`.
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
    # When it changed last.
    updated_at: str
    # Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), `outage` (its operator
    # fails), `balance`, `login` (the distributor refuses our credentials), `paused` (somebody has paused its purchase),
    # `operator` (somebody holds it back); null when it does not.
    waits_for: Optional[Literal["turn", "pace", "outage", "balance", "login", "paused", "operator"]]


class Order(_Order, total=False):
    conclusion: Conclusion
    # Since when later evidence contradicts the final state, which stays until a person decides; absent when none does.
    disputed_at: str


class _OrderDetails(TypedDict):
    # MXN.
    amount: Union[int, Decimal]
    # How many requests went to the distributor.
    attempt_count: int
    # The requests to the distributor, in their order.
    attempts: List[Attempt]
    # The carrier's authorization.
    auth_code: Optional[str]
    # The distributor's balance after the purchase, in its own currency.
    balance_after: Optional[Union[int, Decimal]]
    # Who placed it.
    caller: str
    # When it was accepted.
    created_at: str
    # Always MXN.
    currency: str
    # The order's id, yours.
    distributor_transaction_id: str
    # What its caller is notified of, in their order.
    events: List[Event]
    # Not after this time; null: no end of your own.
    expires_at: Optional[str]
    # When it became final.
    finished_at: Optional[str]
    # Your own texts, as they were sent.
    metadata: Dict[str, str]
    # When it will be tried (again); null when no try is scheduled.
    next_attempt_at: Optional[str]
    # The carrier's name; empty where it was not given.
    operator: Optional[str]
    # The 10 digits.
    phone_number: str
    # `high`, `normal` or `bulk`.
    priority: Literal["high", "normal", "bulk"]
    # Not before this time; null: at once.
    process_at: Optional[str]
    # The product, of `GET /v1/products`.
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
    # When it changed last.
    updated_at: str
    # Why it waits: `turn` (bulk orders share what is left), `pace` (the distributor's limit), `outage` (its operator
    # fails), `balance`, `login` (the distributor refuses our credentials), `paused` (somebody has paused its purchase),
    # `operator` (somebody holds it back); null when it does not.
    waits_for: Optional[Literal["turn", "pace", "outage", "balance", "login", "paused", "operator"]]


class OrderDetails(_OrderDetails, total=False):
    # What people and programs did to the order and its events, the oldest first, the latest 200 at most; the audit has
    # all. For operators' keys; absent where nothing was done.
    actions: List[Action]
    conclusion: Conclusion
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
    # What a program distinguishes it by; it never changes its meaning.
    code: Literal["malformed_body", "key_missing", "key_unknown", "key_expired", "not_permitted", "disabled", "order_not_found", "event_not_found", "bulk_not_found", "caller_not_found", "endpoint_not_found", "operator_not_found", "path_not_found", "method_not_allowed", "body_too_slow", "id_taken", "wrong_state", "too_early", "changed_meanwhile", "name_taken", "events_gone", "too_large", "unsupported_media_type", "not_allowed", "too_many_tries", "limit_reached", "too_many_waits", "client_gone", "internal_fault", "distributor_unreachable", "unavailable", "busy", "waits_full", "not_here"]
    # What is wrong with this request, for people.
    detail: str
    # The fields that are not allowed; absent where it is none.
    errors: List[WrongField]
    # Always absent.
    instance: str
    # That of HTTP.
    status: int
    # The name of the status.
    title: str
    # Always absent, that is `about:blank`; see `code`.
    type: str


class _Resolution(TypedDict):
    # When.
    at: str
    # The number of the attempt that was held.
    attempt: int
    auth_code: Optional[str]
    # `succeeded`, `failed` or `resend`; `held`: a statement charged it while it waited.
    outcome: Literal["succeeded", "failed", "resend", "held", "restored"]
    reference: Optional[str]
    transaction_id: Optional[str]


class Resolution(_Resolution, total=False):
    # For the operator: who decided.
    by: str
    # For the operator: it was decided while the attempt's answer might still have been on the way.
    forced: bool
    # For the operator: why.
    reason: str


class _Try(TypedDict):
    # When it began.
    at: str
    # To the answer, or to the error.
    duration_ms: int
    # Why it is not delivered, where the status does not say it.
    error: Optional[str]
    # Of the answer; null when there was none.
    status: Optional[int]


class Try(_Try, total=False):
    response: TryResponse


class _TryResponse(TypedDict):
    # Its first KiB, as valid UTF-8 without control characters. What repeats a secret of the endpoint's is replaced by
    # `(hidden)`.
    body: str


class TryResponse(_TryResponse, total=False):
    # Of the answer: `cf-mitigated`, `content-type`, `ngrok-error-code`, `retry-after` and `server`, and no other.
    headers: Dict[str, str]


class WrongField(TypedDict, total=False):
    # Where it is, as in `body.amount` or `query.state`.
    location: str
    # What is allowed.
    message: str
    # What was found there, cut short, and masked where it may be a phone number; absent where nothing was.
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

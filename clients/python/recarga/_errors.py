from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List

if TYPE_CHECKING:
    from .types import OrderDetails


class RecargaError(Exception):
    """What every error of this package is, but a ValueError: that is a mistake in how it is called."""


class ProblemError(RecargaError):
    """The API refused the request: it is wrong, or does not apply to the order."""

    def __init__(self, what: str, status: int, problem: Dict[str, Any], retry_after: float) -> None:
        #: The wrong fields of the request: each a recarga.types.WrongField.
        self.errors = _wrong_fields(problem)
        said = "; ".join(map(_describe, self.errors))
        title = " ".join(str(part) for part in (status, problem.get("title")) if part)
        super().__init__(f"{what}: {title}: {said or problem.get('detail')}")
        #: The status of the answer.
        self.status = status
        #: The answer (RFC 9457): a recarga.types.Problem.
        self.problem = problem
        #: How many seconds the API asked to wait; 0 where it did not.
        self.retry_after = retry_after


def _wrong_fields(problem: Dict[str, Any]) -> List[Dict[str, Any]]:
    errors = problem.get("errors")
    return [field for field in errors if isinstance(field, dict)] if isinstance(errors, list) else []


def _describe(field: Dict[str, Any]) -> str:
    name = str(field.get("location", "")).replace("body.", "", 1).replace("query.", "", 1)
    value = field.get("value")
    found = "" if value is None else " " + json.dumps(value, ensure_ascii=False, default=str)
    return f"{name}{found} {field.get('message', '')}"


class NoAnswerError(RecargaError):
    """No answer came in time, or only answers that the API is not ready; __cause__ is the last of them.

    The request may have been carried out: call again with the same id.
    """


class AnswerError(RecargaError):
    """What came is no answer of Recarga's to this request. It may have been carried out: call again with the same id."""


class WaitTimeoutError(RecargaError):
    """The order has not ended in time."""

    def __init__(self, order: OrderDetails) -> None:
        super().__init__(f"wait for {order['distributor_transaction_id']}: it is still {order['state']}")
        #: As it was last seen.
        self.order = order


class WebhookError(RecargaError):
    """A webhook that must not be believed."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        #: What is wrong with it: "headers", "timestamp", "signature" or "body".
        self.reason = reason

from __future__ import annotations

import email.utils
import http.client
import json
import math
import random
import re
import time
import urllib.request
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional, Tuple, cast
from urllib.parse import urlsplit

from ._errors import AnswerError, NoAnswerError, ProblemError, WaitTimeoutError

if TYPE_CHECKING:
    from .types import Order, OrderDetails, OrderRequest

__version__ = "0.1.0"

_ENDED = ("succeeded", "failed", "canceled", "unknown")
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
#: How many seconds the server is asked to wait for a change of an order. Proxies cut longer silences.
_LONGEST_WAIT = 30


class _EveryAnswer(urllib.request.HTTPErrorProcessor):
    """Returns every answer as it came. A redirected POST would become a GET."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


class _Temporary(Exception):
    """The same request may succeed later."""

    def __init__(self, error: Exception, retry_after: float = 0) -> None:
        super().__init__(error)
        self.error, self.retry_after = error, retry_after


class Client:
    """Places orders, and asks for them. It may be used by several threads.

    Each method repeats its request, with the same id, until it is answered or the time is over.
    """

    def __init__(self, url: str, key: str, *, attempt_timeout: float = 30, total_timeout: float = 60) -> None:
        """url: as in https://recarga.example. key: the caller's API key.

        attempt_timeout bounds one request, total_timeout a call with all its repeats; both in seconds.
        """
        self._base = _base(url)
        if not isinstance(key, str) or not re.fullmatch(r"[\x21-\x7e]+", key):
            raise ValueError("the API key must be ASCII without blanks and newlines, and not empty")
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": f"recarga-python/{__version__}",
        }
        self._attempt_timeout = _seconds("attempt_timeout", attempt_timeout)
        self._total_timeout = _seconds("total_timeout", total_timeout)
        self._opener = urllib.request.build_opener(_EveryAnswer)
        self._waits = True  # whether the server knows ?wait=

    def place(self, order: OrderRequest) -> Order:
        """Places an order. The same id with the same content is the same order, however often it is placed.

        An order of the shop keeps its id for ever: save it before you call this, and after a NoAnswerError or a crash
        place it again. An amount is an int, a Decimal or a float of pesos.
        """
        id = _checked_id(order.get("distributor_transaction_id"))
        body = json.dumps(order, default=_number, allow_nan=False).encode()
        return cast("Order", self._repeat(f"place {id}", "POST", "/v1/topups", id, self._total_timeout, body)[0])

    def get(self, id: str) -> OrderDetails:
        """Returns an order with its attempts and events."""
        path = f"/v1/topups/{_checked_id(id)}"
        return cast("OrderDetails", self._repeat(f"get {id}", "GET", path, id, self._total_timeout)[0])

    def cancel(self, id: str) -> Order:
        """Withdraws an order. A ProblemError with status 409 says that money may have moved."""
        path = f"/v1/topups/{_checked_id(id)}/cancel"
        return cast("Order", self._repeat(f"cancel {id}", "POST", path, id, self._total_timeout)[0])

    def wait(self, id: str, *, timeout: float = 60) -> OrderDetails:
        """Waits until an order has ended (succeeded, failed, canceled) or is held as unknown.

        Neither refund nor buy again what is unknown: a person settles it. Raises a WaitTimeoutError after the timeout,
        in seconds.
        """
        path = f"/v1/topups/{_checked_id(id)}"
        end = time.monotonic() + _seconds("timeout", timeout)
        order: Optional[OrderDetails] = None
        tag = ""
        tries = 0
        while True:
            asked = time.monotonic()
            left = max(0.001, end - asked)
            seconds = min(_LONGEST_WAIT, int(left)) if order is not None and self._waits else 0
            query = f"?wait={seconds}s" if seconds else ""
            try:
                seen, tag = self._repeat(f"wait for {id}", "GET", path + query, id, left, tag=tag, extra=seconds)
                order = seen or order
            except NoAnswerError as error:
                if order is None:
                    raise
                raise WaitTimeoutError(order) from error
            except ProblemError as error:
                if not seconds or not _refuses_to_wait(error):
                    raise
                self._waits = False
            if order is not None and order["state"] in _ENDED:
                return order
            # A server that has waited itself is asked again at once.
            pause = _pause(tries) if time.monotonic() - asked < 1 else 0
            if order is not None and time.monotonic() + pause >= end:
                raise WaitTimeoutError(order)
            time.sleep(pause)
            tries += 1

    def _repeat(
        self,
        what: str,
        method: str,
        path: str,
        id: str,
        total: float,
        body: Optional[bytes] = None,
        tag: str = "",
        extra: float = 0,
    ) -> Tuple[Any, str]:
        """Returns the order and its tag; with a tag, None where it has not changed since.

        extra is how many seconds longer than others one request may take.
        """
        request = urllib.request.Request(self._base + path, data=body, headers=self._headers, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if tag:
            request.add_header("If-None-Match", tag)
        end = time.monotonic() + total
        tries = 0
        while True:
            timeout = max(0.001, min(end - time.monotonic(), self._attempt_timeout + extra))
            try:
                return self._once(what, request, id, tag, timeout)
            except _Temporary as failure:
                pause = max(_pause(tries), failure.retry_after)
                if time.monotonic() + pause >= end:
                    message = f"{what}: not answered in time; last: {failure.error}"
                    raise NoAnswerError(message) from failure.error
            time.sleep(pause)
            tries += 1

    def _once(self, what: str, request: urllib.request.Request, id: str, tag: str, timeout: float) -> Tuple[Any, str]:
        try:
            status, headers, text = self._ask(request, timeout)
        except (OSError, http.client.HTTPException) as error:  # of these is every way in which a network fails
            raise _Temporary(error) from error
        said = _parse(text)
        if status >= 400:
            problem = said if isinstance(said, dict) else _NO_PROBLEM
            after = _retry_after(headers.get("Retry-After"))
            refusal = ProblemError(what, status, problem, after)
            if status >= 500 or status in (408, 425, 429):
                raise _Temporary(refusal, after)
            raise refusal
        if status == 304 and tag:
            return None, tag
        return _order(what, status, said, id), headers.get("ETag") or ""

    def _ask(self, request: urllib.request.Request, timeout: float) -> Tuple[int, http.client.HTTPMessage, bytes]:
        end = time.monotonic() + timeout
        with self._opener.open(request, timeout=timeout) as answer:
            text = b""
            while True:
                piece = answer.read1(1 << 16)
                if not piece:
                    break
                text += piece
                if time.monotonic() > end:  # the socket's timeout is only that of each piece
                    raise TimeoutError("the answer is too slow")
            length = answer.headers.get("Content-Length")
            if length is not None and length.isdigit() and int(length) != len(text):
                raise http.client.IncompleteRead(text, int(length) - len(text))
            return answer.status, answer.headers, text


_NO_PROBLEM = {"detail": "the answer is no problem document; is this Recarga's API?"}


def _refuses_to_wait(error: ProblemError) -> bool:
    """Whether a server does not know ?wait=."""
    return error.status == 422 and "query.wait" in [field.get("location") for field in error.errors]


def _order(what: str, status: int, said: Any, id: str) -> Any:
    """Returns what was answered, if it is the order."""
    if status not in (200, 202):
        raise AnswerError(f"{what}: the answer is {status}, not an order; is this the URL of Recarga's API?")
    if not isinstance(said, dict):
        raise AnswerError(f"{what}: the answer is no JSON object; is this Recarga's API?")
    if said.get("distributor_transaction_id") != id:
        other = said.get("distributor_transaction_id")
        raise AnswerError(f"{what}: the answer is of the order {other!r}; is this Recarga's API?")
    if not said.get("state") or not isinstance(said["state"], str):
        raise AnswerError(f"{what}: the answer has no state; is this Recarga's API?")
    return said


def _parse(text: bytes) -> Any:
    """Returns None where the text is no JSON. Amounts are exact."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> Any:
    """Makes a JSON number of a Decimal, which must stay exact."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} cannot be sent as JSON")
    if value.is_finite():
        number = int(value) if value == value.to_integral_value() else float(value)
        if Decimal(repr(number)) == value:
            return number
    raise ValueError(f"amount {value} must be a number of pesos with at most 2 decimals")


def _pause(n: int) -> float:
    """n counts the pauses, from 0."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(n, 30)) * random.uniform(0.5, 1)


def _retry_after(value: Optional[str]) -> float:
    """Reads Retry-After, in seconds or as a date, as seconds from now."""
    if not value:
        return 0
    if re.fullmatch("[0-9]{1,15}", value):
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
        if at.tzinfo is None:
            at = at.replace(tzinfo=timezone.utc)
        return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0


def _checked_id(id: Any) -> str:
    if not isinstance(id, str) or not re.fullmatch("[A-Za-z0-9._:-]{1,64}", id) or id in (".", ".."):
        raise ValueError(f"distributor_transaction_id {id!r} must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    return id


def _seconds(name: str, value: float) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} {value} must be a positive number of seconds")
    return value


def _base(url: str) -> str:
    def wrong(why: str) -> ValueError:
        return ValueError(f"the URL of Recarga's API {url!r} {why}")

    if not isinstance(url, str) or not re.fullmatch(r"(?i)https?://[^\s\x00-\x1f\x7f]+", url):
        raise wrong("must be like https://recarga.example")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        host = None
    if not host:
        raise wrong("must be like https://recarga.example")
    if parts.username is not None or "?" in url or "#" in url:
        raise wrong("must have no user, query or fragment")
    base = url.rstrip("/")
    if re.search("/v1(/topups)?$", base):
        raise wrong("must end before /v1")
    return base

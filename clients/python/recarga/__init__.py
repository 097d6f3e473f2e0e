"""The client of Recarga's HTTP API, and the verifier of its webhooks. The standard library is all it needs."""

from ._client import Client
from ._errors import AnswerError, NoAnswerError, ProblemError, RecargaError, WaitTimeoutError, WebhookError
from ._webhook import Webhook

__all__ = [
    "AnswerError",
    "Client",
    "NoAnswerError",
    "ProblemError",
    "RecargaError",
    "WaitTimeoutError",
    "Webhook",
    "WebhookError",
]

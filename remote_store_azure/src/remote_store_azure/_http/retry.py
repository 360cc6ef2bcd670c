"""How the SDK's pipeline repeats requests: every field of a RetryPolicy, and what was tried."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from aiohttp import (
    ClientConnectorError,
    ClientSSLError,
    ConnectionTimeoutError,
)
from azure.core.exceptions import (
    AzureError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.policies import RequestHistory
from azure.core.rest import HttpRequest
from azure.storage.blob.aio import ExponentialRetry

from remote_store import RetryPolicy
from remote_store_azure._rest.errors import UNSURE, retry_after
from remote_store_azure._rest.outcome import AttemptRecord

__all__ = ["Request", "Retry", "never_sent"]


class Request(AttemptRecord, HttpRequest):
    """A request that knows what became of its attempts."""

    #: When to give up, in the loop's time; None for the policy's own limit.
    deadline: float | None = None

    def drop_body(self) -> None:
        """Forget the body: the request will not be sent any more."""
        HttpRequest.__init__(self, self.method, self.url, headers=dict(self.headers))


def never_sent(error: BaseException | None) -> bool:
    """Return True if *error* surely came before the request reached the service."""
    inner = getattr(error, "inner_exception", None)
    return isinstance(error, ServiceRequestError) and isinstance(
        inner, (ClientConnectorError, ConnectionTimeoutError)
    )


def _worth_repeating(response: Any) -> bool:
    status = response.status_code
    if status in (408, 429) or (status >= 500 and status not in (501, 505)):
        return True
    source = response.headers.get("x-ms-copy-source-error-code") if status >= 400 else None
    return source in ("OperationTimedOut", "InternalError", "ServerBusy")


class Retry(ExponentialRetry):
    """
    Repeats what may succeed later, as a `RetryPolicy` says.

    The SDK's own policy has whole seconds, no cap, no total time, ignores 429
    and ``Retry-After``, and stops after three repeats of one kind.

    Args:
        policy: Attempts, waits and total time.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        super().__init__(retry_total=policy.max_attempts - 1)
        self.policy = policy

    def pause(self, failures: int, asked: float | None = None) -> float:
        """
        Return the seconds to wait after so many failures.

        Args:
            failures: So many, one after another.
            asked: What the service asks for, which counts up to the policy's
                longest wait.
        """
        policy = self.policy
        wait = max(policy.backoff_base * 2.0 ** min(failures - 1, 60), asked or 0.0)
        wait = min(policy.backoff_max, wait)
        if policy.jitter:
            wait += random.uniform(0, policy.jitter)  # noqa: S311 - spreads load, no secret
        return wait

    def deadline(self) -> float | None:
        """Return when an operation that starts now has to give up, in the loop's time."""
        seconds = self.policy.timeout
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def send(self, request: Any) -> Any:  # type: ignore[override]  # as its own base does
        """Send *request* through the rest of the pipeline, as often as the policy allows."""
        settings = self.configure_retries(request)
        history = settings["history"]
        http_request = request.http_request
        # Requests of the SDK's own clients keep no record.
        record = http_request if isinstance(http_request, AttemptRecord) else AttemptRecord()
        deadline = getattr(http_request, "deadline", None)
        if deadline is None:
            deadline = self.deadline()
        while True:
            record.pending = True
            response, error = await self._attempt(request, deadline)
            foreign = response is not None and _is_foreign(record, response.http_response)
            if response is not None and not (foreign or _worth_repeating(response.http_response)):
                break
            _note(record, response, error, foreign=foreign)
            asked = retry_after(response.http_response.headers) if response is not None else None
            history.append(
                RequestHistory(
                    http_request,
                    http_response=response.http_response if response is not None else None,
                    error=error,
                )
            )
            wait = self.pause(len(history), asked)
            stop = self._must_stop(error, len(history), wait, deadline)
            if stop or not _rewind(settings, request):
                if error is not None:
                    raise error
                break
            close = getattr(getattr(response, "http_response", None), "close", None)
            if close is not None:  # the SDK's own clients get answers of an older kind
                await close()
            await asyncio.sleep(wait)
            record.resent = True
        assert response is not None
        if history:
            response.context["history"] = history
        response.http_response.location_mode = settings["mode"]
        return response

    async def _attempt(self, request: Any, deadline: float | None) -> tuple[Any, AzureError | None]:
        following: Any = self.next
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                return await following.send(request), None
        except (ServiceRequestError, ServiceResponseError) as error:
            return None, error
        except TimeoutError as error:
            if not limit.expired():
                raise
            late = ServiceResponseTimeoutError("no answer within the time limit", error=error)
            late.__cause__ = error
            return None, late

    def _must_stop(
        self, error: AzureError | None, failures: int, wait: float, deadline: float | None
    ) -> bool:
        if failures >= self.policy.max_attempts:
            return True
        if isinstance(getattr(error, "inner_exception", None), ClientSSLError):
            return True  # a certificate that is refused now is refused again
        return deadline is not None and asyncio.get_running_loop().time() + wait >= deadline


def _is_foreign(record: AttemptRecord, response: Any) -> bool:
    """Return True for an answer that is not the service's own."""
    operation = record.operation
    return operation is not None and bool(operation.lacks(response.status_code, response.headers))


def _note(record: AttemptRecord, response: Any, error: AzureError | None, *, foreign: bool) -> None:
    record.pending = False
    if response is None:
        record.lost = record.lost or not never_sent(error)
    else:
        record.lost = record.lost or foreign or response.http_response.status_code in UNSURE


def _rewind(settings: dict[str, Any], request: Any) -> bool:
    """Return True if the body can be sent again; only the SDK's own clients send files."""
    body = request.http_request.body
    if not hasattr(body, "read"):
        return True
    if settings["body_position"] is None:
        return False
    try:
        body.seek(settings["body_position"])
    except (OSError, ValueError):
        return False
    return True

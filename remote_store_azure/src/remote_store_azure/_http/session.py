"""
How a request gets to the service and its answer back: one loop's way to one container.

Requests are written by hand and sent through the SDK's own pipeline, which
signs, repeats and logs them. Its client objects and deserialisers are left
out: they cost more than everything else of a small call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy
from remote_store_azure._connect.account import Account
from remote_store_azure._connect.options import Tuning
from remote_store_azure._http.sdk_errors import SdkErrors
from remote_store_azure._rest.errors import NO_STORAGE, REFUSALS, UNSURE, error_of
from remote_store_azure._rest.operations import OCTET_STREAM, SHORT, Operation
from remote_store_azure._rest.outcome import AttemptRecord
from remote_store_azure._rest.redact import redact_request, redacted_bytes
from remote_store_azure._rest.response import Response, StreamedResponse, headers_of, read
from remote_store_azure._rest.urls import Urls
from remote_store_objects import Body
from remote_store_objects.authoring import Calls, Waiting

__all__ = ["Session"]

T = TypeVar("T")

_DONE: Final = (200, 201, 202, 206)
_READING: Final = ("GET", "HEAD")
#: Bytes above which aiohttp does not want a body in one piece.
_ONE_PIECE: Final = 256 << 10


class Session(Urls):
    """
    Sends requests about one container, from one event loop.

    Attributes:
        calls: What waits for the service in this loop; see `Calls`.
        client: The SDK's ContainerClient, whose pipeline sends.
        container: Name of the container.
        max_concurrency: Requests that one upload or download may have in flight.
        options: Sizes.
        name: Name of the backend, for errors.
        by_token: A token credential authorizes, neither a key nor a SAS.
        bearer: Gives what such a credential authorizes the parts of a batch with; else None.
        retry: How patiently failures are met.
    """

    def __init__(
        self,
        account: Account,
        client: Any,
        calls: Calls,
        *,
        retry: Any,
        bearer: Callable[[], Awaitable[str]] | None,
        options: Tuning,
        max_concurrency: int,
        name: str,
    ) -> None:
        from remote_store_azure._http import retry as retries
        from remote_store_azure._http import sdk  # loaded with the first client

        super().__init__(account)
        self.client = client
        self.container = account.container
        self.max_concurrency = max_concurrency
        self.options = options
        self.name = name
        self.retry: RetryPolicy = getattr(retry, "policy", None) or RetryPolicy()
        self._retry = retry if isinstance(retry, retries.Retry) else None
        self._sdk_errors = SdkErrors(name, calls)
        self._exceptions = self._sdk_errors.exceptions
        self._never_sent = retries.never_sent
        self._request = retries.Request
        self._run = sdk.pipeline_of(client).run
        self.calls = calls
        self._version: str = client.api_version
        self._no_storage = (
            f"The container {account.container!r} of {account.blob_url} does not exist; make it, "
            f"for example with 'az storage container create --name {account.container}'"
        )
        self.bearer = bearer
        self.by_token = bearer is not None

    # --- requests --------------------------------------------------------

    async def send(
        self,
        operation: Operation,
        url: str,
        *,
        path: str | None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        accept: Container[int] = _DONE,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> Response:
        """
        Send a request and return the service's whole answer.

        What is not a response of the service is met as a failure of the connection
        is: the request is sent again, as `retry` says. So is a GET whose
        answer breaks off, and another one that `Operation.repeats`.

        Args:
            operation: What kind of request it is.
            url: From `url` and its siblings.
            path: The key concerned, for errors.
            headers: Of the request; version, date and authentication are added.
            body: Of the request.
            accept: Statuses that are returned; any other raises, and so do answers that
                say nothing, whatever their status is.
            timeout: Seconds for everything together; None for the policy's.
            deadline: Instead of *timeout*, the loop's time when it is over.

        Raises:
            RemoteStoreError: By the table of errors, for a status that is not
                accepted.
            BackendUnavailable: No answer of the service; ``outcome_unknown``
                when the request may have changed something nevertheless.
            StoreClosed: The backend is closed, or was meanwhile.
        """
        deadline = self._deadline(timeout, deadline)
        failures = 0
        lost = False
        while True:
            request = self._prepared(operation, url, headers, body, deadline)
            request.lost = lost
            with Waiting(self.calls, path, operation.method not in _READING and request.in_doubt):
                sdk_response = await self._respond(request, path)
                content = await self._content(request, sdk_response, path, deadline)
            if isinstance(content, RemoteStoreError):
                failures += 1
                lost = content.outcome_unknown
                await self.pause(failures, content, deadline)
                continue
            response = Response(
                sdk_response.status_code,
                headers_of(sdk_response),
                content,
                path,
                request.lost,
                request.resent or failures > 0,
                operation.method,
                sdk_response,
            )
            if response.status in accept and (
                response.status < 400 or response.code not in REFUSALS
            ):
                return response
            raise self.error(response)

    async def stream(
        self,
        operation: Operation,
        url: str,
        *,
        path: str | None,
        headers: Mapping[str, str] | None = None,
        accept: Container[int] = (200, 206),
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> StreamedResponse:
        """
        Send a request and return as soon as the answer begins; as `send`.

        The caller closes what is returned, or exhausts or closes its chunks.
        """
        deadline = self._deadline(timeout, deadline)
        request = self._prepared(operation, url, headers, None, deadline)
        with Waiting(self.calls, path, False):
            sdk_response = await self._respond(request, path)
            if sdk_response.status_code in accept:
                lost = request.lost
                pull = partial(self._pull, path, deadline)
                return StreamedResponse(sdk_response, pull, path, lost)
            content = await self._content(request, sdk_response, path, deadline)
        if isinstance(content, RemoteStoreError):
            content = b""  # the status says enough
        found = headers_of(sdk_response)
        status, lost, resent = sdk_response.status_code, request.lost, request.resent
        response = Response(
            status, found, content, path, lost, resent, operation.method, sdk_response
        )
        raise self.error(response)

    async def _pull(self, path: str | None, deadline: float | None, source: Any) -> bytes:
        with Waiting(self.calls, path, False):
            try:
                if deadline is None:
                    return await anext(source, b"")
                async with asyncio.timeout_at(deadline):
                    return await anext(source, b"")
            except (self._exceptions.AzureError, TimeoutError) as error:
                raise self._sdk_errors.no_answer(error, path, outcome_unknown=False) from error

    # --- patience --------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when an operation that starts now has to be over, in the loop's time."""
        return self._deadline(None, None)

    async def pause(self, failures: int, error: RemoteStoreError, deadline: float | None) -> None:
        """
        Wait before an answer that broke off is asked for again.

        Args:
            failures: How many attempts failed since there was progress.
            error: Why the last one did.
            deadline: From `deadline`, when the operation began.

        Raises:
            RemoteStoreError: *error*, when attempts or time are used up.
        """
        if failures >= self.retry.max_attempts or self.calls.closed:
            raise error
        wait = (
            self._retry.pause(failures, error.retry_after)
            if self._retry is not None
            else min(self.retry.backoff_base * 2.0**failures, self.retry.backoff_max)
        )
        if deadline is not None and asyncio.get_running_loop().time() + wait >= deadline:
            raise error
        await asyncio.sleep(wait)

    def _deadline(self, timeout: float | None, deadline: float | None) -> float | None:
        if deadline is not None:
            return deadline
        seconds = self.retry.timeout if timeout is None else timeout
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    # --- errors ----------------------------------------------------------

    def error(
        self, response: Response, message: str | None = None, *, outcome_unknown: bool | None = None
    ) -> RemoteStoreError:
        """
        Return the error that *response* stands for, the SDK's own as its cause.

        Args:
            response: An answer, accepted or not.
            message: Instead of the table's words; where the container is absent, that is said.
            outcome_unknown: Instead of what the response says.
        """
        if outcome_unknown is None:
            # A refusal is about the attempt that it answers, not about one that was lost.
            outcome_unknown = response.method not in _READING and (
                response.status in UNSURE or response.lost
            )
        if response.code in NO_STORAGE:
            message = f"{self._no_storage}: {response.path}" if response.path else self._no_storage
        error = error_of(
            response.status,
            response.headers,
            response.body,
            path=response.path,
            backend=self.name,
            message=message,
            outcome_unknown=outcome_unknown,
        )
        error.__cause__ = self._sdk_errors.cause(response)
        return error

    def etag(self, response: Response) -> str:
        """
        Return the version of what *response* is about, in quotes.

        Raises:
            RemoteStoreError: The response has no ETag.
        """
        etag: str | None = response.headers.get("ETag")
        if etag is None:
            msg = (
                f"The service's answer has no ETag header, which tells the version: {response.path}"
            )
            raise self.error(response, msg)
        return etag

    # --- one attempt after another ----------------------------------------

    def _prepared(
        self,
        operation: Operation,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | Body | None,
        deadline: float | None,
    ) -> Any:
        sent = {"x-ms-version": self._version}
        if headers:
            sent.update(headers)
        if body is not None:
            # Both are signed, so aiohttp must not be the one to add them.
            sent["Content-Length"] = str(len(body))
            if "Content-Type" not in sent and len(body):
                sent["Content-Type"] = OCTET_STREAM
            if isinstance(body, bytes) and len(body) > _ONE_PIECE:
                body = Body([body])
            elif isinstance(body, Body) and len(body) <= _ONE_PIECE:
                body = bytes(body)
        content: Any = body or None
        request = self._request(operation.method, url, headers=sent, content=content)
        request.operation = operation
        request.deadline = deadline
        request.pending = self._retry is None  # a policy of the caller's own does not say
        return request

    async def _respond(self, request: Any, path: str | None) -> Any:
        exceptions = self._exceptions
        try:
            result = await self._run(request, stream=True)
        except exceptions.AzureError as error:
            unknown = request.method not in _READING and self._may_have_arrived(request, error)
            redact_request(request)
            raise self._sdk_errors.no_answer(error, path, outcome_unknown=unknown) from error
        if self._retry is None:
            history = result.context.get("history", ())
            request.resent = bool(history)
            request.lost = request.lost or any(
                self._was_lost(request.operation, past) for past in history
            )
        sdk_response = result.http_response
        lack = request.operation.lacks(sdk_response.status_code, sdk_response.headers)
        if lack:
            await sdk_response.close()
            raise self._foreign(request, sdk_response, lack, path)
        return sdk_response

    def _foreign(
        self, request: Any, sdk_response: Any, lack: str, path: str | None
    ) -> BackendUnavailable:
        """Return the error for an answer that is not the service's own."""
        method = request.method
        response = Response(
            sdk_response.status_code,
            headers_of(sdk_response),
            path=path,
            method=method,
            sdk_response=sdk_response,
        )
        return self._sdk_errors.foreign(response, lack, outcome_unknown=method not in _READING)

    def _was_lost(self, operation: Operation, past: Any) -> bool:
        """Return True if an attempt may have been carried out, by what the SDK notes of it."""
        if past.error is not None:
            return not self._never_sent(past.error)
        found = past.http_response
        return found is not None and (
            found.status_code in UNSURE or bool(operation.lacks(found.status_code, found.headers))
        )

    def _may_have_arrived(self, record: AttemptRecord, error: BaseException) -> bool:
        if isinstance(error, self._exceptions.ClientAuthenticationError):
            return record.lost  # this attempt was not sent
        # A retry policy of the caller's own does not say what it tried.
        return self._retry is None or record.lost or not self._never_sent(error)

    async def _content(
        self, request: Any, sdk_response: Any, path: str | None, deadline: float | None
    ) -> bytes | RemoteStoreError:
        """Return the body; or, for a request that can be repeated, the error that broke it off."""
        if request.method == "HEAD" or sdk_response.headers.get("Content-Length") == "0":
            await sdk_response.close()
            return b""
        operation: Operation = request.operation
        repeats = request.method == "GET" or operation.repeats
        succeeded = repeats and sdk_response.status_code < 400
        source = sdk_response.iter_raw()
        try:
            most = operation.most if succeeded else SHORT
            if deadline is None:
                body, whole = await read(source, most)
            else:
                async with asyncio.timeout_at(deadline):
                    body, whole = await read(source, most)
        except (self._exceptions.AzureError, TimeoutError) as error:
            redact_request(request)
            if request.method != "GET" and sdk_response.status_code >= 400:
                return b""  # the status says enough
            unknown = request.method not in _READING
            ours = self._sdk_errors.no_answer(error, path, outcome_unknown=unknown)
            if repeats and isinstance(ours, BackendUnavailable):
                ours.__cause__ = error
                return ours
            raise ours from error
        finally:
            await source.aclose()
            await sdk_response.close()
        if not succeeded:
            return redacted_bytes(body)  # errors repeat what was asked, tokens included
        if not whole:
            msg = f"The service's answer is longer than {operation.most} bytes"
            unknown = request.method not in _READING
            raise RemoteStoreError(msg, path=path, backend=self.name, outcome_unknown=unknown)
        lack = operation.lacks_body(body)
        return self._foreign(request, sdk_response, lack, path) if lack else body

"""Between the SDK's exceptions and ours; secrets are taken out on the way."""

from __future__ import annotations

from binascii import Error as Base64Error
from typing import Any

from remote_store import BackendUnavailable, PermissionDenied, RemoteStoreError
from remote_store.authoring import closed
from remote_store_azure._rest.errors import retry_after, service_message
from remote_store_azure._rest.redact import RedactedResponse, redacted, scrub
from remote_store_azure._rest.response import Response
from remote_store_objects.authoring import Calls

__all__ = ["SdkErrors"]


class SdkErrors:
    """
    The SDK's exceptions, for one session.

    Args:
        backend: Name of the backend, for errors.
        calls: Of the session; once closed, a broken connection is our own doing.
    """

    def __init__(self, backend: str, calls: Calls) -> None:
        from azure.core import exceptions  # the SDK is loaded with the first client

        self.exceptions: Any = exceptions
        self._backend = backend
        self._calls = calls

    def cause(self, response: Response) -> Exception:
        """Return the error that the SDK would raise for *response*."""
        exceptions = self.exceptions
        cls = {
            401: exceptions.ClientAuthenticationError,
            403: exceptions.ClientAuthenticationError,
            404: exceptions.ResourceNotFoundError,
            409: exceptions.ResourceExistsError,
            412: exceptions.ResourceModifiedError,
        }.get(response.status, exceptions.HttpResponseError)
        reply = (
            None
            if response.sdk_response is None
            else RedactedResponse(response.sdk_response, response.body)
        )
        words = (str(response.status), response.code, service_message(response.body))
        native: Exception = cls(message=" ".join(filter(None, words)), response=reply)
        native.status_code = response.status  # type: ignore[attr-defined]
        native.error_code = response.code or None  # type: ignore[attr-defined]
        return native

    def foreign(
        self, response: Response, lack: str, *, outcome_unknown: bool
    ) -> BackendUnavailable:
        """
        Return our error for an answer that is not the service's own.

        Args:
            response: It.
            lack: What it has not got, see `Operation.lacks`.
            outcome_unknown: The request may have reached the service too.
        """
        what = f"what came instead has status {response.status}, and {lack}"
        if 300 <= response.status < 400:
            what = f"what came instead is a redirect ({response.status}), which is not followed"
        error = BackendUnavailable(
            f"No answer from the service: {what}; a proxy, gateway or login page is in the way",
            path=response.path,
            backend=self._backend,
            status=response.status,
            retry_after=retry_after(response.headers),
            outcome_unknown=outcome_unknown,
        )
        error.__cause__ = self.cause(response)
        return error

    def no_answer(
        self, error: BaseException, path: str | None, *, outcome_unknown: bool
    ) -> RemoteStoreError:
        """Return our error for one of the transport or of a credential, which is cleaned."""
        scrub(error)
        exceptions = self.exceptions
        words = redacted(str(error)) or type(error).__name__
        if isinstance(error, exceptions.ClientAuthenticationError):
            if isinstance(error.__cause__, Base64Error):
                words = "the account key is no base64; copy it again, as a whole"
            msg = f"Permission denied, no authentication: {words}"
            return PermissionDenied(
                msg, path=path, backend=self._backend, outcome_unknown=outcome_unknown
            )
        unreachable = (
            exceptions.ServiceRequestError,
            exceptions.ServiceResponseError,
            exceptions.IncompleteReadError,
            TimeoutError,
        )
        if not isinstance(error, unreachable):
            return RemoteStoreError(
                words, path=path, backend=self._backend, outcome_unknown=outcome_unknown
            )
        if self._calls.closed:
            return closed(self._backend, path, outcome_unknown=outcome_unknown)
        msg = f"No answer from the service: {words}"
        return BackendUnavailable(
            msg, path=path, backend=self._backend, outcome_unknown=outcome_unknown
        )

"""The one table from the service's answers to our errors."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from multidict import CIMultiDict
from tests.azure.scripted import OPERATIONS, clients_for, reply, scripted

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
    RetryPolicy,
)
from remote_store_azure._rest.errors import error_code, error_of, retry_after, service_message
from remote_store_azure._rest.operations import GET_BLOB, PUT_BLOB
from remote_store_objects import StorageNotFound


def xml(code: str, words: str = "Some words.") -> bytes:
    """Return an error body of the Blob service."""
    return (
        "\ufeff"
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{words}\nRequestId:1\nTime:2</Message></Error>"
    ).encode()


def json(code: str, words: str = "Some words.") -> bytes:
    """Return an error body of the Data Lake service."""
    return f'{{"error":{{"code":"{code}","message":"{words}\\nRequestId:1\\nTime:2"}}}}'.encode()


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (304, "", PreconditionFailed),
        (400, "", RemoteStoreError),
        (400, "InvalidBlockList", PreconditionFailed),
        (400, "InvalidResourceName", InvalidPath),
        (400, "InvalidUri", InvalidPath),
        (400, "InvalidHeaderValue", RemoteStoreError),
        (400, "InvalidAuthenticationInfo", PermissionDenied),
        (400, "OperationNotSupportedOnDirectory", InvalidPath),
        (401, "NoAuthenticationInformation", PermissionDenied),
        (403, "AuthenticationFailed", PermissionDenied),
        (403, "CannotVerifyCopySource", PermissionDenied),
        (404, "BlobNotFound", NotFound),
        (404, "ContainerNotFound", StorageNotFound),
        (404, "PathNotFound", NotFound),
        (404, "CannotVerifyCopySource", NotFound),
        (404, "", NotFound),
        (408, "", BackendUnavailable),
        (409, "BlobAlreadyExists", AlreadyExists),
        (409, "PathAlreadyExists", AlreadyExists),
        (409, "PathConflict", InvalidPath),
        (409, "DirectoryNotEmpty", DirectoryNotEmpty),
        (409, "DirectoryIsNotEmpty", DirectoryNotEmpty),
        (409, "BlobImmutableDueToPolicy", PermissionDenied),
        (409, "LeaseAlreadyPresent", ResourceLocked),
        (409, "PendingCopyOperation", ResourceLocked),
        (409, "ContainerBeingDeleted", BackendUnavailable),
        (409, "InvalidBlobType", RemoteStoreError),
        (409, "BlobArchived", RemoteStoreError),
        (409, "BlobBeingRehydrated", RemoteStoreError),
        (409, "SnapshotsPresent", PermissionDenied),
        (409, "PublicAccessNotPermitted", PermissionDenied),
        (404, "ResourceNotFound", PermissionDenied),
        (404, "AccountNotFound", BackendUnavailable),
        (404, "FilesystemNotFound", StorageNotFound),
        (403, "UnauthorizedBlobOverwrite", PermissionDenied),
        (409, "", RemoteStoreError),
        (412, "ConditionNotMet", PreconditionFailed),
        (412, "LeaseIdMissing", ResourceLocked),
        (412, "LeaseIdMismatchWithBlobOperation", ResourceLocked),
        (413, "RequestBodyTooLarge", RemoteStoreError),
        (416, "InvalidRange", RemoteStoreError),
        (429, "", BackendUnavailable),
        (500, "InternalError", BackendUnavailable),
        (501, "", RemoteStoreError),
        (503, "ServerBusy", BackendUnavailable),
        (505, "", RemoteStoreError),
        (507, "", BackendUnavailable),
    ],
)
def test_table(status: int, code: str, cls: type[RemoteStoreError]) -> None:
    """Status and code together decide; a 409 whose code says nothing is no AlreadyExists."""
    headers = CIMultiDict({"X-MS-Error-Code": code} if code else {})
    error = error_of(status, headers, b"", path="a/b", backend="async-azure")
    assert type(error) is cls
    assert (error.path, error.backend, error.status) == ("a/b", "async-azure", status)
    assert error.code == (code or None)
    assert "a/b" in str(error.args[0])


@pytest.mark.parametrize("body", [xml("BlobNotFound"), json("BlobNotFound")])
def test_code_in_the_body(body: bytes) -> None:
    """The code and the words are found in either service's body."""
    assert error_code({}, body) == "BlobNotFound"
    assert service_message(body) == "Some words."
    assert error_code({"x-ms-error-code": "Header"}, body) == "Header"
    assert error_code({}, b"garbage") == ""
    assert service_message(b"garbage") == ""


def test_message() -> None:
    """The usual answers are short, others carry status, code and the service's words."""
    short = error_of(404, {}, xml("BlobNotFound"), path="k", backend="b")
    assert short.args == ("Not found: k",)
    long = error_of(409, {}, xml("UnknownCode", "Wrong blob."), path="k", backend="b")
    assert long.args == ("The service reports a conflict: k (409 UnknownCode: Wrong blob.)",)
    own = error_of(404, {}, xml("BlobNotFound"), path="k", backend="b", message="Own words")
    assert own.args == ("Own words",)


def test_retry_after_forms() -> None:
    """The wait is read as milliseconds, seconds or a date; anything else is None."""
    assert retry_after({}) is None
    assert retry_after({"Retry-After": "7"}) == 7
    assert retry_after({"retry-after-ms": "1500", "Retry-After": "9"}) == 1.5
    assert retry_after({"x-ms-retry-after-ms": "20"}) == 0.02
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({"Retry-After": "-1"}) is None
    date = retry_after({"Retry-After": formatdate(time.time() + 30, usegmt=True)})
    assert date is not None
    assert 27 < date <= 30
    assert retry_after({"Retry-After": formatdate(time.time() - 30, usegmt=True)}) == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "native"),
    [
        (401, ClientAuthenticationError),
        (403, ClientAuthenticationError),
        (404, ResourceNotFoundError),
        (409, ResourceExistsError),
        (412, ResourceModifiedError),
        (400, HttpResponseError),
        (500, HttpResponseError),
    ],
)
async def test_cause_and_fields(status: int, native: type[HttpResponseError]) -> None:
    """The SDK's error stays as the cause, and the service's ids and waits are kept."""
    body = xml("SomeCode")
    answer = reply(
        status, body, x_ms_request_id="id-1", Retry_After="7", x_ms_error_code="SomeCode"
    )
    async with scripted(answer) as server:
        clients = clients_for(server, retry=RetryPolicy.disabled())
        with clients.running() as wire, pytest.raises(RemoteStoreError) as caught:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        error = caught.value
        assert (error.status, error.code, error.request_id) == (status, "SomeCode", "id-1")
        assert error.retry_after == 7
        assert type(error.__cause__) is native
        assert isinstance(error.__cause__, HttpResponseError)
        assert error.__cause__.status_code == status
        response: Any = error.__cause__.response
        assert response.headers["x-ms-request-id"] == "id-1"
        await clients.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "status", "unknown"),
    [
        ("PUT", 500, True),
        ("PUT", 502, True),
        ("PUT", 504, True),
        ("PUT", 408, True),
        ("PUT", 503, False),
        ("PUT", 429, False),
        ("PUT", 412, False),
        ("GET", 500, False),
        ("HEAD", 504, False),
    ],
)
async def test_outcome_unknown(method: str, status: int, unknown: bool) -> None:
    """An answer of something that gave up leaves a change unknown; a refusal does not."""
    async with scripted(reply(status)) as server:
        clients = clients_for(server, retry=RetryPolicy.disabled())
        with clients.running() as wire, pytest.raises(RemoteStoreError) as caught:
            await wire.send(OPERATIONS[method], wire.url("k"), path="k")
        assert caught.value.outcome_unknown is unknown
        await clients.aclose()


@pytest.mark.asyncio
async def test_wrong_key_is_permission_denied() -> None:
    """An account key that cannot sign is told as what it is, and nothing is sent."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server, account_key="not base64!")
        with clients.running() as wire, pytest.raises(PermissionDenied) as caught:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert not caught.value.outcome_unknown
        assert server.seen == []
        await clients.aclose()

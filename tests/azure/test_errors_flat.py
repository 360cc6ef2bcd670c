"""Errors of operations on a flat account: typed, with their cause, and never an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, stream
from tests.operations import FLAT_OPERATIONS, Paths, crossed, settle

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend], Awaitable[Any]]

CALLS: dict[str, Call] = {
    name: partial(op, paths=Paths("a", "d", "d/below" if "overwrite" in op.options else "b"))
    for name, op in sorted(FLAT_OPERATIONS.items(), key=lambda item: item[0] != "write")
} | {"write, stream": lambda b: b.write("b", stream(b"x", b"y", b"z"))}
#: A move looks first.
LOOKS_FIRST = {
    name for name, op in FLAT_OPERATIONS.items() if not op.changes or op.method == "move"
}


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on a file and a folder with one, with blocks of two bytes."""
    sizes = {"max_single_put_size": 2, "max_block_size": 2}
    async with flat(azurite, service, container, client_options=sizes) as found:
        found.put("a")
        found.put("d/below")
        yield found


STATUSES = [
    (403, "AuthorizationFailure", PermissionDenied),
    (401, "NoAuthenticationInformation", PermissionDenied),
    (503, "ServerBusy", BackendUnavailable),
    (429, "TooManyRequests", BackendUnavailable),
    (500, "InternalError", BackendUnavailable),
    (412, "LeaseIdMissing", ResourceLocked),
    (400, "InvalidHeaderValue", RemoteStoreError),
    (418, "Teapot", RemoteStoreError),
]


@pytest.mark.parametrize(("name", "answer"), crossed(CALLS, STATUSES))
async def test_what_the_service_says(
    box: Flat, name: str, answer: tuple[int, str, type[Exception]]
) -> None:
    """Whatever the service answers is raised with its class, code and cause, in every operation."""
    status, code, error = answer

    async def after(request: Any, response: Any) -> Any:
        response.status_code = status
        response.headers["x-ms-error-code"] = code
        response.headers["x-ms-request-id"] = "the-request"
        return response

    before = box.names()
    box.transport.after = after
    with pytest.raises(error) as caught:
        await settle(CALLS[name](box.backend))
    found = caught.value
    assert type(found) is error
    assert isinstance(found, RemoteStoreError)
    assert (found.status, found.code, found.backend) == (status, code, "async-azure")
    assert found.request_id == "the-request"
    assert isinstance(found.__cause__, HttpResponseError)
    if name in LOOKS_FIRST:
        assert not found.outcome_unknown
        assert box.names() == before


@pytest.mark.parametrize(
    ("name", "kind"), crossed(CALLS, [ServiceRequestError, ServiceResponseError])
)
async def test_no_answer(box: Flat, name: str, kind: type[Exception]) -> None:
    """A service that cannot be reached is BackendUnavailable in every operation."""
    attempts: list[str] = []

    async def before(request: Any) -> None:
        attempts.append(request.method)
        raise kind("connection refused")

    box.transport.before = before
    with pytest.raises(BackendUnavailable) as caught:
        await settle(CALLS[name](box.backend))
    assert isinstance(caught.value.__cause__, kind)
    assert len(attempts) >= 3
    box.transport.before = None
    assert box.names() == ["a", "d/below"]


@pytest.mark.parametrize("name", ["exists", "read_bytes", "delete", "copy", "move"])
async def test_a_probe_that_fails_is_no_answer(box: Flat, name: str) -> None:
    """Where a 404 cannot be told from a folder, the failure of the probe is raised."""

    async def after(request: Any, answer: Any) -> Any:
        if "comp=list" in request.url:
            answer.status_code = 403
            answer.headers["x-ms-error-code"] = "AuthorizationPermissionMismatch"
        return answer

    box.transport.after = after
    box.container.delete_blob("a")
    with pytest.raises(PermissionDenied):
        await settle(CALLS[name](box.backend))


async def test_the_callers_exception_passes(box: Flat) -> None:
    """What the caller's iterator raises is the same object, and nothing is written."""
    for problem in (ValueError("mine"), NotFound("mine"), ServiceResponseError("mine")):

        async def source(problem: Exception = problem) -> AsyncIterator[bytes]:
            yield b"x" * 7
            raise problem

        for write in (box.backend.write, box.backend.write_atomic):
            with pytest.raises(type(problem)) as caught:
                await write("new", source())
            assert caught.value is problem
    assert box.names() == ["a", "d/below"]


async def test_a_readers_exception_passes(box: Flat) -> None:
    """What is thrown into a read or listing by its consumer comes out unchanged."""
    for items in (box.backend.read("a"), box.backend.list_files("")):
        await anext(items)
        problem = NotFound("mine")
        with pytest.raises(NotFound) as caught:
            await items.athrow(problem)
        assert caught.value is problem
    box.sent()


async def test_an_empty_page_is_not_the_end(box: Flat) -> None:
    """A folder whose first page is empty but has a marker is asked for again."""
    page = (
        b'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/>'
        b"<NextMarker>a</NextMarker></EnumerationResults>"
    )
    left = [page]

    async def after(request: Any, answer: Any) -> Any:
        if "comp=list" in request.url and left:
            body = left.pop()
            await answer.read()

            async def chunks() -> AsyncIterator[bytes]:
                yield body

            answer.iter_raw = chunks
            answer.headers["Content-Length"] = str(len(body))
        return answer

    box.transport.after = after
    assert await box.backend.is_folder("d")
    assert box.sent() == ["GET list", "GET list"]


async def test_a_lost_delete_is_done(box: Flat) -> None:
    """A delete whose first attempt got no answer has done what the second cannot find."""
    lost: list[str] = []

    async def after(request: Any, answer: Any) -> Any:
        if request.method == "DELETE" and not lost:
            lost.append(request.url)
            await answer.close()
            msg = "the answer was lost"
            raise ServiceResponseError(msg)
        return answer

    box.transport.after = after
    await box.backend.delete("a")
    assert box.sent() == ["DELETE", "DELETE"]
    assert box.names() == ["d/below"]


@pytest.mark.parametrize("name", ["delete", "copy", "move", "write, overwrite"])
async def test_an_unknown_outcome_is_told(box: Flat, name: str) -> None:
    """Where every answer of a change is lost, the error says that it may have happened."""

    async def after(request: Any, answer: Any) -> Any:
        if request.method in ("PUT", "DELETE"):
            await answer.close()
            msg = "the answer was lost"
            raise ServiceResponseError(msg)
        return answer

    box.transport.after = after
    with pytest.raises((BackendUnavailable, AlreadyExists, PreconditionFailed)) as caught:
        await settle(CALLS[name](box.backend))
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    "name", ["write", "write, stream", "copy", "move", "delete_folder, recursive"]
)
@pytest.mark.parametrize("turns", [0, 1, 3, 8, 20, 60])
async def test_cancelled(box: Flat, name: str, turns: int) -> None:
    """A cancelled change is done or not, as a whole, and leaves no call and no task."""
    tasks = asyncio.all_tasks()
    call = asyncio.ensure_future(CALLS[name](box.backend))
    for _ in range(turns):
        await asyncio.sleep(0)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    assert asyncio.all_tasks() == tasks
    assert box.backend._loops.running().calls.count == 0
    for left in box.names():
        assert box.get(left) in (b"content", b"x", b"xyz")
    assert "a" in box.names() or "b" in box.names()

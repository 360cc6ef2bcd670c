"""What an error says about a change whose answer was lost: done, not done, or not known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from attrs import frozen
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceResponseError
from tests.azure.flat import QUICK, stream
from tests.azure.scripted import KEY, OPERATIONS, Act, Server, clients_for, reply, scripted, usual
from tests.azure.transport import CountingTransport

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

#: The connection is dropped.
LOST: Final = None
FILE: Final = reply(200, ETag='"1"', x_ms_resource_type="file", Content_Length="0")
FOLDER: Final = reply(200, b"", **{"x-ms-meta-hdi_isfolder": "true", "Content-Length": "0"})
MADE: Final = reply(201, ETag='"1"')
GONE: Final = reply(404)


def refused(status: int, code: str) -> bytes:
    return reply(status, x_ms_error_code=code)


TAKEN: Final = refused(409, "BlobAlreadyExists")
CHANGED: Final = refused(412, "ConditionNotMet")


@asynccontextmanager
async def opened(server: Server, *, hns: bool, **options: Any) -> AsyncIterator[AsyncAzureBackend]:
    """Give a backend on a scripted account, with blocks of 16 bytes."""
    sizes = {"max_block_size": 16, "max_single_put_size": 16}
    backend = AsyncAzureBackend(
        "box",
        account_url=server.url,
        account_key=KEY,
        hns=hns,
        retry=QUICK,
        client_options=sizes | options,
    )
    try:
        yield backend
    finally:
        await backend.aclose()


@frozen
class Lost:
    """
    A change whose answer is lost, and whose repetition is refused.

    Args:
        call: The change.
        acts: What the service answers, up to the look that is to tell the truth.
        hns: The kind of account.
    """

    call: Callable[[AsyncAzureBackend], Awaitable[Any]]
    acts: tuple[Act, ...]
    hns: bool = False


CASES: Final = {
    "bytes": Lost(lambda b: b.write("a", b"y"), (LOST, TAKEN)),
    "stream": Lost(lambda b: b.write("a", b"y" * 20), (GONE, MADE, MADE, LOST, TAKEN)),
    "stream, discarded": Lost(
        lambda b: b.write("a", b"y" * 20),
        (GONE, MADE, MADE, LOST, refused(400, "InvalidBlockList"), GONE),
    ),
    "copy": Lost(lambda b: b.copy("a", "b"), (LOST, TAKEN)),
    "copy, the source": Lost(lambda b: b.copy("a", "b"), (LOST, TAKEN, FILE)),
    "copy, no source": Lost(lambda b: b.copy("a", "b"), (LOST, GONE)),
    "move, the copy": Lost(lambda b: b.move("a", "b"), (FILE, LOST, CHANGED)),
    "move, the removal": Lost(lambda b: b.move("a", "b"), (FILE, MADE, LOST, CHANGED)),
    "hns, bytes": Lost(lambda b: b.write("a", b"y"), (LOST, TAKEN), hns=True),
    "hns, bytes, above": Lost(lambda b: b.write("d/a", b"y"), (LOST, TAKEN, GONE), hns=True),
    "hns, nothing in it": Lost(lambda b: b.write_atomic("a", b""), (LOST, TAKEN), hns=True),
    "hns, atomic": Lost(
        lambda b: b.write_atomic("a", b"y", overwrite=True),
        (MADE, reply(202, ETag='"2"'), LOST, refused(404, "SourcePathNotFound")),
        hns=True,
    ),
    "hns, move": Lost(
        lambda b: b.move("a", "b"), (FILE, LOST, refused(404, "SourcePathNotFound")), hns=True
    ),
    "hns, copy": Lost(lambda b: b.copy("a", "b"), (FILE, LOST, TAKEN), hns=True),
    "hns, delete": Lost(lambda b: b.delete("a"), (FILE, LOST, CHANGED), hns=True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("look", [reply(403), reply(503), LOST], ids=["403", "503", "dropped"])
async def test_a_look_that_fails_settles_nothing(case: str, look: Act) -> None:
    """It may have happened: what was to tell got no answer, and the error says so."""
    lost = CASES[case]
    async with scripted(*lost.acts, look) as server, opened(server, hns=lost.hns) as backend:
        with pytest.raises(RemoteStoreError) as caught:
            await lost.call(backend)
        assert len(server.seen) > len(lost.acts)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ""),
        (401, ""),
        (403, ""),
        (404, "ContainerNotFound"),
        (409, "PendingCopyOperation"),
        (412, "LeaseIdMissing"),
        (429, ""),
        (503, "ServerBusy"),
    ],
)
async def test_a_refusal_tells_of_one_attempt(
    lost: bool, method: str, status: int, code: str
) -> None:
    """What an earlier attempt did, whose answer was lost, no refusal of a later one tells."""
    acts: list[Act] = [LOST, reply(status, x_ms_error_code=code or "Other")]
    async with scripted(*acts[not lost :]) as server:
        clients = clients_for(server)
        with clients.running() as wire, pytest.raises(RemoteStoreError) as caught:
            await wire.send(OPERATIONS[method], wire.url("k"), path="k")
        await clients.aclose()
    assert caught.value.status == status
    assert caught.value.outcome_unknown is (lost and method != "GET")


@pytest.mark.parametrize("lost", [True, False])
async def test_a_credential_that_expires_between_attempts(lost: bool) -> None:
    """No second attempt can be signed: the first one's effect is as unknown as before."""
    transport = CountingTransport()
    attempts: list[Any] = []

    async def before(request: Any) -> None:
        attempts.append(request)
        if lost and len(attempts) == 1:
            raise ServiceResponseError("lost")
        raise ClientAuthenticationError("expired")

    transport.before = before
    async with (
        scripted(reply(201)) as server,
        opened(server, hns=False, transport=transport) as backend,
    ):
        with pytest.raises(PermissionDenied) as caught:
            await backend.write("k", b"x", overwrite=True)
    assert len(attempts) == 1 + lost
    assert caught.value.outcome_unknown is lost


NO_PARENT: Final = refused(404, "RenameDestinationParentPathNotFound")


@pytest.mark.parametrize(("renames", "unknown"), [((NO_PARENT,), False), ((LOST, NO_PARENT), True)])
async def test_a_folder_that_cannot_be_made_is_no_write(
    renames: tuple[Act, ...], unknown: bool
) -> None:
    """The target is as it was, unless an attempt to rename before got no answer."""
    look = [GONE] if unknown else []
    async with (
        scripted(MADE, reply(202, ETag='"2"'), *renames, *look, LOST) as server,
        opened(server, hns=True) as backend,
    ):
        with pytest.raises(BackendUnavailable) as caught:
            await backend.write_atomic("d/a", b"y", overwrite=True)
        assert any("resource=directory" in seen.target for seen in server.seen)
    assert caught.value.outcome_unknown is unknown


async def test_a_lost_rename_is_not_forgotten() -> None:
    """Once its folder is made, the refusal of a second rename settles nothing of the first."""
    async with (
        scripted(
            *(MADE, reply(202, ETag='"2"'), LOST, NO_PARENT, GONE, MADE),
            *(refused(404, "SourcePathNotFound"), GONE),
        ) as server,
        opened(server, hns=True) as backend,
    ):
        with pytest.raises(PreconditionFailed) as caught:
            await backend.write_atomic("d/a", b"y", overwrite=True)
        assert sum("mode=legacy" in seen.target for seen in server.seen) == 3
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("hns", [True, False])
async def test_a_source_that_changes_after_a_lost_copy(hns: bool) -> None:
    """The copy of the old version may be there: another one would find it in its way."""
    changed = refused(412, "SourceConditionNotMet")
    async with (
        scripted(FILE, LOST, changed, FILE, TAKEN, FILE) as server,
        opened(server, hns=hns) as backend,
    ):
        with pytest.raises(PreconditionFailed, match="by somebody else") as caught:
            await (backend.copy("a", "b") if hns else backend.move("a", "b"))
        assert len(server.seen) == 3
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("removal", "error"),
    [
        ((refused(403, "AuthorizationPermissionMismatch"),), PermissionDenied),
        ((refused(503, "ServerBusy"),), BackendUnavailable),
        ((refused(412, "LeaseIdMissing"),), ResourceLocked),
        ((CHANGED,), PreconditionFailed),
        ((LOST,), BackendUnavailable),
        ((LOST, refused(403, "AuthorizationFailure")), PermissionDenied),
        ((LOST, CHANGED, FILE), PreconditionFailed),
        ((LOST, CHANGED, refused(503, "ServerBusy")), BackendUnavailable),
    ],
)
async def test_a_move_whose_removal_fails_names_its_copy(
    removal: tuple[Act, ...], error: type[RemoteStoreError]
) -> None:
    """Whatever the reason: the copy is there, who repeats the move finds it in the way, and no
    error says that nothing was done."""
    async with (
        scripted(FILE, MADE, *removal) as server,
        opened(server, hns=False) as backend,
    ):
        with pytest.raises(error, match="the copy at 'b' is complete and stays") as caught:
            await backend.move("a", "b")
    assert type(caught.value) is error
    assert caught.value.path == "a"
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("hns", [True, False])
async def test_a_pending_copy_that_cannot_be_looked_at(hns: bool) -> None:
    """The service took it on and goes on with it: whether it got done is not known."""
    pending = reply(202, x_ms_copy_id="c", x_ms_copy_status="pending")
    acts = (FILE, pending) if hns else (pending,)
    async with (
        scripted(*acts, refused(503, "ServerBusy")) as server,
        opened(server, hns=hns) as backend,
    ):
        with pytest.raises(BackendUnavailable) as caught:
            await backend.copy("a", "b")
    assert caught.value.outcome_unknown


async def test_a_failed_copy_whose_rest_is_locked() -> None:
    """An empty file that cannot be removed is told, and by what."""
    failed = reply(202, ETag='"2"', x_ms_copy_id="c", x_ms_copy_status="failed")
    async with (
        scripted(failed, refused(412, "LeaseIdMissing")) as server,
        opened(server, hns=False) as backend,
    ):
        with pytest.raises(ResourceLocked, match="a copy left which the service gave up"):
            await backend.copy("a", "b")


@pytest.mark.parametrize("answer", [LOST, refused(500, "InternalError"), reply(403)])
async def test_a_block_that_fails_is_no_write(answer: Act) -> None:
    """Before the commit nothing is visible, so what is there is known: the old file."""
    async with scripted(answer) as server, opened(server, hns=False) as backend:
        with pytest.raises(RemoteStoreError) as caught:
            await backend.write("a", stream(b"y" * 20), overwrite=True)
        assert "comp=block&" in server.seen[-1].target
    assert not caught.value.outcome_unknown


async def test_the_callers_exception_keeps_what_it_says() -> None:
    """It may be about a change in another store, of which this one knows nothing."""
    mine = BackendUnavailable("from another store", outcome_unknown=True)

    async def source() -> AsyncIterator[bytes]:
        yield b"y" * 20
        raise mine

    for hns in (True, False):
        async with scripted(MADE) as server, opened(server, hns=hns) as backend:
            server.acts = [MADE, reply(202, ETag='"2"'), reply(200)] if hns else [MADE]
            with pytest.raises(BackendUnavailable) as caught:
                await backend.write("a", source(), overwrite=True)
        assert caught.value is mine
        assert mine.outcome_unknown


@pytest.mark.parametrize("hns", [True, False])
async def test_an_unlucky_delete(hns: bool) -> None:
    """After an attempt without an answer, nothing there is what that attempt left: it is done."""
    seen = [FILE] if hns else []
    async with scripted(*seen, LOST, GONE) as server, opened(server, hns=hns) as backend:
        await backend.delete("a")
    nothing = reply(200, b"<EnumerationResults/>")
    async with scripted(*seen, GONE, nothing) as server, opened(server, hns=hns) as backend:
        with pytest.raises(NotFound):
            await backend.delete("a")


#: Changes that need the version of what they look at, and what answers their first requests.
VERSIONED: Final[dict[str, Lost]] = {
    "move": Lost(lambda b: b.move("a", "b"), ()),
    "hns, move": Lost(lambda b: b.move("a", "b"), (), hns=True),
    "hns, copy": Lost(lambda b: b.copy("a", "b"), (), hns=True),
    "hns, delete": Lost(lambda b: b.delete("a"), (), hns=True),
    "hns, create": Lost(
        lambda b: b.write_atomic("a", b"y", overwrite=True), (reply(201, ETag=""),) * 3, hns=True
    ),
    "hns, flush": Lost(
        lambda b: b.write_atomic("a", b"y", overwrite=True),
        (MADE, *[reply(202, ETag="")] * 3),
        hns=True,
    ),
}


@pytest.mark.parametrize("case", VERSIONED)
async def test_an_answer_without_a_version(case: str) -> None:
    """Something on the way dropped the header: an error that names it, and no change is made."""
    change = VERSIONED[case]
    looked = reply(200, ETag="")
    async with scripted(*change.acts, looked) as server, opened(server, hns=change.hns) as b:
        with pytest.raises(BackendUnavailable, match="has no ETag") as caught:
            await change.call(b)
    assert caught.value.path == "a"
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("hns", [True, False])
async def test_an_answer_without_a_size(hns: bool) -> None:
    """It is an error of the store, not a KeyError."""
    head = b"HTTP/1.1 200 OK\r\n" + usual("1") + b"\r\n"
    async with scripted(head) as server, opened(server, hns=hns) as backend:
        with pytest.raises(RemoteStoreError, match="Content-Length") as caught:
            await backend.get_file_info("a")
    assert caught.value.path == "a"


ONE_BLOB: Final = reply(
    200,
    b"<EnumerationResults><Blobs><Blob><Name>d/a</Name><Properties/></Blob></Blobs>"
    b"</EnumerationResults>",
)


async def test_a_recursive_deletion_that_breaks_off_has_removed_something() -> None:
    """Its error says so wherever it comes from: a later page, or the look at the folder itself."""
    refusal, gone = refused(403, "AuthorizationPermissionMismatch"), reply(202)
    cases: dict[str, tuple[bool, tuple[Act, ...]]] = {
        "a step": (True, (FOLDER, reply(200, x_ms_continuation="c"), refusal)),
        "the folder": (False, (ONE_BLOB, gone, refusal)),
        "its mark": (False, (ONE_BLOB, gone, FOLDER, refusal)),
    }
    for case, (hns, acts) in cases.items():
        async with scripted(*acts) as server, opened(server, hns=hns) as backend:
            with pytest.raises(PermissionDenied) as caught:
                await backend.delete_folder("d", recursive=True)
            assert len(server.seen) == len(acts), case
        assert caught.value.outcome_unknown, case


@pytest.mark.parametrize("hns", [False, True])
async def test_a_recursive_deletion_that_is_refused_has_removed_nothing(hns: bool) -> None:
    """Nothing was, so that its error leaves nothing open."""
    first = FOLDER if hns else ONE_BLOB
    acts = (first, refused(403, "AuthorizationPermissionMismatch"))
    async with scripted(*acts) as server, opened(server, hns=hns) as backend:
        with pytest.raises(PermissionDenied) as caught:
            await backend.delete_folder("d", recursive=True)
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("hns", [False, True])
async def test_a_folder_in_the_way_has_a_native_cause(hns: bool) -> None:
    """What the service said of the request that met it, as of every refusal."""
    acts = (TAKEN, FOLDER) if hns else (GONE, ONE_BLOB)
    async with scripted(*acts) as server, opened(server, hns=hns) as backend:
        with pytest.raises(InvalidPath) as caught:
            await (backend.write("d", b"x") if hns else backend.delete("d"))
    error = caught.value
    assert isinstance(error.__cause__, HttpResponseError)
    assert (error.status, error.code) == (
        (409, "BlobAlreadyExists") if hns else (404, "BlobNotFound")
    )
    assert not error.outcome_unknown

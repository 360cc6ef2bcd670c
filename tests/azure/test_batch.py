"""Deleting many blobs in batches of 256, with an error for each that stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)
from azure.storage.blob.aio import LinearRetry
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import Act, above, clients_for, reply, scripted
from tests.azure.transport import CountingTransport
from tests.azure.wiring import wired

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
    RetryPolicy,
    StoreClosed,
)
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._blob.delete_many import delete_many
from remote_store_azure._http.sdk import bearer_of
from remote_store_azure._http.session import Session
from remote_store_objects._deleting.delete_folder import _Deletion
from remote_store_objects._deleting.delete_many import delete_many as delete_together
from remote_store_objects._session import loops as _loops

pytestmark = pytest.mark.asyncio


def store(service: BlobServiceClient, container: str, names: Iterable[str]) -> None:
    client = service.get_container_client(container)
    for name in names:
        client.upload_blob(name, b"x")


def left(service: BlobServiceClient, container: str) -> list[str]:
    return list(service.get_container_client(container).list_blob_names())


async def delete_all(wire: Session, path: str, names: Iterable[str], size: int = 256) -> None:
    """Delete blobs as the toolkit does what it has listed."""
    deletion = _Deletion(above(wire), path)
    left = list(names)
    try:
        async with deletion.running:
            for start in range(0, len(left), size):
                await deletion.add(left[start : start + size])
            await deletion.finish()
    except RemoteStoreError as error:
        error.outcome_unknown = error.outcome_unknown or deletion.begun
        raise


async def test_batches_of_256(azurite: Azurite, service: BlobServiceClient, container: str) -> None:
    """The budget: 300 blobs are two requests; neighbours stay, absent ones are fine."""
    names = [f"d/{n:03}" for n in range(300)]
    store(service, container, [*names[::3], "e"])  # two of three are absent
    async with wired(azurite, container) as found:
        await delete_all(found.wire, "d", names)
        assert found.sent() == [("POST", "batch", 202), ("POST", "batch", 202)]
        assert left(service, container) == ["e"]
        await delete_all(found.wire, "d", ["e"])
        assert found.sent() == [("DELETE", "", 202)]
        await delete_all(found.wire, "d", [])
        assert found.sent() == []


async def test_names_with_every_kind_of_character(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """What is deleted is just what was named, however it has to be quoted."""
    names = [
        "a b",
        "a+b",
        "a%20b",
        "a%2Fb",
        "ä/ö ü",
        "?q=1&r#f",
        "~'()!*@:;=,$",
        "a\tb",
        "[x]{y}|^`",
    ]
    store(service, container, [*names, "a", "a%b"])
    async with wired(azurite, container) as found:
        await delete_all(found.wire, "", names)
        assert found.sent() == [("POST", "batch", 202)]
    assert left(service, container) == ["a", "a%b"]


@pytest.mark.long
async def test_four_batches_at_a_time(azurite: Azurite, container: str) -> None:
    """No more than four requests are under way."""
    async with wired(azurite, container) as found:
        flying = most = 0

        async def before(request: Any) -> None:
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(0.05)

        async def after(request: Any, answer: Any) -> Any:
            nonlocal flying
            flying -= 1
            return answer

        found.transport.before, found.transport.after = before, after
        await delete_all(found.wire, "d", [f"{n}" for n in range(256 * 6)])
    assert most == 4


async def test_each_blob_has_its_own_error(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """The first error in order is raised, with key, code and cause; everything else is deleted."""
    names = [f"{n}" for n in range(10)]
    store(service, container, names)
    for name in ("7", "3"):
        service.get_blob_client(container, name).acquire_lease()
    async with wired(azurite, container) as found:
        with pytest.raises(ResourceLocked) as caught:
            await delete_all(found.wire, "folder", names)
        assert len(found.sent()) == 1
    error = caught.value
    assert (error.path, error.status, error.code) == ("3", 412, "LeaseIdMissing")
    assert error.__cause__ is not None
    assert error.outcome_unknown  # of the deletion as a whole, which has removed something
    assert left(service, container) == ["3", "7"]


def account_sas(azurite: Azurite) -> str:
    return generate_account_sas(
        azurite.account,
        azurite.key,
        ResourceTypes(container=True, object=True, service=True),
        AccountSasPermissions(read=True, write=True, delete=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )


@pytest.mark.long
async def test_where_batches_are_refused(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Azurite has none for an account SAS: the blobs are deleted one by one, all the same."""
    names = [f"{n:03}" for n in range(260)]
    store(service, container, names[200:])
    async with wired(azurite, container, sas_token=account_sas(azurite)) as found:
        await delete_all(found.wire, "", [*names, *(f"x{n}" for n in range(256 * 8))])
        kinds = [kind for _, kind, _ in found.sent()]
    assert left(service, container) == []
    assert kinds.count("") == 260 + 256 * 8
    assert kinds.count("batch") <= 4 * 3  # three attempts each; none once one was refused


async def test_a_batch_that_is_answered_as_a_whole(
    azurite: Azurite,
    service: BlobServiceClient,
    container: str,
) -> None:
    """One answer for many parts, such as to too many of them, is not taken for success."""
    names = [f"{n:03}" for n in range(257)]
    store(service, container, names[250:])
    async with wired(azurite, container) as found:
        await delete_all(found.wire, "", names, 300)
    assert left(service, container) == []


@pytest.mark.parametrize("moment", ["on the wire", "between attempts"])
async def test_closed_while_a_batch_is_under_way(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """
    It ends with StoreClosed, whatever the SDK says of a transport that is closed.

    Where the batch was refused, and waits to be sent again, nothing was deleted.
    """
    monkeypatch.setattr(_loops, "_GRACE", 0.1)

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    act = stall if moment == "on the wire" else reply(503)
    async with scripted(act) as server:
        clients = clients_for(server, retry=RetryPolicy(backoff_base=30))

        async def delete() -> None:
            with clients.running() as wire:
                await delete_all(wire, "d", ["a", "b"])

        deleting = asyncio.create_task(delete())
        await server.arrived.wait()
        await asyncio.wait_for(clients.aclose(), 10)
        with pytest.raises(StoreClosed) as caught:
            await deleting
        assert caught.value.outcome_unknown is (moment == "on the wire")
        assert "comp=batch" in server.seen[-1].target
        assert len(server.seen) == 1


REFUSED = reply(503, x_ms_error_code="ServerBusy")


@pytest.mark.parametrize(
    ("acts", "unknown"),
    [
        ([REFUSED], False),
        ([reply(429)], False),
        ([reply(504)], True),
        ([None], True),
        ([None, REFUSED], True),
        ([reply(504), REFUSED], True),
    ],
)
async def test_what_a_refused_batch_says(acts: list[Act], unknown: bool) -> None:
    """As a single request: a refusal settles its attempt, and none that got no answer."""
    async with scripted(*acts) as server:
        clients = clients_for(server)
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await delete_all(wire, "d", ["a", "b"])
        await clients.aclose()
        assert {"comp=batch" in seen.target for seen in server.seen} == {True}
    assert caught.value.outcome_unknown is unknown


async def test_a_batch_that_was_never_sent() -> None:
    """Nobody listens: nothing was deleted."""
    async with scripted(reply(202)) as server:
        assert server.listener is not None
        server.listener.close()
        clients = clients_for(server)
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await delete_all(wire, "d", ["a", "b"])
        await clients.aclose()
        assert server.seen == []
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("first", [None, REFUSED])
async def test_a_batch_with_a_policy_of_the_callers(first: Act) -> None:
    """What the SDK notes of its attempts tells."""
    own = LinearRetry(backoff=0, retry_total=1, random_jitter_range=0)
    async with scripted(first, REFUSED) as server:
        clients = clients_for(server, retry=None, client_options={"retry_policy": own})
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await delete_all(wire, "d", ["a", "b"])
        await clients.aclose()
        assert len(server.seen) == 2
    assert caught.value.outcome_unknown is (first is None)


async def test_an_absent_container_has_nothing_to_delete(azurite: Azurite) -> None:
    """Deleting what cannot be there is done."""
    async with wired(azurite, "no-such-container") as found:
        await delete_all(found.wire, "", ["a", "b", "c"])


async def test_a_service_that_cannot_be_reached(azurite: Azurite, container: str) -> None:
    """BackendUnavailable with its cause; the rest is not tried, and no task is left."""
    async with wired(azurite, container) as found:

        async def before(request: Any) -> None:
            msg = "not sent"
            raise ServiceRequestError(msg)

        found.transport.before = before
        with pytest.raises(BackendUnavailable) as caught:
            await delete_all(found.wire, "k", map(str, range(10_000)))
        assert isinstance(caught.value.__cause__, ServiceRequestError)
        assert (caught.value.path, caught.value.outcome_unknown) == ("k", True)
        assert {kind for _, kind, _ in found.sent()} == {"batch"}
        assert len(asyncio.all_tasks()) == 1


async def test_who_may_not_delete_is_told(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """A token without the right to delete gives PermissionDenied, and nothing is gone."""
    store(service, container, ["a", "b"])
    token = azurite.sas(container, "rl")
    async with wired(azurite, container, sas_token=token) as found:
        with pytest.raises(PermissionDenied) as caught:
            await delete_all(found.wire, "", ["a", "b"])
    assert caught.value.path == "a"
    assert left(service, container) == ["a", "b"]


async def test_a_cancelled_deletion_sends_nothing_more(azurite: Azurite, container: str) -> None:
    """CANCEL: the tasks end with their caller."""
    async with wired(azurite, container) as found:
        names = map(str, range(100_000))
        task = asyncio.create_task(delete_all(found.wire, "", names))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        found.sent()
        await asyncio.sleep(0.1)
        assert found.sent() == []


Secret = Callable[[Azurite, str], dict[str, Any]]
SECRETS: dict[str, Secret] = {
    "key": lambda azurite, container: {"connection_string": azurite.connection_string},
    "named key": lambda azurite, container: {
        "account_url": azurite.blob_url,
        "credential": AzureNamedKeyCredential(azurite.account, azurite.key),
    },
    "sas": lambda azurite, container: {
        "account_url": azurite.blob_url,
        "sas_token": azurite.sas(container, "rwdl"),
    },
    "sas credential": lambda azurite, container: {
        "account_url": azurite.blob_url,
        "credential": AzureSasCredential(azurite.sas(container, "rwdl")),
    },
}


@pytest.mark.parametrize("secret", SECRETS)
async def test_each_part_is_authorised(
    azurite: Azurite, service: BlobServiceClient, container: str, secret: str
) -> None:
    """By whatever authorises the request around it; each file has its result."""
    store(service, container, ["a b/ä", "c+%", "v", "w", "d/e"])
    service.get_blob_client(container, "w").acquire_lease()
    etag = service.get_blob_client(container, "v").get_blob_properties().etag.strip('"')
    transport = CountingTransport()
    options: dict[str, Any] = {"api_version": API_VERSION, "transport": transport}
    given = SECRETS[secret](azurite, container)
    async with AsyncAzureBackend(container, **given, hns=False, client_options=options) as backend:
        wrong = await backend.delete_many(["v", "d/e"], if_match={"v": "0x1", "d/e": "0x1"})
        assert {k: type(e) for k, e in (wrong or {}).items()} == dict.fromkeys(
            ["v", "d/e"], PreconditionFailed
        )
        names = ["a b/ä", "none", "c+%", "d", "w", "v"]
        transport.taken()
        found = await backend.delete_many(names, if_match={"v": etag})
        sent = [(r.method, r.query.partition("=")[2].partition("&")[0]) for r in transport.taken()]
    assert {key: type(error) for key, error in (found or {}).items()} == {
        "none": NotFound,
        "d": InvalidPath,
        "w": ResourceLocked,
    }
    assert left(service, container) == ["d/e", "w"]
    assert [method for method, _ in sent] == ["POST", "GET", "GET"]


def parts_of(*answers: bytes) -> bytes:
    """Return the answer to a batch."""
    body = b"".join(
        b"--x\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\n"
        b"HTTP/1.1 %s\r\nx-ms-version: 1\r\n\r\n" % (number, answer)
        for number, answer in enumerate(answers)
    )
    return reply(202, body + b"--x--", Content_Type="multipart/mixed; boundary=x")


async def test_a_token_is_in_each_part() -> None:
    """The credential is asked for one; a part that it does not open is tried alone."""
    asked = []

    class Credential:
        async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            asked.append(scopes)
            return AccessToken("the-token", int(time.time()) + 3600)

    refused = b"401 Unauthorized\r\nx-ms-error-code: InvalidAuthenticationInfo"
    async with scripted(parts_of(b"202 Accepted", refused), reply(202)) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            wire.bearer = bearer_of(Credential(), {"audience": "https://me.example/"})
            wanted = dict.fromkeys(["a b", "c"])
            assert await delete_together(above(wire), wanted, missing_ok=False) == {}
        await clients.aclose()
    batch, single = server.seen
    assert batch.body.count(b"Authorization: Bearer the-token\r\n") == 2
    assert b"DELETE /acct/box/a%20b HTTP/1.1\r\n" in batch.body
    assert (single.method, single.target) == ("DELETE", "/acct/box/c")
    assert asked == [("https://me.example/.default",)]


async def test_a_batch_whose_answer_breaks_off(azurite: Azurite, container: str) -> None:
    """It is sent again; what is missing then is what it has deleted."""
    missing = b"404 No\r\nx-ms-error-code: BlobNotFound"
    answer = parts_of(missing, missing)

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer[:-9])
        await writer.drain()

    async with scripted(cut, answer) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            found = await delete_many(wire, ["a", "b"], snapshots=False, etags={})
        await clients.aclose()
        assert len(server.seen) == 2
    assert {type(error) for error in found.values()} == {NotFound}
    assert all(error.outcome_unknown for error in found.values())

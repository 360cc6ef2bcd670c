"""What callers pass to get in, and who closes it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from tests.azure.scripted import KEY, Clients, clients_for, reply, scripted

from remote_store import BackendUnavailable, PermissionDenied
from remote_store_azure._connect import credentials as _credentials
from remote_store_azure._connect.account import account_of
from remote_store_azure._connect.credentials import ThreadedCredential, opened
from remote_store_azure._rest.operations import GET_BLOB, HEAD_BLOB, PUT_BLOB

pytestmark = pytest.mark.asyncio


class SyncCredential:
    """A sync token credential that blocks, and tells in which thread it was asked."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.threads: list[str] = []
        self.closed = 0
        self._seconds = seconds

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.threads.append(threading.current_thread().name)
        time.sleep(self._seconds)
        return AccessToken("token-" + scopes[0], int(time.time()) + 3600)

    def close(self) -> None:
        self.closed += 1


class AsyncCredential:
    """An async token credential."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.closed = 0
        self._error = error

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked += 1
        if self._error is not None:
            raise self._error
        return AccessToken("token", int(time.time()) + 3600)

    async def close(self) -> None:
        self.closed += 1


def token_clients(credential: Any) -> Clients:
    """Return clients that would sign with a token; nothing listens there."""
    account = account_of(
        container="box", account_url="https://127.0.0.1:9/acct", credential=credential
    )
    return Clients(account)


async def test_async_credential_goes_as_it_is() -> None:
    """The SDK gets the caller's own object."""
    credential = AsyncCredential()
    assert opened("token", credential, "b").value is credential


async def test_sync_credential_in_a_thread() -> None:
    """A sync credential is asked in a thread of its own, while the loop goes on."""
    credential = SyncCredential(0.3)
    adapted = opened("token", credential, "b")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    token = await adapted.value.get_token("scope")
    counting.cancel()
    assert token.token == "token-scope"
    assert credential.threads[0].startswith("azure-credential")
    assert turns > 5
    await adapted.close()
    assert credential.closed == 0


async def test_thread_ends() -> None:
    """Closing lets the thread of an adapted credential go."""
    adapted = opened("token", SyncCredential(), "b")
    await adapted.value.get_token("scope")
    await adapted.close()
    for _ in range(100):
        if not any(t.name.startswith("azure-credential") for t in threading.enumerate()):
            break
        await asyncio.sleep(0.01)
    assert not any(t.name.startswith("azure-credential") for t in threading.enumerate())


async def test_newer_method_only_where_there_is_one() -> None:
    """The SDK asks an adapted credential by the method that the caller's object has."""

    class Newer(SyncCredential):
        def get_token_info(self, *scopes: str, options: Any = None) -> str:
            return f"info {scopes} {options}"

    assert not hasattr(ThreadedCredential(SyncCredential()), "get_token_info")
    adapted: Any = ThreadedCredential(Newer())
    assert await adapted.get_token_info("s", options={"a": 1}) == "info ('s',) {'a': 1}"
    await adapted.close()


async def test_plain_function_with_awaitable() -> None:
    """A get_token that is a plain function may return an awaitable."""

    class Wrapped:
        def get_token(self, *scopes: str, **options: Any) -> Any:
            return AsyncCredential().get_token(*scopes)

    adapted: Any = ThreadedCredential(Wrapped())
    assert (await adapted.get_token("s")).token == "token"
    await adapted.close()


async def test_named_key_signs() -> None:
    """A named key signs as its account, whatever the URL says."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server, credential=AzureNamedKeyCredential("other", KEY))
        with clients.running() as wire:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert server.seen[0].headers["authorization"].startswith("SharedKey other:")
        await clients.aclose()


async def test_failing_credential() -> None:
    """A credential that gets no token is PermissionDenied, caused by its error; all was left."""
    native = ClientAuthenticationError("no token for you")
    credential = AsyncCredential(native)
    clients = token_clients(credential)
    with clients.running() as wire, pytest.raises(PermissionDenied, match="no token") as caught:
        await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
    assert caught.value.__cause__ is native
    assert not caught.value.outcome_unknown
    assert credential.asked == 1
    await clients.aclose()


async def test_callers_error_passes() -> None:
    """What else the caller's credential raises passes as the same object."""
    own = RuntimeError("the vault is on fire")
    clients = token_clients(AsyncCredential(own))
    with clients.running() as wire, pytest.raises(RuntimeError) as caught:
        await wire.send(GET_BLOB, wire.url("k"), path="k")
    assert caught.value is own
    await clients.aclose()


async def test_callers_credential_stays_open() -> None:
    """Closing the clients does not close the caller's credential."""
    credential = AsyncCredential()
    clients = token_clients(credential)
    with clients.running():
        pass
    await clients.aclose()
    assert credential.closed == 0


async def test_default_credential_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a credential each loop gets a default one, which is closed with its client."""
    made: list[AsyncCredential] = []

    def default() -> AsyncCredential:
        made.append(AsyncCredential())
        return made[-1]

    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", default)
    clients = Clients(account_of(container="box", account_name="me"))
    assert made == []
    with clients.running():
        assert len(made) == 1

    async def elsewhere() -> None:
        with clients.running():
            assert len(made) == 2

    await asyncio.to_thread(asyncio.run, elsewhere())
    assert [c.closed for c in made] == [0, 1]
    await clients.aclose()
    assert [c.closed for c in made] == [1, 1]


async def test_identity_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without azure-identity the first call names the line that installs it."""
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    clients = Clients(account_of(container="box", account_name="me"))
    with pytest.raises(
        BackendUnavailable, match=r'pip install "remote-store-azure\[identity\]"'
    ) as e:
        clients.running()
    assert isinstance(e.value.__cause__, ImportError)
    await clients.aclose()


async def test_asynchronous_methods_are_found() -> None:
    """A credential is async when a method of it is a coroutine function."""
    assert _credentials.is_async(AsyncCredential())
    assert not _credentials.is_async(SyncCredential())


@pytest.mark.asyncio
async def test_a_key_that_was_cut() -> None:
    """Signing with it fails before anything is sent, and the error says what to do."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server, account_key="abc!")
        with clients.running() as wire, pytest.raises(PermissionDenied, match="copy it again"):
            await wire.send(HEAD_BLOB, wire.url("k"), path="k")
        await clients.aclose()
    assert not server.seen

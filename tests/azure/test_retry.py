"""Every field of a RetryPolicy works on the pipeline, and what was tried is known."""

from __future__ import annotations

import asyncio
import time

import pytest
from azure.storage.blob.aio import LinearRetry
from tests.azure.scripted import KEY, clients_for, reply, scripted

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy
from remote_store_azure._http.retry import Retry
from remote_store_azure._rest.operations import COPY, GET_BLOB, HEAD_BLOB, PUT_BLOB

pytestmark = pytest.mark.asyncio


def quick(attempts: int = 3, **fields: float) -> RetryPolicy:
    return RetryPolicy(max_attempts=attempts, **{"backoff_base": 0.01, "jitter": 0, **fields})


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_repeats_what_may_pass(status: int) -> None:
    """Overload and failures of the service are tried again, 429 too."""
    async with scripted(reply(status), reply(status), reply(200, b"x")) as server:
        clients = clients_for(server, retry=quick())
        with clients.running() as wire:
            answer = await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert (answer.body, answer.resent) == (b"x", True)
        assert len(server.seen) == 3
        await clients.aclose()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 416, 501, 505])
async def test_does_not_repeat_refusals(status: int) -> None:
    """An answer that would be the same again is final."""
    async with scripted(reply(status)) as server:
        clients = clients_for(server, retry=quick())
        with clients.running() as wire, pytest.raises(RemoteStoreError):
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert len(server.seen) == 1
        await clients.aclose()


@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("act", [reply(500), None])
async def test_attempts(attempts: int, act: bytes | None) -> None:
    """`max_attempts` counts every try, of answers and of dropped connections alike."""
    async with scripted(act) as server:
        clients = clients_for(server, retry=quick(attempts))
        with clients.running() as wire, pytest.raises(BackendUnavailable):
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert len(server.seen) == attempts
        await clients.aclose()


async def test_backoff() -> None:
    """Waits double from a fraction of a second up to the cap; jitter adds, at most its bound."""
    policy = RetryPolicy(max_attempts=9, backoff_base=0.1, backoff_max=0.5, jitter=0)
    retry = Retry(policy)
    assert [round(retry.pause(n), 9) for n in range(1, 6)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert retry.pause(10_000) == 0.5
    spread = Retry(RetryPolicy(backoff_base=0.1, backoff_max=0.5, jitter=2))
    waits = [spread.pause(1) for _ in range(200)]
    assert all(0.1 <= wait <= 2.1 for wait in waits)
    assert max(waits) - min(waits) > 0.5


async def test_backoff_is_waited() -> None:
    """The waits are really there between the attempts."""
    async with scripted(reply(500)) as server:
        clients = clients_for(server, retry=quick(backoff_base=0.1))
        start = time.monotonic()
        with clients.running() as wire, pytest.raises(BackendUnavailable):
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert 0.3 <= time.monotonic() - start < 15
        await clients.aclose()


@pytest.mark.parametrize(
    "asked",
    [
        *("100000", "9" * 400, "1e308", "inf", "Infinity", "nan", "-5", "0x10", "soon", "1_0", ""),
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 99 Foo 2026 00:00:00 -9999",
    ],
)
@pytest.mark.parametrize("name", ["Retry_After", "x_ms_retry_after_ms", "retry_after_ms"])
async def test_retry_after_is_bounded(name: str, asked: str) -> None:
    """Whatever a service asks for, the longest wait of the policy is the longest wait."""
    retry = RetryPolicy(max_attempts=2, backoff_base=0.01, backoff_max=0.05, jitter=0)
    async with scripted(reply(503, b"", **{name: asked}), reply(200)) as server:
        clients = clients_for(server, retry=retry)
        begin = time.monotonic()
        with clients.running() as wire:
            answer = await wire.send(HEAD_BLOB, wire.url("k"), path="k")
        assert answer.resent
        assert time.monotonic() - begin < 20
        await clients.aclose()


async def test_retry_after_is_obeyed() -> None:
    """The service's wait is kept where it is longer than ours, and told on the error."""
    busy = reply(503, retry_after_ms="300")
    async with scripted(busy, reply(200)) as server:
        clients = clients_for(server, retry=quick())
        start = time.monotonic()
        with clients.running() as wire:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert 0.3 <= time.monotonic() - start < 15
        server.acts = [reply(429, Retry_After="0")]
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert caught.value.retry_after == 0
        await clients.aclose()


@pytest.mark.long
async def test_total_timeout() -> None:
    """`timeout` bounds all attempts together, and the last failure is what is raised."""
    async with scripted(reply(500)) as server:
        clients = clients_for(server, retry=quick(100, timeout=2, backoff_base=0.4))
        start = time.monotonic()
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert time.monotonic() - start < 15
        assert caught.value.status == 500
        assert 2 <= len(server.seen) <= 4
        await clients.aclose()


async def test_total_timeout_in_a_stall() -> None:
    """A service that does not answer is left when the time is over; the effect is unknown."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted(stall) as server:
        clients = clients_for(server, retry=quick(timeout=0.3))
        start = time.monotonic()
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert 0.25 < time.monotonic() - start < 15
        assert caught.value.outcome_unknown
        assert len(server.seen) == 1
        await clients.aclose()


async def test_no_wait_beyond_the_timeout() -> None:
    """A wait that would end after the time limit is not begun."""
    async with scripted(reply(503, Retry_After="30")) as server:
        clients = clients_for(server, retry=quick(timeout=2))
        start = time.monotonic()
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert time.monotonic() - start < 15
        assert caught.value.retry_after == 30
        await clients.aclose()


@pytest.mark.parametrize(
    ("first", "lost"),
    [
        (None, True),
        (reply(500), True),
        (reply(504), True),
        (reply(503), False),
        (reply(429), False),
    ],
)
async def test_lost(first: bytes | None, lost: bool) -> None:
    """An attempt without an answer of the storage is lost; a refused one is not."""
    async with scripted(first, reply(201)) as server:
        clients = clients_for(server, retry=quick())
        with clients.running() as wire:
            answer = await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert (answer.lost, answer.resent) == (lost, True)
        await clients.aclose()


async def test_lost_attempt_before_a_refused_connection() -> None:
    """An effect stays unknown when the repeat does not even reach the service."""
    async with scripted(None) as server:

        async def last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert server.listener is not None
            server.listener.close()

        server.acts = [last]
        clients = clients_for(server, retry=quick(2))
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert caught.value.outcome_unknown
        assert "onnect" in str(caught.value.__cause__)
        assert len(server.seen) == 1
        await clients.aclose()


async def test_default_policy() -> None:
    """Without a policy the core's default is used."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server, retry=None)
        with clients.running() as wire:
            assert wire.retry == RetryPolicy()
        await clients.aclose()


async def test_callers_policy_wins() -> None:
    """A retry policy in client_options replaces ours; losses are still known."""
    own = LinearRetry(backoff=0, retry_total=1, random_jitter_range=0)
    async with scripted(None, reply(409)) as server:
        clients = clients_for(server, retry=quick(7), client_options={"retry_policy": own})
        with clients.running() as wire:
            answer = await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x", accept=(409,))
            assert (answer.lost, answer.resent) == (True, True)
            server.acts = [None]
            with pytest.raises(BackendUnavailable) as caught:
                await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert caught.value.outcome_unknown
        assert len(server.seen) == 4
        await clients.aclose()


async def test_options_of_the_sdks_policy() -> None:
    """Options of the SDK's own policy work without `retry`, and clash with it."""
    async with scripted(reply(500)) as server:
        clients = clients_for(server, retry=None, client_options={"retry_total": 0})
        with clients.running() as wire, pytest.raises(BackendUnavailable):
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert len(server.seen) == 1
        await clients.aclose()
        with pytest.raises(ValueError, match="retry_total"):
            clients_for(server, retry=quick(), client_options={"retry_total": 0})


async def test_each_attempt_is_signed_anew() -> None:
    """A repeat has a date, an id and a signature of its own."""
    async with scripted(reply(503), reply(200)) as server:
        clients = clients_for(server, account_key=KEY)
        with clients.running() as wire:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        ids = {seen.headers["x-ms-client-request-id"] for seen in server.seen}
        assert len(ids) == 2
        assert all("authorization" in seen.headers for seen in server.seen)
        await clients.aclose()


async def test_copy_source_that_is_busy() -> None:
    """A copy whose source was overloaded is tried again."""
    busy = reply(409, x_ms_copy_source_error_code="ServerBusy")
    async with scripted(busy, reply(202)) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            answer = await wire.send(COPY, wire.url("k"), path="k")
        assert answer.status == 202
        assert not answer.lost
        await clients.aclose()

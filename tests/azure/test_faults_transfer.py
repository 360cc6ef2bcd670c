"""Connections that break, answers that lie: what is read is whole and of one blob, or raises."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from tests.azure.scripted import Server, clients_for, reply, scripted, usual
from tests.azure.wiring import BlobReader

from remote_store import BackendUnavailable, PreconditionFailed, RemoteStoreError, RetryPolicy

pytestmark = pytest.mark.asyncio

DATA = os.urandom(3_000_000)


class Host:
    """A server of one blob that follows a plan of what to do wrong, one entry a request."""

    def __init__(self, *plan: Callable[[Host, bytes, bytes], Awaitable[None]]) -> None:
        self.plan = list(plan)
        self.etag = "0xAb1"
        self.data = DATA
        self.asked: list[tuple[str, str]] = []
        self.server: Server
        self.writer: asyncio.StreamWriter

    async def act(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = self.server.seen[-1]
        wanted, match = seen.headers.get("x-ms-range", ""), seen.headers.get("if-match", "")
        self.asked.append((wanted, match))
        self.writer = writer
        if match not in ("", f'"{self.etag}"'):
            writer.write(reply(412, x_ms_error_code="ConditionNotMet"))
            await writer.drain()
            return
        start, stop = 0, len(self.data)
        lines = ["HTTP/1.1 200 OK"]
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", wanted):
            start, stop = int(found[1]), min(int(found[2]) + 1, len(self.data))
            lines = ["HTTP/1.1 206 Partial Content"]
            lines.append(f"Content-Range: bytes {start}-{stop - 1}/{len(self.data)}")
        lines += [f"Content-Length: {stop - start}", ""]
        do = self.plan.pop(0) if self.plan else whole
        head = "\r\n".join(lines).encode() + usual(self.etag) + b"\r\n"
        await do(self, head, self.data[start:stop])

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
        await self.writer.drain()

    async def reset(self) -> None:
        await asyncio.sleep(0.02)  # what was sent arrives first
        self.writer.transport.abort()


async def whole(host: Host, head: bytes, body: bytes) -> None:
    await host.send(head, body)


def reset_after(count: int) -> Callable[[Host, bytes, bytes], Awaitable[None]]:
    async def do(host: Host, head: bytes, body: bytes) -> None:
        await host.send(head, body[:count])
        await host.reset()

    return do


def end_after(count: int) -> Callable[[Host, bytes, bytes], Awaitable[None]]:
    async def do(host: Host, head: bytes, body: bytes) -> None:
        await host.send(head, body[:count])

    return do


async def run(host: Host, use: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """Call *use* with a wire to *host*."""
    async with scripted(host.act) as host.server:
        clients = clients_for(host.server, **options)
        try:
            with clients.running() as wire:
                return await use(wire)
        finally:
            await clients.aclose()


async def read(wire: Any) -> bytes:
    return await BlobReader(wire, "a").read_all()


@pytest.mark.parametrize("cut", [reset_after, end_after])
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_broken_body_is_taken_up_at_the_byte(cut: Any, concurrency: int) -> None:
    """Cut three times, by reset or early end: all bytes, each asked for at the right place."""
    host = Host(cut(1_000_000), cut(1), cut(500_000))
    options = {"max_single_get_size": 5_000_000}
    got = await run(host, read, max_concurrency=concurrency, client_options=options)
    assert got == DATA
    starts = [int(re.findall(r"\d+", wanted)[0]) for wanted, _ in host.asked[1:]]
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert 0 < starts[0] <= 1_000_000
    assert {match for _, match in host.asked[1:]} == {'"0xAb1"'}


async def test_a_break_after_the_last_byte_needs_nothing_more() -> None:
    """A range that starts at the end is never asked for."""
    host = Host(reset_after(len(DATA)))
    assert await run(host, read) == DATA
    assert all(wanted != f"bytes={len(DATA)}-" for wanted, _ in host.asked)
    assert len(host.asked) <= 2


async def test_progress_resets_the_count_of_failures() -> None:
    """Ten breaks are survived by three attempts, since each brought some bytes."""
    host = Host(*[reset_after(100_000)] * 10)
    assert await run(host, read) == DATA
    assert len(host.asked) == 11


async def test_no_progress_ends_it() -> None:
    """Three attempts without a new byte: BackendUnavailable with its cause, and no short data."""
    host = Host(reset_after(100_000), *[reset_after(0)] * 10)
    got: list[bytes] = []

    async def use(wire: Any) -> None:
        async with aclosing(BlobReader(wire, "a")) as source:
            async for part in source:
                got.append(part)  # noqa: PERF401 - what came before an error counts

    with pytest.raises(BackendUnavailable, match=f"of {len(DATA)}") as caught:
        await run(host, use)
    assert caught.value.__cause__ is not None
    assert DATA.startswith(b"".join(got))
    assert len(host.asked) == 3


async def test_one_attempt_means_one() -> None:
    """With max_attempts=1 a broken body is not asked for again."""
    host = Host(reset_after(100_000))
    with pytest.raises(BackendUnavailable):
        await run(host, read, retry=RetryPolicy(max_attempts=1))
    assert len(host.asked) == 1


async def test_a_blob_replaced_meanwhile_is_not_spliced() -> None:
    """The connection breaks, the blob is another one: PreconditionFailed, and no byte of it."""
    host = Host()

    async def replace(host: Host, head: bytes, body: bytes) -> None:
        await host.send(head, body[:500_000])
        host.etag, host.data = "0xAb2", os.urandom(len(DATA))
        await host.reset()

    host.plan = [replace]
    got: list[bytes] = []

    async def use(wire: Any) -> None:
        async with aclosing(BlobReader(wire, "a")) as source:
            async for part in source:
                got.append(part)  # noqa: PERF401 - what came before an error counts

    with pytest.raises(PreconditionFailed) as caught:
        await run(host, use)
    assert (caught.value.path, caught.value.status) == ("a", 412)
    assert DATA.startswith(b"".join(got))
    assert host.asked[1][1] == '"0xAb1"'


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + usual("0xAb1") + b"Content-Length: 2000000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\n" + usual("0xAb1") + b"Content-Length: 2000000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\n" + usual("0xAb1") + b"Content-Length: 2000000\r\n"
        b"Content-Range: bytes 0-1999999/3000000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\n" + usual("0xAb1") + b"Content-Length: 2000000\r\n"
        b"Content-Range: bytes 1000000-2999999/4000000\r\n\r\n",
    ],
    ids=["all of it", "no range", "another range", "another size"],
)
async def test_an_answer_with_other_bytes_is_refused(head: bytes) -> None:
    """What continues a read has to be just what was asked for."""

    async def lie(host: Host, _: bytes, body: bytes) -> None:
        await host.send(head, DATA[:2_000_000])

    host = Host(end_after(1_000_000), lie, lie, lie)
    with pytest.raises(RemoteStoreError):
        await run(host, read)


async def test_more_than_was_promised_is_refused() -> None:
    """A chunked answer may be longer than its range says."""

    async def more(host: Host, _: bytes, body: bytes) -> None:
        await host.send(
            b"HTTP/1.1 206 Partial Content\r\n" + usual("0xAb1") + b"Transfer-Encoding: chunked\r\n"
            b"Content-Range: bytes 0-9/10\r\n\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
        )

    with pytest.raises(RemoteStoreError, match="more bytes"):
        await run(Host(more), read, max_concurrency=2)


async def test_less_than_was_promised_is_not_the_end() -> None:
    """A chunked answer may end properly and be shorter than its range: the rest is asked for."""

    async def less(host: Host, _: bytes, body: bytes) -> None:
        await host.send(
            b"HTTP/1.1 206 Partial Content\r\n" + usual("0xAb1") + b"Transfer-Encoding: chunked\r\n"
            b"Content-Range: bytes 0-2999999/3000000\r\n\r\n64\r\n",
            body[:100],
            b"\r\n0\r\n\r\n",
        )

    host = Host(less)
    assert await run(host, read, max_concurrency=2) == DATA
    assert host.asked[1][0].startswith("bytes=100-")


async def test_an_answer_of_unknown_length_is_refused() -> None:
    """Without a length nobody could tell a short body from a whole one."""

    async def endless(host: Host, head: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + usual("0xAb1") + b"Connection: close\r\n\r\n"
        await host.send(head, body)

    with pytest.raises(RemoteStoreError, match="which part"):
        await run(Host(endless), read)


async def test_the_first_chunk_is_handed_out_at_once() -> None:
    """It arrives while the server has sent 256 KiB of 64 MiB and waits."""
    got_first = asyncio.Event()

    async def wait(host: Host, head: bytes, body: bytes) -> None:
        await host.send(head, body[: 256 * 1024])
        await got_first.wait()

    host = Host(wait)
    host.data = bytes(64 << 20)

    async def use(wire: Any) -> None:
        async with aclosing(BlobReader(wire, "a")) as source:
            async with asyncio.timeout(10):
                await anext(source)
            got_first.set()

    await run(host, use)
    assert len(host.asked) == 1


async def test_a_consumer_that_waits_holds_the_server_back() -> None:
    """Of 64 MiB a server can send only what buffers hold while nobody takes the chunks."""
    sent = 0
    stop = asyncio.Event()

    async def count(host: Host, head: bytes, body: bytes) -> None:
        nonlocal sent
        host.writer.get_extra_info("socket").setsockopt(1, 7, 64 * 1024)
        await host.send(head)
        while not stop.is_set() and sent < len(body):
            await host.send(body[sent : sent + 65536])
            sent += 65536

    host = Host(count)
    host.data = bytes(64 << 20)

    async def use(wire: Any) -> int:
        async with aclosing(BlobReader(wire, "a")) as source:
            await anext(source)
            await asyncio.sleep(0.5)
            held = sent
            stop.set()
        return held

    assert await run(host, use) < 16 << 20


async def test_a_stall_ends_with_the_total_timeout() -> None:
    """RetryPolicy.timeout covers the body: a server that stops sending is given up in time."""

    async def stall(host: Host, head: bytes, body: bytes) -> None:
        await host.send(head, body[:1000])
        await asyncio.sleep(20)

    policy = RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0, timeout=0.5)
    with pytest.raises(BackendUnavailable):
        async with asyncio.timeout(10):
            await run(Host(stall), read, retry=policy)

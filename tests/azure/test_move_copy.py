"""Copying and moving: complete before anything is removed, and only what was copied is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import (
    BlobServiceClient,
    ContentSettings,
)
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat

from remote_store import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
)

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


def on(box: Flat, method: str, part: str, action: Any, *, before: bool = False) -> list[str]:
    """Call *action* once at the first request of a method whose URL has *part*."""
    done: list[str] = []

    async def at(request: Any, answer: Any = None) -> Any:
        if not done and request.method == method and part in request.url:
            done.append(request.url)
            changed = await action(request, answer)
            return answer if changed is None else changed
        return answer

    if before:
        box.transport.before = at
    else:
        box.transport.after = at
    return done


async def lose(request: Any, answer: Any) -> Any:
    """Lose an answer of the service."""
    await answer.close()
    msg = "the answer was lost"
    raise ServiceResponseError(msg)


async def test_all_goes_along(box: Flat) -> None:
    """Content, metadata and media type are those of the source, for both."""
    settings = ContentSettings(content_type="text/plain")
    box.put("a", b"content", metadata={"Key": "value"}, content_settings=settings)
    await box.backend.copy("a", "d/b")
    await box.backend.move("a", "c")
    assert box.names() == ["c", "d/b"]
    for key in ("c", "d/b"):
        info = await box.backend.get_file_info(key)
        assert (info.metadata, info.content_type) == ({"Key": "value"}, "text/plain")
        assert box.get(key) == b"content"


async def test_odd_names(box: Flat) -> None:
    """A copy source is quoted so that every name arrives as it is."""
    names = ["a b", "ä+ö%41", "x?y#z", "q=&'()*!@:;,[]{}~$"]
    for name in names:
        box.put(name, name.encode())
        await box.backend.move(name, f"moved/{name}")
        assert box.get(f"moved/{name}") == name.encode()
    assert box.names() == sorted(f"moved/{name}" for name in names)


async def test_onto_itself(box: Flat) -> None:
    """A file stays as it is, a folder is refused, and nothing is not found."""
    box.put("a")
    box.put("d/b")
    for transfer in (box.backend.move, box.backend.copy):
        for overwrite in (False, True):
            await transfer("a", "./a", overwrite=overwrite)
            with pytest.raises(InvalidPath):
                await transfer("d", "d", overwrite=overwrite)
            with pytest.raises(NotFound):
                await transfer("no", "no", overwrite=overwrite)
    assert box.names() == ["a", "d/b"]
    assert {r.method for r in box.transport.taken()} == {"HEAD", "GET"}


async def test_a_missing_source_wins(box: Flat) -> None:
    """A missing source is NotFound with its own path, whatever is at the destination."""
    box.put("there", b"old")
    for transfer in (box.backend.move, box.backend.copy):
        for overwrite in (False, True):
            with pytest.raises(NotFound) as caught:
                await transfer("no", "there", overwrite=overwrite)
            assert caught.value.path == "no"
    assert box.get("there") == b"old"


async def test_an_existing_destination(box: Flat) -> None:
    """It is refused with its own path and left alone; with overwrite it is replaced."""
    box.put("a", b"new")
    for old in (b"new", b"old"):  # one that looks like ours, and another
        box.put("b", old)
        for transfer in (box.backend.move, box.backend.copy):
            with pytest.raises(AlreadyExists) as caught:
                await transfer("a", "b")
            assert caught.value.path == "b"
            assert not caught.value.outcome_unknown
            assert (box.get("a"), box.get("b")) == (b"new", old)
    await box.backend.copy("a", "b", overwrite=True)
    assert (box.get("a"), box.get("b")) == (b"new", b"new")
    box.put("b", b"old")
    await box.backend.move("a", "b", overwrite=True)
    assert (box.names(), box.get("b")) == (["b"], b"new")


async def test_a_source_changed_before_the_copy_stays(box: Flat) -> None:
    """Only the version that was looked at is copied; another one stays, and nothing is made."""
    for overwrite in (False, True):
        box.put("a", b"old")

        async def change(request: Any, answer: Any) -> None:
            box.put("a", b"changed")

        done = on(box, "PUT", "/b", change, before=True)
        with pytest.raises(PreconditionFailed, match="source") as caught:
            await box.backend.move("a", "b", overwrite=overwrite)
        assert done
        assert (caught.value.path, caught.value.status) == ("a", 412)
        assert (box.names(), box.get("a")) == (["a"], b"changed")


async def test_a_source_changed_after_the_copy_stays(box: Flat) -> None:
    """A version that was not copied is not removed; the error says that the copy is there."""
    box.put("a", b"old")

    async def change(request: Any, answer: Any) -> None:
        box.put("a", b"changed")

    done = on(box, "DELETE", "/a", change, before=True)
    with pytest.raises(PreconditionFailed, match="'b' is complete and stays"):
        await box.backend.move("a", "b")
    assert done
    assert (box.get("a"), box.get("b")) == (b"changed", b"old")


async def test_a_source_removed_by_another_is_not_ours(box: Flat) -> None:
    """Of two moves of one file to two names one fails: a claim has one owner."""
    box.put("a", b"job")
    calls = [box.backend.move("a", f"claimed/{n}") for n in range(2)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    won = [n for n, answer in enumerate(answers) if answer is None]
    assert len(won) == 1
    assert isinstance(answers[1 - won[0]], (PreconditionFailed, NotFound))
    assert box.get(f"claimed/{won[0]}") == b"job"


async def test_a_locked_source_stays(box: Flat) -> None:
    """A lease on the source is ResourceLocked, no changed source, and the copy is told of."""
    box.put("a", b"old")
    lease = box.container.get_blob_client("a").acquire_lease()
    try:
        with pytest.raises(ResourceLocked, match="complete and stays"):
            await box.backend.move("a", "b")
        assert (box.get("a"), box.get("b")) == (b"old", b"old")
    finally:
        lease.release()


async def test_a_lost_delete_is_done(box: Flat) -> None:
    """A source that is gone after an attempt without an answer was removed by that attempt."""
    box.put("a", b"content")
    assert on(box, "DELETE", "/a", lose) == []
    await box.backend.move("a", "b")
    assert box.sent() == ["HEAD", "PUT", "DELETE", "DELETE", "HEAD"]
    assert (box.names(), box.get("b")) == (["b"], b"content")


async def test_a_lost_delete_of_a_changed_source(box: Flat) -> None:
    """A lost attempt does not make a success of a source that somebody else replaced."""
    box.put("a", b"old")

    async def change(request: Any, answer: Any) -> None:
        box.put("a", b"changed")
        await lose(request, answer)

    on(box, "DELETE", "/a", change)
    with pytest.raises(PreconditionFailed):
        await box.backend.move("a", "b")
    assert box.get("a") == b"changed"


@pytest.mark.parametrize("transfer", ["copy", "move"])
async def test_a_lost_exclusive_copy_may_be_ours(box: Flat, transfer: str) -> None:
    """A conflict after a lost attempt is never a success; it tells that it may be our own."""
    box.put("a", b"content", metadata={"key": "value"})
    on(box, "PUT", "/b", lose)
    with pytest.raises(AlreadyExists) as caught:
        await getattr(box.backend, transfer)("a", "b")
    assert caught.value.outcome_unknown
    assert (box.get("a"), box.get("b")) == (b"content", b"content")


async def test_a_lost_exclusive_copy_beside_anothers(box: Flat) -> None:
    """A destination that looks different was surely made by somebody else."""
    box.put("a", b"content")

    async def replace(request: Any, answer: Any) -> None:
        box.put("b", b"another")
        await lose(request, answer)

    on(box, "PUT", "/b", replace)
    with pytest.raises(AlreadyExists) as caught:
        await box.backend.copy("a", "b")
    assert not caught.value.outcome_unknown
    assert box.get("b") == b"another"


async def test_an_overwriting_copy_is_sent_again(box: Flat) -> None:
    """A lost answer to what may be repeated is no error."""
    box.put("a", b"content")
    on(box, "PUT", "/b", lose)
    await box.backend.copy("a", "b", overwrite=True)
    assert box.sent() == ["PUT", "PUT"]
    assert box.get("b") == b"content"


async def test_staged_blocks_are_no_file(box: Flat) -> None:
    """Blocks that nobody committed do not keep a move or copy from a name."""
    settings = ContentSettings(
        content_type="text/csv",
        content_encoding="x-own",
        content_language="de",
        content_disposition="attachment",
        cache_control="no-store",
    )
    box.put("a", b"content", metadata={"key": "value"}, content_settings=settings)
    settings.content_md5 = bytearray(hashlib.md5(b"content", usedforsecurity=False).digest())
    for name in ("b", "c"):
        box.container.get_blob_client(name).stage_block("a" * 36, b"left")
    assert not await box.backend.exists("b")
    await box.backend.copy("a", "b")
    await box.backend.move("a", "c")
    assert box.names() == ["b", "c"]
    for key in ("b", "c"):
        assert box.get(key) == b"content"
        info = await box.backend.get_file_info(key)
        assert (info.metadata, info.content_type) == ({"key": "value"}, "text/csv")
        kept = box.container.get_blob_client(key).get_blob_properties().content_settings
        assert dict(kept) == dict(settings)


@pytest.mark.parametrize("call", ["copy", "move", "write", "write_atomic"])
async def test_a_lost_answer_beside_staged_blocks(box: Flat, call: str) -> None:
    """Nothing is there, and the error does not say that something is; the next call works."""
    box.put("a", b"content")
    box.container.get_blob_client("b").stage_block("a" * 36, b"left")

    async def change() -> None:
        arguments = ("b", b"content") if call.startswith("write") else ("a", "b")
        await getattr(box.backend, call)(*arguments)

    lost = on(box, "PUT", "/b", lose)
    with pytest.raises(PreconditionFailed, match="nothing is there") as caught:
        await change()
    assert lost
    assert (caught.value.path, caught.value.outcome_unknown) == ("b", True)
    assert box.names() == ["a"]
    await change()
    assert box.get("b") == b"content"


class Pending:
    """Makes the service report a copy as unfinished for a while."""

    def __init__(self, box: Flat, looks: int, end: str = "success") -> None:
        self.left = looks
        self.end = end
        self.deleted_early = False
        box.transport.after = self._after

    async def _after(self, request: Any, answer: Any) -> Any:
        if "x-ms-copy-status" not in answer.headers:
            if request.method == "DELETE" and request.url.endswith("/a"):
                self.deleted_early = self.left > 0
            return answer
        self.left -= 1
        answer.headers["x-ms-copy-status"] = "pending" if self.left >= 0 else self.end
        return answer


@pytest.mark.parametrize("transfer", ["copy", "move"])
async def test_a_pending_copy_is_waited_for(box: Flat, transfer: str) -> None:
    """It is over when the service says so, and no source is removed before."""
    box.put("a", b"content")
    pending = Pending(box, 3)
    await getattr(box.backend, transfer)("a", "b")
    assert pending.left < 0
    assert not pending.deleted_early
    looks = ["PUT", "HEAD", "HEAD", "HEAD"]
    assert box.sent() == (looks if transfer == "copy" else ["HEAD", *looks, "DELETE"])


async def test_a_copy_that_fails(box: Flat) -> None:
    """A copy that the service gave up is an error; its rest is removed, the source stays."""
    box.put("a", b"content")
    Pending(box, 1, "failed")
    with pytest.raises(RemoteStoreError, match="did not complete") as caught:
        await box.backend.move("a", "b")
    assert caught.value.path == "b"
    assert (box.names(), box.get("a")) == (["a"], b"content")


async def test_a_pending_copy_that_is_replaced(box: Flat) -> None:
    """Another writer's file at the destination is not taken for the copy."""
    box.put("a", b"content")
    pending = Pending(box, 2)
    pending_after = box.transport.after
    assert pending_after is not None

    async def after(request: Any, answer: Any) -> Any:
        if request.method == "PUT":
            box.put("b", b"another")
        return await pending_after(request, answer)

    box.transport.after = after
    with pytest.raises(PreconditionFailed, match="replaced or removed"):
        await box.backend.move("a", "b", overwrite=True)
    assert pending.left > 0
    assert (box.get("a"), box.get("b")) == (b"content", b"another")


async def test_cancelled_while_pending(box: Flat) -> None:
    """A move that is cancelled while it waits removes nothing."""
    box.put("a", b"content")
    Pending(box, 1_000)
    call = asyncio.create_task(box.backend.move("a", "b"))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    box.transport.after = None
    assert "DELETE" not in box.sent()
    assert box.get("a") == b"content"


@pytest.mark.parametrize("form", ["sas_token", "credential"])
async def test_the_source_of_a_sas_client_carries_its_token(
    azurite: Azurite, service: BlobServiceClient, container: str, form: str
) -> None:
    """The URL of the source has the token, wherever the client has it from."""
    token = azurite.sas(container, "rwdl")
    secret = token if form == "sas_token" else AzureSasCredential(token)
    options = {"connection_string": None, "account_url": azurite.blob_url, form: secret}
    async with flat(azurite, service, container, **options) as box:
        box.put("a", b"content")
        await box.backend.copy("a", "b")
        await box.backend.move("a", "c")
        sources = [
            r.headers["x-ms-copy-source"]
            for r in box.transport.taken()
            if "x-ms-copy-source" in r.headers
        ]
        assert sources == [f"{azurite.blob_url}/{container}/a?{token}"] * 2
        assert box.names() == ["b", "c"]


async def test_rejecting_targets(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """With the option, what a hierarchical account could not hold is refused after the source."""
    async with flat(azurite, service, container, reject_write_under_file_ancestor=True) as box:
        for name in ("file", "d/below", "src"):
            box.put(name)
        for transfer in (box.backend.move, box.backend.copy):
            for target in ("file/x", "file/x/y", "d"):
                with pytest.raises(InvalidPath) as caught:
                    await transfer("src", target, overwrite=True)
                assert caught.value.path == target
                with pytest.raises(NotFound):
                    await transfer("no", target)
        assert box.names() == ["d/below", "file", "src"]
        await box.backend.copy("src", "d/e/f")
        await box.backend.move("src", "d/g")
        assert box.names() == ["d/below", "d/e/f", "d/g", "file"]

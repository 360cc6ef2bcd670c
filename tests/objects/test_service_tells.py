"""What a service may tell beyond the least: each saves a request, or answers what else is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.objects.service import Bucket, MemoryService, describe, lose, raising

from remote_store import (
    AlreadyExists,
    CapabilityNotSupported,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store_objects import ObjectBackend, Page, TargetReplaced
from remote_store_objects.authoring import Calls, Flat, Session, Waiting

pytestmark = pytest.mark.asyncio

SMALL: dict[str, Any] = {"single_put": 4, "part_size": 4}


async def test_a_commit_that_surely_was_not_ours() -> None:
    """After a lost answer the file of somebody else leaves nothing open."""
    bucket = Bucket()

    class Knowing(MemoryService):
        async def committed(self, *_: Any) -> Any:
            return False

    def theirs(act: Any) -> Any:
        bucket.put("a", b"theirs")
        return lose(lambda: None)

    bucket.faults["commit"] += [theirs]
    backend = ObjectBackend(lambda: Knowing(bucket), bucket.description, **SMALL)
    with pytest.raises(AlreadyExists) as caught:
        await backend.write("a", b"0123456789")
    assert not caught.value.outcome_unknown
    assert bucket.objects["a"][1] == b"theirs"


async def test_which_condition_of_a_copy_failed() -> None:
    """A service that tells is not asked again."""
    bucket = Bucket()
    bucket.put("a", b"x")
    backend = bucket.backend()
    bucket.faults["copy"] += [raising(AlreadyExists("there"))]
    with pytest.raises(AlreadyExists) as taken:
        await backend.copy("a", "b")
    assert taken.value.path == "b"
    assert bucket.verbs() == ["copy"]
    bucket.faults["copy"] += [raising(PreconditionFailed("changed", path="a"))]
    with pytest.raises(PreconditionFailed, match="source") as changed:
        await backend.move("a", "b")
    assert changed.value.path == "a"
    assert bucket.verbs() == ["head", "copy"]


async def test_a_copy_that_the_service_cannot_make() -> None:
    """Its bytes pass through the client, and the target's condition holds."""
    bucket = Bucket()
    bucket.put("a", b"0123456789", metadata={"k": "v"})
    cannot = raising(CapabilityNotSupported("not this one", capability="copy"))
    bucket.faults["copy"] += [cannot, cannot]
    backend = bucket.backend(**SMALL)
    await backend.move("a", "b")
    info, content = bucket.objects["b"]
    assert (content, info.metadata) == (b"0123456789", {"k": "v"})
    assert list(bucket.objects) == ["b"]
    bucket.put("c", b"theirs")
    with pytest.raises(AlreadyExists):
        await backend.copy("b", "c")
    assert bucket.objects["c"][1] == b"theirs"


async def test_ranges_of_their_own_sizes() -> None:
    """The first range and the others have sizes that are not those of parts."""
    bucket = Bucket()
    bucket.put("a", b"0123456789")
    backend = bucket.backend(max_concurrency=2, first_range=3, range_size=5)
    assert await backend.read_bytes("a") == b"0123456789"
    asked = [argument[1:3] for verb, argument in bucket.calls if verb == "get"]
    assert sorted(asked) == [(0, 3), (3, 8), (8, 10)]


async def test_prefixes_that_are_folders_only() -> None:
    """A glob lists the whole folder where a service takes no other prefix."""
    for any_prefix, prefix in ((True, "d/ab"), (False, "d/")):
        bucket = Bucket(description=describe(any_prefix=any_prefix))
        bucket.put("d/abc")
        bucket.put("d/xyz")
        found = [info.name async for info in bucket.backend().glob("d/ab*")]
        assert found == ["abc"]
        assert [argument[0] for _, argument in bucket.calls] == [prefix]


@pytest.mark.parametrize("what", ["objects", "prefixes"])
async def test_the_same_page_under_new_tokens_is_an_end(what: str) -> None:
    """What begins as another page did is that page again."""
    bucket = Bucket()
    info = bucket.put("d/a")

    class Turning(MemoryService):
        turns = 0

        async def list_page(self, prefix: str, **_: Any) -> Page:
            self.turns += 1
            here = ([info], []) if what == "objects" else ([], ["d/x/", "d/y/"])
            return Page(*here, str(self.turns))

    backend = ObjectBackend(lambda: Turning(bucket), bucket.description)
    with pytest.raises(RemoteStoreError, match="does not end"):
        async for _ in backend.iter_children("d"):
            pass
    if what == "objects":
        with pytest.raises(RemoteStoreError, match="does not end"):
            async for _ in backend.list_files("d", recursive=True):
                pass


async def test_an_absent_bucket_is_asked_once() -> None:
    """Where nothing can be, no folder is looked for."""
    bucket = Bucket(there=False)
    assert not await bucket.backend().exists("a")
    assert bucket.verbs() == ["head"]


async def test_a_service_that_knows_what_is_under_way() -> None:
    """It may note each request of a verb, and say whether a change was on its way."""
    bucket = Bucket()
    sending = asyncio.Event()
    sent = [True, False]

    class Careful(MemoryService):
        calls: Calls

        async def put(self, key: str, *_: Any, **__: Any) -> Any:
            with Waiting(self.calls, key, False):
                await asyncio.sleep(0)
            with Waiting(self.calls, key, lambda: sent[0]):
                sending.set()
                await asyncio.Event().wait()

    class Backend(ObjectBackend):
        def made_service(self, calls: Calls) -> Any:
            service = Careful(bucket)
            service.calls = calls
            return service

    while sent:
        sending.clear()
        backend = Backend(bucket.connect, bucket.description)
        backend._loops.running().calls.count -= 1  # so that a close does not wait for it
        call = asyncio.create_task(backend.write("a", b""))
        await sending.wait()
        await backend.aclose()
        with pytest.raises(StoreClosed) as caught:
            await call
        assert caught.value.outcome_unknown is sent.pop(0)


async def test_a_wait_between_two_requests_of_a_verb_is_one_too() -> None:
    """A close ends it, and what the verb was to change is unknown."""
    bucket = Bucket()
    between = asyncio.Event()

    class Patient(MemoryService):
        calls: Calls

        async def put(self, key: str, *_: Any, **__: Any) -> Any:
            with Waiting(self.calls, key, False):
                await asyncio.sleep(0)
            between.set()
            await asyncio.Event().wait()

    class Backend(ObjectBackend):
        def made_service(self, calls: Calls) -> Any:
            service = Patient(bucket)
            service.calls = calls
            return service

    backend = Backend(bucket.connect, bucket.description)
    call = asyncio.create_task(backend.write("a", b""))
    await between.wait()
    backend._loops.running().calls.count -= 1  # so that a close does not wait for it
    await backend.aclose()
    with pytest.raises(StoreClosed) as caught:
        await asyncio.wait_for(call, 5)
    assert caught.value.outcome_unknown


async def test_operations_that_are_found_out() -> None:
    """After what needs no service, and at every operation until they are known."""
    bucket = Bucket()
    asked: list[str | None] = []

    class Finding(ObjectBackend):
        async def found_operations(self, session: Session, key: str | None) -> Flat:
            asked.append(key)
            if len(asked) == 2:
                self.operations = Flat()
            return Flat()

    async def content() -> AsyncIterator[bytes]:
        yield b"x"

    backend = Finding(bucket.connect, bucket.description)
    backend.operations = None
    for wrong in (backend.read_bytes("a/../b"), backend.write("", b""), backend.delete("a//\0")):
        with pytest.raises(RemoteStoreError):
            await wrong
    assert asked == []
    await backend.write("./a", content())
    assert await backend.exists("a")
    with pytest.raises(NotFound):
        await backend.delete("b")
    assert asked == ["a", "a"]


async def test_what_cannot_be_listed_at_once_is_listed_by_folders() -> None:
    """A flat page may name folders instead: each is asked for by itself, also for a sum."""
    bucket = Bucket()
    for key in ("d/a", "d/e/b", "d/e/f/c", "x"):
        bucket.put(key, b"12")
    asked: list[tuple[str, str]] = []

    class Split(MemoryService):
        async def list_page(self, prefix: str, **options: Any) -> Page:
            asked.append((prefix, options.get("delimiter", "")))
            if prefix == "d/":
                options["delimiter"] = "/"
            return await super().list_page(prefix, **options)

    backend = ObjectBackend(lambda: Split(bucket), bucket.description)
    found = [info.path.as_posix() async for info in backend.list_files("d", recursive=True)]
    assert found == ["d/a", "d/e/b", "d/e/f/c"]
    assert asked == [("d/", ""), ("d/e/", "")]
    total = await backend.get_folder_info("d")
    assert (total.file_count, total.total_size) == (3, 6)


async def test_where_folders_are_real_nothing_is_looked_for() -> None:
    """What is not there is missing, which one request tells."""
    for real, verbs in ((False, ["get", "list_page"]), (True, ["get"])):
        bucket = Bucket(description=describe(real_folders=real))
        with pytest.raises(NotFound):
            await bucket.backend().read_bytes("a")
        assert bucket.verbs() == verbs


@pytest.mark.parametrize("move", [True, False])
async def test_a_target_that_is_replaced_while_it_is_copied(move: bool) -> None:
    """It is no condition that failed, and the error is the service's own."""
    bucket = Bucket()
    bucket.put("a", b"x")
    error = TargetReplaced("replaced", path="b")
    bucket.faults["copy"] += [raising(error)]
    backend = bucket.backend()
    with pytest.raises(PreconditionFailed) as caught:
        await (backend.move if move else backend.copy)("a", "b", overwrite=not move)
    assert caught.value is error
    assert bucket.verbs() == ["head", "copy"][not move :]
    assert list(bucket.objects) == ["a"]

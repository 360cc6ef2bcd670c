"""What stands between an operation and a verb: patience, errors, loops, the end."""

from __future__ import annotations

import asyncio
import pickle
import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from tests.objects.service import Bucket, MemoryService, busy, describe, lose, raising

from remote_store import (
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    NotFound,
    RemoteStoreError,
    RetryPolicy,
    StoreClosed,
)
from remote_store_objects import ObjectBackend, ObjectService

_WEEK = timedelta(days=7)

pytestmark = pytest.mark.asyncio


async def test_what_a_service_lets_through_becomes_an_error_of_ours() -> None:
    """With the native one as its cause, and never its text."""
    bucket = Bucket()
    for native, kind in (
        (KeyError("secret"), RemoteStoreError),
        (OSError("secret"), BackendUnavailable),
        (TimeoutError(), BackendUnavailable),
    ):
        for verb, call in (("put", bucket.backend().write("a", b"")), ("head", None)):
            bucket.faults[verb] += [raising(native)] * 3
            with pytest.raises(kind) as caught:
                await (call or bucket.backend().is_file("a"))
            assert caught.value.__cause__ is native
            assert type(caught.value) is kind
            assert caught.value.outcome_unknown is (verb == "put")
            assert "secret" not in str(caught.value)
            bucket.faults[verb].clear()
    bucket.put("a", b"x")
    bucket.faults["receive"] += [raising(ValueError("secret"))]
    with pytest.raises(RemoteStoreError) as caught:
        await bucket.backend().read_bytes("a")
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_wait_is_as_long_as_the_service_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the policy's longest; else it doubles."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("remote_store_objects._session.session.asyncio.sleep", sleep)
    bucket = Bucket()
    policy = RetryPolicy(max_attempts=5, backoff_base=1, backoff_max=7, jitter=0)
    asked = BackendUnavailable("busy", retry_after=5)
    long = BackendUnavailable("busy", retry_after=50)
    bucket.faults["put"] += [busy, busy, raising(asked), raising(long)]
    await bucket.backend(retry=policy).write("a", b"")
    assert waits == [1, 2, 5, 7]

    waits.clear()
    bucket.faults["put"] += [busy]
    await bucket.backend(retry=RetryPolicy(jitter=0.5)).write("b", b"")
    assert 1 <= waits[0] <= 1.5


async def test_the_policy_s_timeout_ends_attempts_and_waits() -> None:
    """A silent service, and one that asks for more patience than there is."""
    bucket = Bucket()

    class Silent(MemoryService):
        async def put(self, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

    policy = RetryPolicy(timeout=0.05, backoff_base=10, jitter=0)
    backend = ObjectBackend(lambda: Silent(bucket), describe(), retry=policy)
    with pytest.raises(BackendUnavailable) as caught:
        await backend.write("a", b"")
    assert caught.value.outcome_unknown
    assert isinstance(caught.value.__cause__, TimeoutError)

    bucket.faults["head"] += [busy]
    with pytest.raises(BackendUnavailable, match="busy"):
        await backend.is_file("a")


async def test_a_service_that_repeats_by_itself_is_asked_once() -> None:
    """Its mark on the last error counts all the same."""
    bucket = Bucket(description=describe(repeats=True))
    bucket.faults["delete"] += [busy]
    with pytest.raises(BackendUnavailable):
        await bucket.backend().delete("a")
    assert bucket.verbs() == ["delete"]
    bucket.faults["delete"] += [raising(NotFound("gone", outcome_unknown=True))]
    await bucket.backend().delete("a")


async def test_a_question_never_leaves_an_outcome_unknown() -> None:
    """Whatever a service says."""
    bucket = Bucket()
    bucket.faults["head"] += [lose] * 3
    with pytest.raises(BackendUnavailable) as caught:
        await bucket.backend().get_file_info("a")
    assert not caught.value.outcome_unknown


async def test_a_close_is_for_good_and_comes_first() -> None:
    """Before a path is looked at; once for each service, in whatever loop."""
    bucket = Bucket()
    backend = bucket.backend()
    await backend.write("a", b"")
    stop = threading.Event()
    started = threading.Event()

    def other() -> None:
        async def use() -> None:
            await backend.is_file("a")
            started.set()
            while not stop.is_set():  # noqa: ASYNC110 - another thread sets it
                await asyncio.sleep(0.001)

        asyncio.run(use())

    thread = threading.Thread(target=other)
    thread.start()
    await asyncio.to_thread(started.wait)
    await backend.aclose()
    await backend.aclose()
    stop.set()
    thread.join()
    assert [service.closed for service in bucket.services] == [1, 1]
    for call in (
        backend.write("../bad", b""),
        backend.exists(""),
        backend.delete("../bad"),
        backend.check_health(),
        backend.sweep(),
        anext(backend.read("../bad")),
        anext(backend.list_files("../bad")),
    ):
        with pytest.raises(StoreClosed):
            await call


async def test_a_close_ends_a_request_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; what becomes of a change is not known then."""
    monkeypatch.setattr("remote_store_objects._session.loops._GRACE", 0.01)
    asked = asyncio.Event()

    class Silent(MemoryService):
        async def put(self, *_: Any, **__: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

    backend = ObjectBackend(lambda: Silent(Bucket()), describe())
    task = asyncio.create_task(backend.write("a", b""))
    await asked.wait()
    await backend.aclose()
    with pytest.raises(StoreClosed) as caught:
        await task
    assert caught.value.outcome_unknown
    assert not task.cancelling()


async def test_a_service_that_cannot_be_closed_is_no_matter() -> None:
    """The others are closed, and the close returns."""

    class Bad(MemoryService):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError

    bucket = Bucket()
    backend = ObjectBackend(lambda: Bad(bucket), describe())
    await backend.exists("a")
    await backend.aclose()


def connect(word: str) -> ObjectService:
    return MemoryService(Bucket())


async def test_a_backend_pickles_as_its_configuration() -> None:
    """Never its connections; what comes back is open, whatever became of the first."""
    backend = ObjectBackend(partial(connect, "x"), describe(), single_put=7)
    await backend.exists("a")
    again = pickle.loads(pickle.dumps(backend))
    assert again.description == backend.description
    assert again._sizes == backend._sizes
    assert not await again.exists("a")
    await backend.aclose()
    assert not await again.exists("a")


async def test_what_is_wrong_is_refused_at_construction() -> None:
    """Arguments of a wrong type, and numbers that mean nothing."""
    for name in ("max_concurrency", "single_put", "part_size", "growth"):
        with pytest.raises(ValueError, match=name):
            Bucket().backend(**{name: 0})
        for value in ("1", True, 1.5):
            with pytest.raises(TypeError, match=name):
                Bucket().backend(**{name: value})
    with pytest.raises(TypeError, match="retry"):
        Bucket().backend(retry=3)
    for field in ("max_key", "max_put", "min_part", "max_part", "max_parts", "page"):
        with pytest.raises(ValueError, match=field):
            describe(**{field: 0})
    for field in ("copy_parts", "lists_uploads", "resumes"):
        with pytest.raises(ValueError, match=field):
            describe(uploads=False, **{field: True})


async def test_capabilities_follow_the_description() -> None:
    """All that a flat store can have, and what each lack takes away."""
    full = set(ObjectBackend.CAPABILITIES)
    assert set(Capability) - full == {
        Capability.SEEKABLE_READ,
        Capability.ATOMIC_MOVE,
        Capability.CREATE_FOLDER,
    }
    for fields, missing in (
        ({}, set()),
        ({"signs": None}, {Capability.SIGNED_URL}),
        ({"resumes": False}, {Capability.RESUMABLE_WRITE}),
        ({"metadata": None}, {Capability.USER_METADATA}),
        ({"content_headers": False}, {Capability.CONTENT_HEADERS}),
        ({"written_tells": False}, {Capability.WRITE_RESULT_NATIVE}),
        ({"etags": False}, {Capability.MOVE, Capability.CONDITIONAL_WRITE}),
    ):
        backend = ObjectBackend(
            partial(connect, "x"), describe(**{"signs": _WEEK, "resumes": True, **fields})
        )
        assert full - set(backend.capabilities) == missing
    bucket = Bucket(description=describe(written_tells=False))
    assert (await bucket.backend().write("a", b"")).source == "basic"


async def test_names_lead_to_the_storage_and_back() -> None:
    """The description's location and details, and no more."""
    backend = Bucket(description=describe(details={"region": "x"})).backend()
    assert backend.native_path("a/b") == "mem://b/a/b"
    assert backend.native_path("") == "mem://b"
    for key in ("", "a/b"):
        assert backend.to_key(backend.native_path(key)) == key
    plan = backend.resolve("a")
    assert (plan.native_path, dict(plan.details)) == ("mem://b/a", {"region": "x"})
    assert "mem://b" in repr(backend)


async def test_optional_verbs_say_that_they_are_missing() -> None:
    """Where a description promises too much."""

    class Small(ObjectService):
        head = get = list_page = put = delete = None  # type: ignore[assignment]

    service = Small()
    verbs = {
        "delete_many": ([],),
        "begin_upload": ("k",),
        "list_uploads": ("",),
    }
    for verb, arguments in verbs.items():
        more = {"attributes": None} if verb == "begin_upload" else {}
        with pytest.raises(CapabilityNotSupported, match=verb):
            await getattr(service, verb)(*arguments, **more)
    assert await service.committed(None, []) is None  # type: ignore[arg-type]
    await service.aclose()


async def test_uploads_of_the_past_are_swept() -> None:
    """Old ones below a folder, page after page; new ones stay."""
    bucket = Bucket(description=describe(lists_uploads=True))
    service = MemoryService(bucket)
    for key in ("f/1", "f/2", "g/3"):
        await service.begin_upload(key, attributes=None)  # type: ignore[arg-type]
    backend = bucket.backend()
    assert [u.key async for u in backend.unfinished_uploads()] == ["f/1", "f/2", "g/3"]
    assert await backend.sweep() == 0
    bucket.faults["abort"] += [raising(NotFound("somebody else"))]
    told: list[str] = []
    dry = await backend.sweep("f", older_than=timedelta(0), dry_run=True, found=told.append)
    assert (dry, sorted(told)) == (2, ["f/1", "f/2"])
    assert await backend.sweep("f", older_than=timedelta(0)) == 1
    assert [u.key async for u in backend.unfinished_uploads("g")] == ["g/3"]
    bucket.there = False
    with pytest.raises(NotFound, match="mkbucket"):
        await backend.sweep()
    with pytest.raises(CapabilityNotSupported):
        await Bucket().backend().sweep()

"""Copies that a service makes for two stores: on Azurite, a hierarchical account, and moto."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.hns.lake import FS, Lake
from tests.objects.service import Bucket, after, describe, lose
from tests.s3.moto import KEY, SECRET, Moto
from tests.s3.scripted import Answer, Scripted, error, scripted
from tests.transfer.conftest import contents, fill

from hns_emulator import HnsEmulator
from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    ContentHeaders,
    PermissionDenied,
    PreconditionFailed,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_s3 import AsyncS3Backend
from remote_store_transfer import sync_tree as sync_tree_blocking
from remote_store_transfer._copying import copy as copying
from remote_store_transfer.aio import copy_tree, sync_tree

FILES: Final = {f"d{i % 3}/f{i}": b"x" * (i + 1) for i in range(12)}
#: Seconds after which a file is old enough to be known by its time.
_OLD: Final = 2.1
_HEADERS: Final = ContentHeaders(content_type="text/csv", cache_control="no-cache")


async def _filled(source: AsyncStore) -> None:
    await fill(source, FILES)
    await source.write("described", b"1", metadata={"owner": "ann"}, headers=_HEADERS)


async def _arrived(source: AsyncStore, target: AsyncStore) -> None:
    """State that all is there, and is seen to be by the next run."""
    assert await contents(target) == await contents(source)
    info = await target.get_file_info("described")
    assert (info.metadata, info.headers) == ({"owner": "ann"}, _HEADERS)


@contextlib.asynccontextmanager
async def _on_azurite(azurite: Azurite) -> AsyncIterator[tuple[str, AsyncStore, str, AsyncStore]]:
    boxes = [f"across-{uuid.uuid4().hex}" for _ in range(2)]
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        for box in boxes:
            client.create_container(box)
    one, other = (
        AsyncAzureBackend(
            box,
            connection_string=azurite.connection_string,
            hns=False,
            client_options={"api_version": API_VERSION},
        )
        for box in boxes
    )
    async with AsyncStore(one) as source, AsyncStore(other) as target:
        yield boxes[0], source, boxes[1], target


def _asked(azurite: Azurite, start: int, *boxes: str) -> Counter[tuple[str, str]]:
    """Return what was asked of each container since *start*, but that it be made."""
    found: Counter[tuple[str, str]] = Counter()
    for method, target, _ in azurite.requests()[start:]:
        box = next((box for box in boxes if f"/{box}" in target), None)
        if box is not None and not (method == "PUT" and "restype=container" in target):
            found[box, "LIST" if "comp=list" in target else method] += 1
    return found


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_two_containers_of_a_flat_account(azurite: Azurite) -> None:
    """One request for each new file, to the target alone; then two listings."""
    async with _on_azurite(azurite) as (from_box, source, to_box, target):
        await _filled(source)
        await asyncio.sleep(0.2)  # the log may be late
        start = len(azurite.requests())
        assert (await sync_tree(source, target)).copied == 13
        expected = {(from_box, "LIST"): 1, (to_box, "LIST"): 1, (to_box, "PUT"): 13}
        for _ in range(100):
            if _asked(azurite, start, from_box, to_box).total() >= 15:
                break
            await asyncio.sleep(0.05)
        assert _asked(azurite, start, from_box, to_box) == expected
        await _arrived(source, target)
        assert (await sync_tree(source, target, delete=True)).skipped == 13


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_two_containers_of_a_hierarchical_account() -> None:
    """A look at each source and one request for the copy; no content in either direction."""
    emulator = HnsEmulator()
    for name in (FS, "other"):
        emulator.create_filesystem(name)
    with emulator:
        lake = Lake(emulator)
        backend = AsyncAzureBackend(
            "other",
            connection_string=emulator.connection_string,
            hns=True,
            client_options={"transport": lake._transport},
        )
        async with AsyncStore(backend) as source, AsyncStore(lake.backend()) as target:
            await _filled(source)
            await asyncio.sleep(_OLD)
            emulator.requests.clear()
            assert (await sync_tree(source, target)).copied == 13
            asked = Counter((r.method, r.path.split("/")[1]) for r in emulator.requests)
            listings = {key: number for key, number in asked.items() if key[0] == "GET"}
            assert asked - Counter(listings) == {("HEAD", "other"): 13, ("PUT", FS): 13}
            assert max(listings.values()) <= 1
            await _arrived(source, target)
            assert (await sync_tree(source, target, delete=True)).skipped == 13
        lake.close()


@contextlib.contextmanager
def _buckets(moto: Moto, number: int = 2) -> Any:
    names = [f"across-{uuid.uuid4().hex}" for _ in range(number)]
    for name in names:
        moto.make_bucket(name)
    yield names
    for name in names:
        moto.remove_bucket(name)


_ALL: Final[dict[str, Any]] = {
    "conditional_replace": True,
    "conditional_copy": True,
    "conditional_delete": True,
}


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_two_buckets(moto: Moto) -> None:
    """One request for each new file, to the target alone; then two listings, and questions."""
    with _buckets(moto) as (one, other):
        async with (
            AsyncStore(AsyncS3Backend(one, **moto.options, **_ALL)) as source,
            AsyncStore(AsyncS3Backend(other, **moto.options, **_ALL)) as target,
        ):
            await _filled(source)
            await asyncio.sleep(_OLD)
            start = len(moto.requests())
            assert (await sync_tree(source, target)).copied == 13
            asked = Counter(
                (m, path.split("/")[1].split("?")[0]) for m, path, _ in moto.requests()[start:]
            )
            assert asked == {("GET", one): 1, ("GET", other): 1, ("PUT", other): 13}
            await _arrived(source, target)
            assert (await sync_tree(source, target, delete=True)).skipped == 13


@pytest.mark.timeout(120)
def test_sync_stores(moto: Moto) -> None:
    """As the async ones, through both adapters."""
    with _buckets(moto) as (one, other):
        stores = [
            Store(AsyncBackendSyncAdapter(AsyncS3Backend(name, **moto.options, **_ALL)))
            for name in (one, other)
        ]
        with stores[0] as source, stores[1] as target:
            for path, content in FILES.items():
                source.write(path, content)
            time.sleep(_OLD)
            start = len(moto.requests())
            assert sync_tree_blocking(source, target).copied == 12
            asked = Counter(
                (m, path.split("/")[1].split("?")[0]) for m, path, _ in moto.requests()[start:]
            )
            assert asked == {("GET", one): 1, ("GET", other): 1, ("PUT", other): 12}
            assert {path: target.read_bytes(path) for path in FILES} == FILES


_CONDITIONLESS: Final[dict[str, Any]] = {"conditional_copy": True}


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_without_conditions_the_source_is_looked_at_again(moto: Moto) -> None:
    """What was copied is not known to be the version that was seen."""
    with _buckets(moto) as (one, other):
        async with (
            AsyncStore(AsyncS3Backend(one, **moto.options, **_CONDITIONLESS)) as source,
            AsyncStore(AsyncS3Backend(other, **moto.options, **_CONDITIONLESS)) as target,
        ):
            await fill(source, {"a": b"1", "b": b"2"})
            await asyncio.sleep(_OLD)
            start = len(moto.requests())
            assert (await copy_tree(source, target)).copied == 2
            asked = Counter(
                (m, path.split("/")[1].split("?")[0]) for m, path, _ in moto.requests()[start:]
            )
            expected = {("GET", one): 1, ("GET", other): 1, ("PUT", other): 2, ("HEAD", one): 2}
            assert asked == expected


# What the engine makes of an answer ------------------------------------------


class Copying(AsyncMemoryBackend):
    """A backend whose service copies, or answers what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []
        self.answers: list[Any] = []
        #: Paths that the service may not read.
        self.refused: set[str] = set()

    async def copy_from(
        self,
        source: AsyncBackend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        self.asked.append((src, if_match))
        if src in self.refused:
            raise PermissionDenied("no", path=src, status=403)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            await answer()
        info = await source.get_file_info(src)
        if if_match is not None and info.etag != if_match:
            raise PreconditionFailed("other", path=src)
        await self.write(dst, await source.read_bytes(src), overwrite=overwrite)
        return None


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """However new a file is, it counts as old enough."""
    monkeypatch.setattr(copying, "DOUBT", timedelta(0))


def _pair() -> tuple[AsyncStore, AsyncStore, Copying]:
    target = Copying()
    return AsyncStore(AsyncMemoryBackend()), AsyncStore(target), target


@pytest.mark.asyncio
async def test_what_is_new_keeps_its_time_and_is_known_again() -> None:
    """A copy by the service would look as if it was older than its source, or as old."""
    source, target, backend = _pair()
    await fill(source, FILES)
    assert (await sync_tree(source, target)).copied == 12
    assert backend.asked == []
    assert (await sync_tree(source, target)).skipped == 12


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_one_version_is_asked_for_and_another_one_is_looked_at_again() -> None:
    """The version of the listing; what has changed is copied as it is now, by the next attempt."""
    source, target, backend = _pair()
    await source.write("a", b"old")
    seen = (await source.get_file_info("a")).etag

    async def change() -> None:
        await source.write("a", b"new", overwrite=True)

    backend.answers = [change]
    report = await copy_tree(source, target)
    assert (report.copied, report.retried, report.ok) == (1, 1, True)
    assert [path for path, _ in backend.asked] == ["a", "a"]
    assert backend.asked[0][1] == seen
    assert await target.read_bytes("a") == b"new"


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_who_cannot_is_asked_once() -> None:
    """And everything is read and written."""
    source, target, backend = _pair()
    await fill(source, FILES)
    backend.answers = [CapabilityNotSupported("no", capability="copy_from")] * 100
    report = await copy_tree(source, target, concurrency=1)
    assert (report.copied, len(backend.asked)) == (12, 1)
    assert await contents(target) == FILES


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_a_refusal_of_this_way_alone_is_asked_once() -> None:
    """Reading and writing is allowed: so that was of the stores, and no file waits for it again."""
    source, target, backend = _pair()
    await fill(source, FILES)
    backend.answers = [PermissionDenied("no", status=403)] * 100
    report = await copy_tree(source, target, concurrency=1)
    assert (report.copied, report.ok, len(backend.asked)) == (12, True, 1)
    assert await contents(target) == FILES


class Locked(AsyncMemoryBackend):
    """One of its files may be read by nobody."""

    async def read_bytes(self, path: str) -> bytes:
        if path == "d0/f0":
            raise PermissionDenied("not this one", path=path, status=403)
        return await super().read_bytes(path)


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_a_refusal_of_one_file_is_of_that_file() -> None:
    """It fails either way, and the others are still copied by the service."""
    source, target = AsyncStore(Locked()), AsyncStore(backend := Copying())
    await fill(source, FILES)
    backend.refused = {"d0/f0"}
    report = await copy_tree(source, target, concurrency=1)
    assert (report.copied, len(backend.asked)) == (11, 12)
    assert [failure.path for failure in report.failures] == ["d0/f0"]


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_a_refusal_after_a_lost_answer_is_no_reason_to_write() -> None:
    """The copy may be there, and would be met as somebody else's."""
    source, target, backend = _pair()
    await source.write("a", b"1")
    backend.answers = [PermissionDenied("no", status=403, outcome_unknown=True)]
    report = await copy_tree(source, target)
    assert [failure.error for failure in report.failures] == ["PermissionDenied"]
    assert not await target.exists("a")


@pytest.mark.usefixtures("old")
@pytest.mark.asyncio
async def test_a_changed_source_after_a_lost_answer_is_not_tried_again() -> None:
    """What is at the target may be the first attempt's, or anybody's."""
    source, target, backend = _pair()
    await source.write("a", b"1")
    backend.answers = [PreconditionFailed("other", path="a", outcome_unknown=True)]
    report = await copy_tree(source, target)
    assert [failure.error for failure in report.failures] == ["PreconditionFailed"]
    assert len(backend.asked) == 1


@pytest.mark.asyncio
async def test_metadata_that_stay_behind_are_no_copy() -> None:
    """Without metadata, and for a file that is replaced, it is read and written."""
    source, target, backend = _pair()
    await source.write("a", b"1")
    await copy_tree(source, target, metadata=False)
    await source.write("a", b"22", overwrite=True)
    assert (await sync_tree(source, target)).replaced == 1
    assert backend.asked == []
    assert Capability.CONDITIONAL_WRITE in backend.capabilities


@pytest.mark.asyncio
async def test_a_refused_copyobject_becomes_a_get_and_a_put() -> None:
    """Of S3: rights for tags, for example, which only the copy needs."""
    page = "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>"
    entry = (
        "<Contents><Key>a</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        '<ETag>"e"</ETag><Size>1</Size></Contents>'
    )
    head = {"ETag": '"e"', "Content-Length": "1", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    answers = (error(403, "AccessDenied"), Answer(200, "1", {"ETag": '"e"'}))
    async with scripted(Answer(body=page.format(entry)), Answer(body=page.format(""))) as server:
        server.answers += [*answers, Answer(headers=head), Answer(headers={"ETag": '"n"'})]
        source, target = (AsyncStore(_named(server, name)) for name in ("theirs", "ours"))
        async with source, target:
            report = await copy_tree(source, target)
        assert (report.copied, report.ok) == (1, True)
        assert [line.partition("?")[0] for line in server.lines[2:]] == [
            *("PUT /ours/a", "GET /theirs/a", "HEAD /theirs/a", "PUT /ours/a"),
        ]


def _named(server: Scripted, name: str) -> AsyncS3Backend:
    options: dict[str, Any] = {
        "region": "eu-west-1",
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        **_ALL,
    }
    return AsyncS3Backend(name, endpoint_url=server.url, **options)


@pytest.mark.asyncio
@pytest.mark.parametrize("lost", [False, True])
async def test_a_copy_that_meets_a_file_says_whose_it_may_be(lost: bool) -> None:
    """Never that the source has changed, which did not."""
    sides = [Bucket(describe(location=f"mem://{name}"), account="one") for name in "ab"]
    sides[0].put("f", b"data", modified=datetime.now(UTC) - timedelta(hours=1))
    fault = lose if lost else after(lambda: sides[1].put("f", b"theirs"))
    sides[1].faults["copy"].append(fault)
    source, target = (AsyncStore(side.backend()) for side in sides)
    (failure,) = (await copy_tree(source, target)).failures
    assert (failure.kind, failure.error) == ("conflict", "AlreadyExists")
    assert ("somebody else has written it" in failure.reason) is not lost
    assert ("may be this call's own" in failure.reason) is lost
    assert sides[1].contents() == {"f": b"data" if lost else b"theirs"}
    assert "put" not in sides[1].verbs()

"""Pages that a service should not send: what they name is not taken for what was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from tests.objects.service import Bucket, MemoryService, describe

from remote_store import PermissionDenied, RemoteStoreError
from remote_store_objects import ObjectBackend, ObjectInfo, Page, Upload, UploadPage

pytestmark = pytest.mark.asyncio

Operation: TypeAlias = Callable[[ObjectBackend], Coroutine[Any, Any, object]]


async def names(found: AsyncIterator[Any]) -> list[str]:
    return [item.path.as_posix() async for item in found]


OPERATIONS: dict[str, Operation] = {
    "list_files": lambda backend: names(backend.list_files("a")),
    "walk": lambda backend: names(backend.list_files("a", recursive=True, max_depth=3)),
    "list_folders": lambda backend: names(backend.list_folders("a")),
    "glob": lambda backend: names(backend.glob("a/**")),
    "sum": lambda backend: backend.get_folder_info("a"),
    "is_folder": lambda backend: backend.is_folder("a"),
    "delete_folder": lambda backend: backend.delete_folder("a"),
    "delete_folder recursive": lambda backend: backend.delete_folder("a", recursive=True),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_a_listing_of_something_else_is_an_error(
    operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service, or a cache before it, that ignores the prefix gets nobody's files deleted."""
    bucket = Bucket()
    bucket.put("other/1")

    async def all_of_it(self: MemoryService, prefix: str, **request: Any) -> Page:
        return Page([info for info, _ in bucket.objects.values()])

    monkeypatch.setattr(MemoryService, "list_page", all_of_it)
    with pytest.raises(RemoteStoreError, match="'other/1', which does not belong"):
        await operation(bucket.backend())
    assert bucket.objects


@pytest.mark.parametrize("page", [Page([ObjectInfo("a/b/c", 1)]), Page([], ["a/b/c/"])])
async def test_a_delimiter_that_is_ignored_is_noticed(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of folders below are none of this folder."""

    async def flat(self: MemoryService, prefix: str, **request: Any) -> Page:
        return page

    monkeypatch.setattr(MemoryService, "list_page", flat)
    with pytest.raises(RemoteStoreError, match="does not belong"):
        await names(Bucket().backend().iter_children("a"))


async def test_a_page_that_comes_again_under_another_token_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key is on one page only, so that a listing which repeats itself ends."""
    count = 0

    async def again(self: MemoryService, prefix: str, **request: Any) -> Page:
        nonlocal count
        count += 1
        return Page([ObjectInfo("a/1", 1), ObjectInfo("a/2", 1)], [], f"token {count}")

    monkeypatch.setattr(MemoryService, "list_page", again)
    for operation in ("list_files", "walk", "glob", "sum", "delete_folder recursive"):
        with pytest.raises(RemoteStoreError, match="'a/1' again"):
            await OPERATIONS[operation](Bucket().backend())


async def test_unfinished_uploads_of_others_are_not_aborted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a service ignores the prefix of their listing."""
    bucket = Bucket(describe(lists_uploads=True))
    backend = bucket.backend()

    async def all_of_them(self: MemoryService, prefix: str, *, token: str = "") -> UploadPage:
        return UploadPage([Upload("other/1", "u")])

    monkeypatch.setattr(MemoryService, "list_uploads", all_of_them)
    with pytest.raises(RemoteStoreError, match="does not belong"):
        await backend.sweep("a", older_than=timedelta(0))
    assert "abort" not in bucket.verbs()


async def test_a_refused_deletion_that_names_no_key_is_not_lost() -> None:
    """All of the batch are tried again, one by one."""
    bucket = Bucket()
    for name in "123":
        bucket.put(f"a/{name}")

    def refuse(act: Callable[[], object]) -> object:
        return {"": PermissionDenied("refused")}

    bucket.faults["delete_many"].append(refuse)
    await bucket.backend().delete_folder("a", recursive=True)
    assert bucket.verbs() == ["list_page", "delete_many", *["delete"] * 3]
    assert not bucket.objects

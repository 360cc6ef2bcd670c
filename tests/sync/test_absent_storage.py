"""What both stores say of a storage that nobody has made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.sync.reference import DictBackend, as_backend

from remote_store import FolderInfo, NotFound, Store
from remote_store.aio import AsyncStore


class Absent(DictBackend):
    """A backend whose container does not exist."""

    def exists(self, path: str) -> bool:
        return False

    is_file = is_folder = exists

    def get_folder_info(self, path: str) -> FolderInfo:
        raise NotFound(f"container 'c' does not exist; create it: {path}", path=path)

    def check_health(self) -> None:
        raise NotFound("container 'c' does not exist; create it")


def answered(asynchronous: bool, root: str, method: str, *args: Any, **options: Any) -> Any:
    if not asynchronous:
        return getattr(Store(as_backend(Absent()), root), method)(*args, **options)

    async def call() -> Any:
        return await getattr(AsyncStore(as_backend(Absent()), root), method)(*args, **options)

    return asyncio.run(call())


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("root", ["", "root"])
def test_root_of_an_absent_storage(asynchronous: bool, root: str) -> None:
    """It does not exist: the backend is asked, through the bridge as well."""
    for method in ("exists", "is_folder", "is_file"):
        for spelling in ("", "."):
            assert answered(asynchronous, root, method, spelling) is False


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("depth", [None, 0, 3])
def test_sum_of_an_absent_storage(asynchronous: bool, depth: int | None) -> None:
    """The error names the storage, also where the store adds up by itself."""
    with pytest.raises(NotFound, match="container 'c' does not exist"):
        answered(asynchronous, "", "get_folder_info", "", max_depth=depth)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_sum_of_an_absent_root(asynchronous: bool) -> None:
    """The folder that is a store's root is named as that."""
    with pytest.raises(NotFound, match="root of the store"):
        answered(asynchronous, "root", "get_folder_info", "", max_depth=0)

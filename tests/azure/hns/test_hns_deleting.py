"""Deleting on a hierarchical account."""

from __future__ import annotations

from typing import Any

import pytest
from tests.azure.hns.lake import Lake

from remote_store import DirectoryNotEmpty, InvalidPath, NotFound, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio


def _before_delete(lake: Lake, act: Any, *, once: bool = True) -> None:
    """Do something past the backend between its look and its delete."""

    async def before(request: Any) -> None:
        if request.method == "DELETE":
            if once:
                lake.transport.before = None
            act()

    lake.transport.before = before


@pytest.mark.parametrize("missing_ok", [False, True])
async def test_a_folder_is_no_file(
    lake: Lake, backend: AsyncAzureBackend, missing_ok: bool
) -> None:
    """An empty one is not deleted as a file either, though the service would."""
    lake.mkdir("empty")
    lake.put("a/f", b"f")

    for folder in ("empty", "a"):
        with pytest.raises(InvalidPath):
            await backend.delete(folder, missing_ok=missing_ok)
    assert lake.folders() == {"empty", "a"}


@pytest.mark.parametrize("missing_ok", [False, True])
@pytest.mark.parametrize("recursive", [False, True])
async def test_a_file_is_no_folder(
    lake: Lake, backend: AsyncAzureBackend, recursive: bool, missing_ok: bool
) -> None:
    """It is refused, and stays."""
    lake.put("f", b"f")

    with pytest.raises(InvalidPath):
        await backend.delete_folder("f", recursive=recursive, missing_ok=missing_ok)
    assert lake.files() == {"f": b"f"}


async def test_what_is_missing_is_not_found_or_fine(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Also below a file, which holds nothing."""
    lake.put("f", b"f")

    for key in ("no", "no/no", "f/no"):
        with pytest.raises(NotFound) as caught:
            await backend.delete(key)
        assert caught.value.path == key
        with pytest.raises(NotFound):
            await backend.delete_folder(key, recursive=True)
        await backend.delete(key, missing_ok=True)
        await backend.delete_folder(key, missing_ok=True)


async def test_folders_stay_when_their_last_file_goes(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """They are real, and need a delete of their own."""
    lake.put("a/b/f", b"f")
    await backend.delete("a/b/f")
    assert lake.folders() == {"a", "a/b"}

    with pytest.raises(DirectoryNotEmpty):
        await backend.delete_folder("a")
    await backend.delete_folder("a/b")
    await backend.delete_folder("a")
    assert lake.folders() == set()


async def test_a_child_that_appears_meanwhile_is_never_removed(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Whether a folder is empty is decided by the service when it deletes."""
    lake.mkdir("a")
    await backend.exists("a")
    _before_delete(lake, lambda: lake.put("a/new", b"new"))

    with pytest.raises(DirectoryNotEmpty) as caught:
        await backend.delete_folder("a")
    assert caught.value.path == "a"
    assert lake.files() == {"a/new": b"new"}


async def test_a_file_that_takes_the_folders_place_is_never_removed(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Neither with recursive, which a file would not stop."""

    def act() -> None:
        lake.remove("a")
        lake.put("a", b"a file")

    for recursive in (False, True):
        lake.mkdir("a")
        await backend.exists("a")
        _before_delete(lake, act)
        with pytest.raises(InvalidPath):
            await backend.delete_folder("a", recursive=recursive)
        assert lake.files() == {"a": b"a file"}
        lake.remove("a")


async def test_a_folder_that_takes_the_files_place_is_never_removed(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The delete is of the version that was seen to be a file."""
    lake.put("f", b"f")
    await backend.exists("f")

    def act() -> None:
        lake.remove("f")
        lake.mkdir("f")

    _before_delete(lake, act)
    with pytest.raises(InvalidPath):
        await backend.delete("f")
    assert lake.folders() == {"f"}


async def test_a_file_that_is_replaced_meanwhile_is_looked_at_again(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """A delete is of whatever file is there, but not for ever."""
    lake.put("f", b"old")
    await backend.exists("f")
    _before_delete(lake, lambda: lake.put("f", b"new"))
    await backend.delete("f")
    assert lake.files() == {}

    lake.put("f", b"old")
    _before_delete(lake, lambda: lake.put("f", b"new"), once=False)
    with pytest.raises(PreconditionFailed):
        await backend.delete("f")
    assert lake.files() == {"f": b"new"}


async def test_a_delete_that_comes_in_pages_is_gone_through(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The service may answer that it has looked at a part only, and has removed nothing yet."""
    lake.put("a/f", b"f")
    await backend.exists("a")
    sent: list[tuple[str, bool]] = []

    async def after(request: Any, answer: Any) -> Any:
        if request.method == "DELETE":
            sent.append((request.url.partition("?")[2], "If-Match" in request.headers))
            answer.status_code = 200  # the emulator knows no continuation
            if len(sent) < 3:
                answer.headers["x-ms-continuation"] = f"{len(sent)}+/="
        return answer

    lake.transport.after = after
    await backend.delete_folder("a", recursive=True)

    assert sent == [
        ("recursive=true", True),
        ("recursive=true&continuation=1%2B%2F%3D", False),
        ("recursive=true&continuation=2%2B%2F%3D", False),
    ]
    lake.emulator.refused.clear()

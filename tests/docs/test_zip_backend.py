"""The backend of the page about writing one, on archives that others have made."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from remote_store import UNKNOWN_TIME, RemoteStoreError, StoreClosed
from remote_store.aio import AsyncStore

if TYPE_CHECKING:
    from tests.docs.conftest import Block

pytestmark = pytest.mark.asyncio


@pytest.fixture
def zips(
    root: Path,
    tmp_path: Path,
    blocks_of: Callable[..., list[Block]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ModuleType]:
    """The page's module."""
    blocks = blocks_of(root / "docs" / "writing-a-backend.md")
    (text,) = (block.text for block in blocks if block.title == "zip_backend.py")
    (tmp_path / "zip_backend_of_page.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("zip_backend_of_page")


async def test_a_damaged_entry_is_an_error_of_ours(zips: ModuleType, tmp_path: Path) -> None:
    """No native exception leaves the backend, and it stays in the cause."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
    path.write_bytes(path.read_bytes().replace(b"content", b"changed"))
    async with AsyncStore(zips.ZipBackend(path)) as store:
        with pytest.raises(RemoteStoreError) as caught:
            await store.read_bytes("a")

    assert isinstance(caught.value.__cause__, zipfile.BadZipFile)
    assert caught.value.path == "a"


async def test_a_missing_archive_is_an_error_of_ours(zips: ModuleType, tmp_path: Path) -> None:
    """It is told when the backend is built, not as the system's exception."""
    with pytest.raises(RemoteStoreError, match=r"missing\.zip") as caught:
        zips.ZipBackend(tmp_path / "missing.zip")

    assert isinstance(caught.value.__cause__, FileNotFoundError)


async def test_a_closed_backend_refuses(zips: ModuleType, tmp_path: Path) -> None:
    """Whatever is asked, and whatever the path."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"content")
    backend = zips.ZipBackend(tmp_path / "a.zip")
    await backend.aclose()
    for call in (backend.exists, backend.read_bytes, backend.get_file_info, backend.is_folder):
        for path in ("a", "", "../a"):
            with pytest.raises(StoreClosed):
                await call(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_odd_entries_harm_no_listing(zips: ModuleType, tmp_path: Path) -> None:
    """A name that is there twice, an empty one, and a date that is none."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("d/a", b"1")
        archive.writestr("d/a", b"22")
        archive.writestr(zipfile.ZipInfo(""), b"")
        archive.writestr(zipfile.ZipInfo("d/b", (1980, 0, 0, 0, 0, 0)), b"")
    async with AsyncStore(zips.ZipBackend(path)) as store:
        files = [file async for file in store.list_files("", recursive=True)]

        assert [(str(file.path), file.size) for file in files] == [("d/a", 2), ("d/b", 0)]
        assert files[1].modified_at == UNKNOWN_TIME
        assert await store.read_bytes("d/a") == b"22"

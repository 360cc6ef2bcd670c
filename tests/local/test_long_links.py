"""Links to, and below, what no system call takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remote_store import InvalidPath, NotFound
from remote_store_local import AsyncLocalBackend

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("method")]


async def test_links_to_names_that_cannot_be(backend: AsyncLocalBackend, root: Path) -> None:
    """A link to a name that is too long for any file is dangling, and hides nothing else."""
    (root / "d").mkdir()
    (root / "d/ok").write_bytes(b"1")
    (root / "d/long").symlink_to("y" * 300)
    (root / "d/longer").symlink_to("y" * 300 + "/z")
    assert [i.name async for i in backend.list_files("d")] == ["ok"]
    assert [i.name async for i in backend.iter_children("d")] == ["ok"]
    assert (await backend.get_folder_info("")).file_count == 1
    for key in ("d/long", "d/longer"):
        assert not await backend.exists(key)
        with pytest.raises(NotFound):
            await backend.read_bytes(key)
        with pytest.raises(NotFound):
            await backend.delete(key)
        for overwrite in (False, True):
            with pytest.raises(InvalidPath, match="too long"):
                await backend.write(key, b"x", overwrite=overwrite)
        assert not await backend.exists(f"{key}/x")
        assert [i async for i in backend.list_files(key)] == []
        with pytest.raises(NotFound):
            await backend.read_bytes(f"{key}/x")
        with pytest.raises(InvalidPath):
            await backend.write(f"{key}/x", b"x")
    assert sorted(os.listdir(root / "d")) == ["long", "longer", "ok"]


@pytest.mark.parametrize("method", ["walk"], indirect=True)
async def test_links_far_below(backend: AsyncLocalBackend, root: Path) -> None:
    """A link below a path that no system call takes is not called a circle."""
    folder = "/".join(["d" * 200] * 25)
    await backend.write(f"{folder}/f", b"1")
    here = os.open(root, os.O_RDONLY)
    for name in folder.split("/"):
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.symlink("f", "link", dir_fd=here)
    os.symlink(".", "linked", dir_fd=here)
    os.close(here)
    for key in (f"{folder}/link", f"{folder}/linked/f"):
        with pytest.raises(InvalidPath, match="too long"):
            await backend.read_bytes(key)
    await backend.delete_folder("d" * 200, recursive=True)

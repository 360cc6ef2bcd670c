"""Changes of one version on a hierarchical account: what is asked, and who decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.azure.hns.lake import MIB, Lake, pieces

from remote_store import ContentHeaders, InvalidPath, NotFound, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncAzureBackend, Any], Awaitable[Any]]


def _stream() -> Any:
    return pieces(b"x" * 4 * MIB, b"y")


ROWS: dict[str, tuple[Call, int]] = {
    "write": (lambda b, e: b.write("d/a", b"x", if_match=e), 1),
    "write_atomic": (lambda b, e: b.write_atomic("d/a", b"x", if_match=e), 4),
    "stream": (lambda b, e: b.write("d/a", _stream(), if_match=e), 5),
    "delete": (lambda b, e: b.delete("d/a", if_match=e), 2),
    "copy": (lambda b, e: b.copy("d/a", "d/b", if_match=e), 2),
    "move": (lambda b, e: b.move("d/a", "d/b", if_match=e), 2),
}


@pytest.mark.parametrize("row", ROWS)
async def test_one_version_alone(lake: Lake, backend: AsyncAzureBackend, row: str) -> None:
    """Another one stays, with no temporary file beside it; of the right one each costs its due."""
    call, requests = ROWS[row]
    first = (await backend.write("d/a", b"1")).etag
    now = (await backend.write("d/a", b"2", overwrite=True)).etag
    with pytest.raises(PreconditionFailed) as caught:
        await call(backend, first)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d/a", False)
    assert [info.path.as_posix() async for info in backend.list_files("d")] == ["d/a"]
    assert (await backend.get_file_info("d/a")).etag == now
    lake.seen()
    await call(backend, now)
    assert len(lake.seen()) == requests


async def test_the_rename_decides(lake: Lake, backend: AsyncAzureBackend) -> None:
    """What is written between the look and the rename is not lost."""
    now = (await backend.write("d/a", b"1")).etag

    async def slow() -> Any:
        yield b"x" * 4 * MIB
        await backend.write("d/a", b"theirs", overwrite=True)
        yield b"y" * 4 * MIB
        yield b"z"

    with pytest.raises(PreconditionFailed):
        await backend.write("d/a", slow(), if_match=now)
    assert await backend.read_bytes("d/a") == b"theirs"
    assert [info.path.as_posix() async for info in backend.list_files("d")] == ["d/a"]


async def test_a_lost_answer(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A rename recognises its own success; one request that met it says that it may be its own."""
    now = (await backend.write("d/a", b"1")).etag
    lake.emulator.fault("drop_after", method="PUT", query="mode=legacy")
    now = (await backend.write_atomic("d/a", b"2", if_match=now)).etag
    assert now == (await backend.get_file_info("d/a")).etag
    lake.emulator.fault("drop_after", method="PUT")
    with pytest.raises(PreconditionFailed, match="own") as caught:
        await backend.write("d/a", b"3", if_match=now)
    assert caught.value.outcome_unknown
    assert await backend.read_bytes("d/a") == b"3"


@pytest.mark.parametrize("row", ROWS)
async def test_what_is_not_there(lake: Lake, backend: AsyncAzureBackend, row: str) -> None:
    """Missing, a folder, and below a file are three mistakes; no folder is made for them."""
    call, _ = ROWS[row]
    writes = row in ("write", "write_atomic", "stream")
    with pytest.raises(PreconditionFailed if writes else NotFound):
        await call(backend, "0x1")
    assert not await backend.exists("d") or row == "write"
    await backend.write("d/a/inner", b"x")
    with pytest.raises(InvalidPath):
        await call(backend, "0x1")
    await backend.delete_folder("d", recursive=True)
    await backend.write("d", b"a file")
    with pytest.raises(InvalidPath if writes else NotFound):
        await call(backend, "0x1")


@pytest.mark.parametrize("atomic", [False, True])
async def test_headers(lake: Lake, backend: AsyncAzureBackend, atomic: bool) -> None:
    """A temporary file has them from its beginning, and a rename and a copy keep them."""
    given = ContentHeaders(
        content_type="text/csv",
        cache_control="no-store",
        content_encoding="gzip",
        content_disposition='attachment; filename="a.csv"',
    )
    write = backend.write_atomic if atomic else backend.write
    await write("a", b"x", headers=given)
    await backend.copy("a", "b")
    await backend.move("a", "c")
    for name in ("b", "c"):
        assert (await backend.get_file_info(name)).headers == given

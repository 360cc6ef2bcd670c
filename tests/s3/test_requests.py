"""What each operation costs: the table in docs/backends/s3.md."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import pytest
import pytest_asyncio
from attrs import define
from tests.s3.moto import Moto

from remote_store import AlreadyExists, NotFound
from remote_store.aio import AsyncStore
from remote_store_s3 import AsyncS3Backend

pytestmark = pytest.mark.asyncio

MIB = 1 << 20


@define
class Counting:
    """A backend, and what the server was asked since the last look."""

    moto: Moto
    backend: AsyncS3Backend
    seen: int = 0

    def methods(self) -> list[str]:
        """Return the methods of the requests since the last call."""
        all_of_them = self.moto.requests()
        new, self.seen = all_of_them[self.seen :], len(all_of_them)
        return [method for method, _, _ in new]


@pytest_asyncio.fixture
async def s3(moto: Moto, bucket: str) -> AsyncGenerator[Counting, None]:
    """A backend that is told what AWS can do."""
    options = {"conditional_copy": True, "conditional_delete": True, **moto.options}
    counting = Counting(moto, AsyncS3Backend(bucket, **options))
    counting.methods()
    yield counting
    await counting.backend.aclose()


async def _stream(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, MIB):
        yield b"x" * min(MIB, size - start)


async def test_small_operations_are_one_request(s3: Counting) -> None:
    """Bytes, a short stream, reads, questions, copies, deletions: exclusive or not."""
    b = s3.backend
    await b.write("f/a", b"1")
    assert s3.methods() == ["PUT"]
    await b.write("f/a", b"x" * (8 * MIB), overwrite=True)
    assert s3.methods() == ["PUT"]
    await b.write("f/b", _stream(4 * MIB))
    assert s3.methods() == ["PUT"]
    with pytest.raises(AlreadyExists):
        await b.write_atomic("f/b", b"2")
    assert s3.methods() == ["PUT"]
    assert len(await b.read_bytes("f/b")) == 4 * MIB
    assert s3.methods() == ["GET"]
    store = AsyncStore(b)
    assert len(await store.read_range("f/b", MIB, length=9)) == 9
    assert s3.methods() == ["GET"]
    assert len(await store.read_ranges("f/b", [(0, 9), (MIB, MIB + 9)])) == 2
    assert s3.methods() == ["HEAD", "GET", "GET"]
    assert len(await store.read_range("f/b", -9)) == 9
    assert s3.methods() == ["HEAD", "GET"]
    assert (await b.get_file_info("f/b")).size == 4 * MIB
    assert s3.methods() == ["HEAD"]
    assert await b.is_file("f/b")
    assert s3.methods() == ["HEAD"]
    await b.copy("f/b", "f/c")
    assert s3.methods() == ["PUT"]
    await b.copy("f/b", "f/c", overwrite=True)
    assert s3.methods() == ["PUT"]
    await b.delete("f/c")
    assert s3.methods() == ["DELETE"]
    await b.check_health()
    assert s3.methods() == ["GET"]
    with pytest.raises(NotFound):
        await b.delete("f/c")
    assert s3.methods()[0] == "DELETE"


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_move_is_three_requests(overwrite: bool, s3: Counting) -> None:
    """A look, a copy of that version, the deletion of that version."""
    await s3.backend.write("a", b"1")
    s3.methods()
    await s3.backend.move("a", "b", overwrite=overwrite)
    assert s3.methods() == ["HEAD", "PUT", "DELETE"]


async def test_a_stream_of_parts(s3: Counting) -> None:
    """Its beginning, each part, its commit; an exclusive one looks before it sends any."""
    await s3.backend.write("a", _stream(12 * MIB), overwrite=True)
    assert s3.methods() == ["POST", "PUT", "PUT", "PUT", "POST"]
    await s3.backend.write("b", _stream(12 * MIB))
    assert s3.methods() == ["HEAD", "POST", "PUT", "PUT", "PUT", "POST"]
    with pytest.raises(AlreadyExists):
        await s3.backend.write("b", _stream(12 * MIB))
    assert s3.methods() == ["HEAD"]
    read = [len(piece) async for piece in s3.backend.read("b")]
    assert s3.methods() == ["GET"]
    assert sum(read) == 12 * MIB


async def test_five_hundred_files_are_one_page_and_one_batch(s3: Counting) -> None:
    """Listing and deleting them."""
    for number in range(500):
        await s3.backend.write(f"f/{number % 7}/{number}", b"")
    s3.methods()
    found = [info async for info in s3.backend.list_files("f", recursive=True)]
    assert s3.methods() == ["GET"]
    assert len(found) == 500
    await s3.backend.delete_folder("f", recursive=True)
    assert s3.methods() == ["GET", "POST"]
    assert not await s3.backend.exists("f")


async def test_five_hundred_files_by_name_are_one_page_and_one_batch(s3: Counting) -> None:
    """What the page does not show takes what a single deletion takes."""
    names = [f"f/{number % 7}/{number}" for number in range(500)]
    for name in names:
        await s3.backend.write(name, b"")
    s3.methods()
    store = AsyncStore(s3.backend)
    found = await store.delete_many([*names, "f/none"])
    assert found is not None
    assert s3.methods() == ["GET", "POST", "DELETE", "GET"]
    assert [type(error) for error in found] == [type(None)] * 500 + [NotFound]
    assert not await s3.backend.exists("f")


@pytest.mark.long
@pytest.mark.slow
async def test_a_page_has_a_thousand_entries(s3: Counting) -> None:
    """Each further thousand is one request."""
    for number in range(1001):
        await s3.backend.write(f"f/{number}", b"")
    s3.methods()
    assert len([info async for info in s3.backend.list_files("f")]) == 1001
    assert s3.methods() == ["GET", "GET"]


async def test_what_elsewhere_than_aws_costs_more(moto: Moto, bucket: str) -> None:
    """Without conditions of copies and deletions nothing is pretended: more is asked."""
    counting = Counting(moto, AsyncS3Backend(bucket, **moto.options))
    await counting.backend.write("a", b"1")
    counting.methods()
    await counting.backend.copy("a", "b")
    assert len(counting.methods()) <= 6
    with pytest.raises(AlreadyExists):
        await counting.backend.copy("a", "b")
    counting.methods()
    await counting.backend.delete("b")
    assert counting.methods() == ["HEAD", "DELETE"]
    with pytest.raises(NotFound):
        await counting.backend.delete("b")
    await counting.backend.aclose()

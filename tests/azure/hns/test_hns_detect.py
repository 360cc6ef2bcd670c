"""Whether an account is found to be hierarchical, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.azure.hns.lake import FS, Lake, collected
from tests.emulator.defects import DEFECTS

from remote_store import (
    BackendUnavailable,
    Capability,
    InvalidPath,
    PermissionDenied,
    StoreClosed,
)
from remote_store.aio import open_store

pytestmark = pytest.mark.asyncio


@pytest.fixture
def silent() -> Iterator[None]:
    """The account leaves out what tells its kind."""
    with DEFECTS["hns-flag-missing"].in_force():
        yield


SILENT = pytest.mark.usefixtures("silent")


async def test_the_account_is_asked_once(lake: Lake) -> None:
    """By whichever operation comes first, and by many at the same time once."""
    backend = lake.backend(hns=None)
    await asyncio.gather(*(backend.exists("a") for _ in range(10)))
    await backend.write("d/f", b"")

    asked = [s for s in lake.seen() if "comp=properties" in s]
    assert asked == ["GET blob  restype=account&comp=properties 200"]
    assert await backend.is_folder("d")
    await backend.delete("d/f")
    assert await backend.is_folder("d"), "a real folder stays"
    await backend.aclose()


@pytest.mark.parametrize("hns", [True, False])
async def test_who_knows_it_saves_the_question(lake: Lake, hns: bool) -> None:
    """With hns= nothing is asked for."""
    backend = lake.backend(hns=hns)
    await backend.is_file("a")
    assert lake.seen() == ["HEAD blob /a  404"]
    await backend.aclose()


@SILENT
async def test_an_account_that_does_not_tell_is_known_by_its_listing(lake: Lake) -> None:
    """Or, where nothing is listed, by its access control lists."""
    backend = lake.backend(hns=None)
    lake.mkdir("d")
    assert await backend.is_folder("d")
    assert any("comp=list" in s for s in lake.seen())
    await backend.aclose()

    lake.remove("d")
    empty = lake.backend(hns=None)
    await empty.write_atomic("f", b"")
    assert any(s.startswith("HEAD dfs") and "getAccessControl" in s for s in lake.seen())
    assert "d" not in lake.folders()
    await empty.aclose()


@SILENT
async def test_an_absent_container_is_not_remembered(lake: Lake) -> None:
    """What it is in is found out once it is there."""
    lake.blobs.delete_container()
    backend = lake.backend(hns=None)
    assert not await backend.exists("a")
    assert await collected(backend.list_files("")) == []

    lake.emulator.create_filesystem(FS)
    await backend.write_atomic("d/f", b"x")
    assert lake.folders() == {"d"}
    await backend.aclose()


async def test_a_service_that_does_not_answer_is_not_remembered(lake: Lake) -> None:
    """The next operation asks again."""
    backend = lake.backend(hns=None)
    lake.emulator.fault("drop_before", query="comp=properties", times=3)
    with pytest.raises(BackendUnavailable):
        await backend.exists("a")

    await backend.write_atomic("d/f", b"x")
    assert lake.folders() == {"d"}
    await backend.aclose()


async def test_who_may_ask_nothing_is_told_what_to_pass(lake: Lake) -> None:
    """Never taken for a flat account."""
    backend = lake.backend(
        hns=None,
        connection_string=None,
        account_url=lake.emulator.blob_url,
        account_key="d3Jvbmc=",
    )
    with pytest.raises(PermissionDenied, match="hns="):
        await backend.exists("a")
    await backend.aclose()


async def test_a_connected_backend_moves_atomically(lake: Lake) -> None:
    """The one that was built before stays as it was; the connections are the same."""
    backend = lake.backend(hns=None)
    assert Capability.ATOMIC_MOVE not in backend.capabilities

    one, other = await asyncio.gather(backend.connected(), backend.connected())
    assert one is other
    assert await backend.connected() is one
    assert await one.connected() is one
    assert Capability.ATOMIC_MOVE in one.capabilities
    assert Capability.ATOMIC_MOVE not in backend.capabilities
    assert len(lake.transports) == 1
    assert [s for s in lake.seen() if "comp=properties" in s] == [
        "GET blob  restype=account&comp=properties 200"
    ]

    await one.aclose()
    for closed in (one, backend):
        with pytest.raises(StoreClosed):
            await closed.exists("a")
        with pytest.raises(StoreClosed):
            await closed.connected()


async def test_a_backend_that_knows_connects_to_itself(lake: Lake) -> None:
    """There is nothing to find out."""
    for hns in (True, False):
        backend = lake.backend(hns=hns)
        assert await backend.connected() is backend
        assert (Capability.ATOMIC_MOVE in backend.capabilities) == hns
        await backend.aclose()
    assert lake.seen() == []


@SILENT
async def test_a_backend_of_an_absent_container_connects_to_itself(lake: Lake) -> None:
    """It may still become either kind."""
    lake.blobs.delete_container()
    backend = lake.backend(hns=None)
    assert await backend.connected() is backend

    lake.emulator.create_filesystem(FS)
    assert Capability.ATOMIC_MOVE in (await backend.connected()).capabilities
    await backend.aclose()


async def test_an_opened_store_knows_its_account(lake: Lake) -> None:
    """The openers ask before the store is built."""
    options: dict[str, Any] = {
        "connection_string": lake.emulator.path_style_connection_string,
    }
    async with open_store(f"azure://{FS}/root", **options) as store:
        assert store.supports(Capability.ATOMIC_MOVE)
        await store.write("f", b"f")
    assert lake.files() == {"root/f": b"f"}


@pytest.mark.parametrize("hns", [True, None])
async def test_no_url_of_another_file_is_signed(lake: Lake, hns: bool | None) -> None:
    """The service drops dots at the end of names; the kind is asked for where there are some."""
    backend = lake.backend(hns=hns)
    hour = timedelta(hours=1)
    assert "/lake/a.b?" in await backend.signed_url("a.b", expires=hour, method="PUT")
    assert lake.seen() == []
    for key, method in (("a.", "PUT"), ("d./a", "GET"), ("a..", "GET")):
        with pytest.raises(InvalidPath, match="ends in a dot"):
            await backend.signed_url(key, expires=hour, method=method)
    assert len(lake.seen()) == (0 if hns else 1)
    flat = lake.backend(hns=False)
    assert "/lake/a.?" in await flat.signed_url("a.", expires=hour)
    await flat.aclose()
    await backend.aclose()

"""Folders that are made on a hierarchical account: requests, what is in the way, lost answers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.azure.hns.lake import FS, Lake

from hns_emulator import HnsEmulator
from remote_store import (
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    StoreClosed,
)
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio


async def test_it_is_one_request_and_two_where_one_is(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The folders above come with it; one that is there stays the version that it was."""
    await backend.create_folder("a/b/c")
    assert lake.seen() == ["PUT dfs /a/b/c resource=directory 201"]
    assert lake.folders() == {"a", "a/b", "a/b/c"}
    etag = lake.paths.get_directory_client("a/b/c").get_directory_properties().etag
    lake.put("a/b/c/f", b"x")
    for key in ("a", "a/b/c"):
        await backend.create_folder(key)
        assert lake.seen() == [f"PUT dfs /{key} resource=directory 409", f"HEAD blob /{key}  200"]
    assert lake.paths.get_directory_client("a/b/c").get_directory_properties().etag == etag
    assert lake.files() == {"a/b/c/f": b"x"}


async def test_a_file_in_the_way(lake: Lake, backend: AsyncAzureBackend) -> None:
    """At the path or above it; names that the service would change are refused before."""
    lake.put("f", b"x")
    for key in ("f", "f/a", "f/a/b"):
        with pytest.raises(InvalidPath) as caught:
            await backend.create_folder(key)
        assert (caught.value.path, caught.value.status) == (key, 409)
        assert not caught.value.outcome_unknown
    assert lake.seen()
    for key in ("a.", "a./b", ".~tmp.a", "../up", "/a"):
        with pytest.raises(InvalidPath):
            await backend.create_folder(key)
    assert lake.seen() == []
    assert (lake.files(), lake.folders()) == ({"f": b"x"}, set())


async def test_the_root(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Where the container is, it is there; where not, the error names it."""
    for key in ("", "."):
        await backend.create_folder(key)
    assert [line.split()[:2] for line in lake.seen()] == [["GET", "blob"]] * 2
    lake.paths.delete_file_system()
    for key in ("", "a", "a/b"):
        with pytest.raises(NotFound, match=FS):
            await backend.create_folder(key)
    lake.emulator.create_filesystem(FS)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "busy"])
async def test_a_lost_answer(lake: Lake, backend: AsyncAzureBackend, kind: Any) -> None:
    """Whoever made it, it is there: that is success."""
    lake.emulator.fault(kind, method="PUT")
    await backend.create_folder("a/b")
    assert lake.folders() == {"a", "a/b"}


async def test_what_comes_and_goes(lake: Lake, backend: AsyncAzureBackend) -> None:
    """What refused the folder and is gone again is met once more; in the end that is told."""
    await backend.exists("x")
    lake.seen()

    def come(always: bool) -> None:
        async def before(request: Any) -> None:
            if "resource=directory" in request.url:
                lake.put("a", b"x")
            elif request.method == "HEAD" and request.url.endswith("/a"):
                lake.remove("a")
                if not always:
                    lake.transport.before = None

        lake.transport.before = before

    come(always=False)
    await backend.create_folder("a")
    assert lake.folders() == {"a"}
    lake.remove("a")
    come(always=True)
    with pytest.raises(PreconditionFailed, match="again and again"):
        await backend.create_folder("a")
    lake.transport.before = None
    assert (lake.files(), lake.folders()) == ({}, set())


async def test_who_may_not_look(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Something is there, and nobody says what: it is neither success nor somebody's file."""
    lake.mkdir("a")

    async def forbid(request: Any, answer: Any) -> Any:
        if request.method == "HEAD":
            answer.status_code = 403
            answer.headers["x-ms-error-code"] = "AuthorizationPermissionMismatch"
        return answer

    await backend.exists("x")
    lake.transport.after = forbid
    with pytest.raises(PermissionDenied):
        await backend.create_folder("a")


async def test_who_declares_it(lake: Lake) -> None:
    """Who knows that the account is hierarchical; who finds it out with the first call makes it."""
    asked = lake.backend(hns=None)
    assert Capability.CREATE_FOLDER not in asked.capabilities
    with pytest.raises(CapabilityNotSupported, match="create_folder"):
        await AsyncStore(asked, owns_backend=False).create_folder("a")
    await asked.create_folder("a")
    found = await asked.connected()
    assert Capability.CREATE_FOLDER in found.capabilities
    await AsyncStore(found, owns_backend=False).create_folder("b")
    assert lake.folders() == {"a", "b"}
    await asked.aclose()
    with pytest.raises(StoreClosed):
        await asked.create_folder("../a")


async def test_a_flat_account(emulator: HnsEmulator) -> None:
    """Without a request: folders are there only as prefixes."""
    backend = AsyncAzureBackend(FS, account_name="nobody", account_key="a2V5", hns=False)
    assert Capability.CREATE_FOLDER not in backend.capabilities
    with pytest.raises(CapabilityNotSupported, match="only through the files"):
        await backend.create_folder("a")
    await backend.aclose()

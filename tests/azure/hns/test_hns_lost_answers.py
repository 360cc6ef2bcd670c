"""An answer that gets lost: an operation recognises its own success, and hides no doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.azure.hns.lake import Lake, pieces

from remote_store import AlreadyExists, NotFound, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

Act = Callable[[AsyncAzureBackend], Awaitable[Any]]

OLD = {"a/f": b"old", "a/g": b"g"}
NEW = b"new" * 100
SMALL = {"max_block_size": 100, "max_single_put_size": 100}

#: What is done, and what it leaves. What creates in one request cannot tell its own file.
ACTS: dict[str, tuple[Act, dict[str, bytes]]] = {
    "bytes": (lambda b: b.write("a/f", b"new", overwrite=True), {**OLD, "a/f": b"new"}),
    "atomic": (lambda b: b.write_atomic("a/f", b"new", overwrite=True), {**OLD, "a/f": b"new"}),
    "atomic new": (lambda b: b.write_atomic("n/f", b"new"), {**OLD, "n/f": b"new"}),
    "empty": (lambda b: b.write_atomic("a/f", b"", overwrite=True), {**OLD, "a/f": b""}),
    "stream": (lambda b: b.write("a/f", pieces(NEW), overwrite=True), {**OLD, "a/f": NEW}),
    "stream new": (lambda b: b.write("n/f", pieces(NEW)), {**OLD, "n/f": NEW}),
    "move": (lambda b: b.move("a/g", "a/f", overwrite=True), {"a/f": b"g"}),
    "move new": (lambda b: b.move("a/g", "n/f"), {"a/f": b"old", "n/f": b"g"}),
    "copy": (lambda b: b.copy("a/g", "a/f", overwrite=True), {**OLD, "a/f": b"g"}),
    "delete": (lambda b: b.delete("a/f"), {"a/g": b"g"}),
    "delete folder": (lambda b: b.delete_folder("a", recursive=True), {}),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "busy"])
@pytest.mark.parametrize("act", ACTS)
async def test_it_succeeds_whichever_request_is_hit(lake: Lake, act: str, kind: Any) -> None:
    """Each of its requests once, before and after it took effect."""
    call, new = ACTS[act]
    backend = lake.backend(client_options=SMALL)
    number = 0
    while True:
        number += 1
        for key in lake.files():
            lake.remove(key)
        for key, content in OLD.items():
            lake.put(key, content)
        lake.emulator.fault(kind, nth=number)

        result = await call(backend)

        hit = any(r.status in (0, 503) for r in lake.emulator.requests)
        lake.emulator.clear()
        assert lake.files() == new, number
        if result is not None:
            path = result.path.as_posix()
            assert result.etag == (await backend.get_file_info(path)).etag
        if not hit:
            break
    assert number > 1
    # What a flush that took effect is answered when it comes again, nobody recorded.
    assert set(lake.emulator.unverified) <= {"append below the committed length"}
    lake.emulator.unverified.clear()
    await backend.aclose()


@pytest.mark.parametrize(
    "call",
    [
        lambda b: b.write("n", b"new", metadata={"k": "v"}),
        lambda b: b.write_atomic("n", b"", metadata={"k": "v"}),
        lambda b: b.copy("a/g", "n"),
    ],
)
async def test_what_creates_in_one_request_says_that_it_may_be_its_own(
    lake: Lake, backend: AsyncAzureBackend, call: Act
) -> None:
    """AlreadyExists with outcome_unknown, never success and never somebody else's."""
    lake.put("a/g", b"g")
    lake.emulator.fault("drop_after", method="PUT")

    with pytest.raises(AlreadyExists) as caught:
        await call(backend)
    assert caught.value.outcome_unknown
    assert "n" in lake.files()


@pytest.mark.parametrize(
    "call",
    [
        lambda b: b.write("n", b"new"),
        lambda b: b.write_atomic("n", b""),
        lambda b: b.write_atomic("n", b"new"),
        lambda b: b.write("n", pieces(b"new")),
        lambda b: b.copy("a/g", "n"),
        lambda b: b.move("a/g", "n"),
    ],
)
async def test_somebody_elses_file_is_known_as_such(
    lake: Lake, backend: AsyncAzureBackend, call: Act
) -> None:
    """A request that got no answer did not make what differs from its own."""
    lake.put("a/g", b"g")
    lake.put("n", b"another's", {"of": "another"})
    lake.emulator.fault("drop_before", method="PUT")
    lake.emulator.fault("drop_after", query="mode=legacy")

    with pytest.raises(AlreadyExists) as caught:
        await call(backend)
    assert not caught.value.outcome_unknown
    assert lake.files() == {"a/g": b"g", "n": b"another's"}


async def test_a_rename_that_was_done_and_overwritten_is_in_doubt(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The temporary file is gone, and the target holds something else."""
    await backend.exists("a")

    def after_rename(act: Callable[[], None]) -> None:
        async def before(request: Any) -> None:
            # The second attempt: the first was carried out.
            if "mode=legacy" in request.url and any(r.status == 0 for r in lake.emulator.requests):
                lake.transport.before = None
                act()

        lake.transport.before = before

    for call, cls in (
        (lambda: backend.write_atomic("n", b"mine", overwrite=True), PreconditionFailed),
        (lambda: backend.move("s", "n", overwrite=True), NotFound),
    ):
        lake.put("s", b"mine")
        lake.emulator.fault("drop_after", query="mode=legacy")
        after_rename(lambda: lake.put("n", b"another's"))
        with pytest.raises(cls) as caught:
            await call()
        assert caught.value.outcome_unknown
        assert lake.files()["n"] == b"another's"


async def test_a_move_whose_source_is_made_anew_is_still_its_own(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The destination has the version that was to be moved."""
    lake.put("s", b"moved")
    await backend.exists("a")
    lake.emulator.fault("drop_after", query="mode=legacy")

    async def before(request: Any) -> None:
        if "mode=legacy" in request.url and any(r.status == 0 for r in lake.emulator.requests):
            lake.transport.before = None
            lake.put("s", b"another")

    lake.transport.before = before
    await backend.move("s", "n")
    assert lake.files() == {"s": b"another", "n": b"moved"}


async def test_a_delete_in_doubt_says_so(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A file that is there again after an attempt without an answer is not removed."""
    lake.put("f", b"old")
    await backend.exists("a")
    lake.emulator.fault("drop_after", method="DELETE")

    async def before(request: Any) -> None:
        if request.method == "DELETE" and any(r.status == 0 for r in lake.emulator.requests):
            lake.transport.before = None
            lake.put("f", b"new")

    lake.transport.before = before
    with pytest.raises(PreconditionFailed) as caught:
        await backend.delete("f")
    assert caught.value.outcome_unknown
    assert lake.files() == {"f": b"new"}

"""CONC: what another client changes."""

from __future__ import annotations

from typing import Any

from remote_store import Capability, NotFound, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.kinds import Trait
from remote_store_conformance.contract.trial import Trial, collect

C = Capability


@clause(
    "CONC-008",
    "A backend sees what another client of the storage has changed, however often it has looked "
    "before.",
    intent="A cache inside a backend makes every program on the machine disagree with the storage.",
    requires=[C.WRITE, C.DELETE],
    only=[Trait.PERSISTENT],
)
async def sees_others(t: Trial) -> None:
    other = t.store_over(await t.another())
    folder = t.name("folder")
    path = f"{folder}/file"
    # Something that stays, so that the folder is there from beginning to end.
    await other.write(f"{folder}/stays", b"stays")
    for number, content in enumerate((None, b"one", b"two", None, b"longer than before")):
        if content is not None:
            await other.write(path, content, overwrite=True)
            await other.write(f"{folder}/sub/file", content, overwrite=True)
        elif number:
            await other.delete(path)
            await other.delete_folder(f"{folder}/sub", recursive=True)
        # A client that has never looked before shows what there is to see.
        expected = await _seen(t, t.store_over(await t.another()), folder, path)

        async def agrees(expected: dict[str, Any] = expected) -> bool:
            return await _seen(t, t.store, folder, path) == expected

        # What is remembered may be so from the second look on.
        for look in (1, 2):
            if t.target.consistency:
                await t.eventually(agrees, "another client's change is seen")
            found = await _seen(t, t.store, folder, path)
            wrong = sorted(what for what, told in found.items() if told != expected[what])
            expect(
                not wrong,
                f"look {look} after another client's change {number} does not show it: "
                + ", ".join(wrong),
                observed={what: found[what] for what in wrong},
                expected={what: expected[what] for what in wrong},
            )
    # What this client has made once, another may have removed.
    await t.store.write(f"{folder}/made/first", b"x")
    await other.delete_folder(f"{folder}/made", recursive=True)
    error: RemoteStoreError | None = None
    try:
        await t.store.write(f"{folder}/made/second", b"x")
    except RemoteStoreError as raised:
        error = raised
    expect(
        error is None,
        "a write into a folder that another client has removed failed",
        observed=repr(error),
        expected="the folder is made again",
    )


async def _seen(t: Trial, store: AsyncStore, folder: str, path: str) -> dict[str, Any]:
    """Return everything that can be seen of a file and of its folder."""
    seen: dict[str, Any] = {
        "exists": await store.exists(path),
        "is_file": await store.is_file(path),
        "is_folder": await store.is_folder(f"{folder}/sub"),
    }
    try:
        if t.declares(C.READ):
            seen["content"] = await store.read_bytes(path)
        if t.declares(C.METADATA):
            info = await store.get_file_info(path)
            seen["info"] = (info.size, info.etag, info.modified_at)
    except NotFound:
        seen["content"] = seen["info"] = None
    if t.declares(C.METADATA):
        whole = await store.get_folder_info(folder)
        seen["sum"] = (whole.file_count, whole.total_size)
    if t.declares(C.LIST):
        files = await collect(store.list_files(folder))
        seen["listing"] = sorted((file.name, file.size) for file in files)
        folders = await collect(store.list_folders(folder))
        seen["folders"] = sorted(found.name for found in folders)
        children = await collect(store.iter_children(folder))
        seen["children"] = sorted(child.name for child in children)
    if t.declares(C.GLOB):
        seen["glob"] = sorted(f.name for f in await collect(store.glob(f"{folder}/*")))
    return seen

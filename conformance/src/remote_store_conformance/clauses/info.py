"""INFO: information about files and folders."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from remote_store import (
    UNKNOWN_TIME,
    Capability,
    FileInfo,
    FolderInfo,
    InvalidPath,
    NotFound,
    RemotePath,
)
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.contents import check_digest, contents, twin
from remote_store_conformance.tools.zones import far_from_utc

C = Capability


async def _info(t: Trial, path: str) -> FileInfo:
    info: object = await t.backend.get_file_info(t.key(path))
    expect(isinstance(info, FileInfo), "get_file_info does not return a FileInfo", observed=info)
    return await t.store.get_file_info(path)


@clause(
    "INFO-001",
    "get_file_info returns path, name and size of a file, and head returns the same.",
    intent="Size and name are what every program asks for.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def path_name_size(t: Trial) -> None:
    folder = t.name("folder")
    for number, given in enumerate(contents(t)):
        name, content = f"a b%20 {number}.txt", given.data
        path = await t.seed_file(f"{folder}/{name}", content)
        info = await _info(t, path)
        seen = (info.path, info.name, info.size)
        expected = (RemotePath(path), name, len(content))
        expect(
            seen == expected,
            f"get_file_info returns another path, name or size of {given}",
            observed=seen,
            expected=expected,
        )
        check_digest(f"get_file_info of {given}", info.digest, content)
        head = await t.store.head(path)
        told = (head.path, head.size, head.etag, head.digest)
        expect(
            told == (info.path, info.size, info.etag, info.digest),
            "two answers about an unchanged file differ",
            observed=told,
            expected=(info.path, info.size, info.etag, info.digest),
        )


@clause(
    "INFO-002",
    "modified_at is an aware UTC time, whatever the zone of the process, and that of the last "
    "write.",
    intent="A naive or local time is off by hours on somebody else's machine.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def modified_at(t: Trial) -> None:
    # The clock of a service is not this machine's; time zones are off by more.
    tolerance = timedelta(seconds=3 if t.is_a(Trait.LOCAL) else 600)
    path = t.name()
    with far_from_utc():
        before = datetime.now(UTC) - tolerance
        await t.seed_file(path)
        after = datetime.now(UTC) + tolerance
        time = (await _info(t, path)).modified_at
    expect(
        isinstance(time, datetime) and time.utcoffset() == timedelta(0),
        "modified_at is no aware UTC time",
        observed=repr(time),
        expected="a datetime in UTC",
    )
    if time == UNKNOWN_TIME:
        t.advise("modified_at is unknown: programs cannot distinguish new files from old ones")
        return
    expect(
        before <= time <= after,
        "modified_at is not the time of the write",
        observed=time.isoformat(),
        expected=f"{before.isoformat()} to {after.isoformat()}",
    )
    # Many services give whole seconds, and some formats every second one.
    for seconds in (0.02,) if time.microsecond else (1.1, 1.1):
        await asyncio.sleep(seconds)
        await t.seed_file(path, b"written again")
        later = (await _info(t, path)).modified_at
        if later > time:
            break
    expect(
        later > time,
        "modified_at is not the time of the last write: it did not move with it",
        observed=later.isoformat(),
        expected=f"later than {time.isoformat()}",
    )


@clause(
    "INFO-003",
    "get_file_info of a missing path, or of one that runs through a file, raises NotFound.",
    intent="Absence has one error, on every backend.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def missing(t: Trial) -> None:
    path = await t.seed_file(t.name("file"))
    for what, absent in (
        ("a missing file", t.name("missing")),
        ("a file in a missing folder", f"{t.name('missing')}/file"),
        ("a path through a file", f"{path}/below"),
    ):
        with raises(NotFound, f"by get_file_info of {what}", contains=absent):
            await t.store.get_file_info(absent)


@clause(
    "INFO-004",
    "get_file_info of a folder raises InvalidPath.",
    intent="A folder has no size and no version.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def folder_is_no_file(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/inner/file")
    for path in (folder, f"{folder}/inner"):
        with raises(InvalidPath, "by get_file_info of a folder", contains=path):
            await t.store.get_file_info(path)


@clause(
    "INFO-005",
    "An ETag is another for every content, however it came there, stays while nothing is written, "
    "and has no quotes.",
    intent="Caches and conditional requests trust it, also within one tick of the clock.",
    requires=[C.METADATA, C.WRITE],
)
async def etags(t: Trial) -> None:
    path, other = t.name(), t.name("other")
    ways = {"write": True, "write_atomic": t.declares(C.ATOMIC_WRITE)}
    ways |= {"copy": t.declares(C.COPY), "move": t.declares(C.MOVE)}
    declared = [way for way, there in ways.items() if there]
    seen: dict[str, str] = {}
    for number, way in enumerate(way for way in declared for _ in range(10)):
        content = b"version %4d" % number
        if way in ("copy", "move"):
            await t.store.write(other, content, overwrite=True)
            await getattr(t.store, way)(other, path, overwrite=True)
        else:
            await getattr(t.store, way)(path, content, overwrite=True)
        etag: object = (await _info(t, path)).etag
        if etag is None:
            t.advise("files have no ETag: programs cannot see that a file was replaced")
            return
        again = (await t.store.get_file_info(path)).etag
        expect(
            etag == again,
            "the ETag of an unchanged file changes",
            observed=again,
            expected=etag,
        )
        expect(
            isinstance(etag, str) and etag and '"' not in etag,
            "an ETag is not the bare token",
            observed=repr(etag),
            expected="a str without quotes",
        )
        expect(
            etag not in seen,
            "two versions of equal size, one after the other, have one ETag",
            observed=f"{etag} for version {seen.get(str(etag))} and version {number} by {way}",
        )
        seen[str(etag)] = f"{number} by {way}"
    await _differ_by_a_byte(t, path)


async def _differ_by_a_byte(t: Trial, path: str) -> None:
    """State that one byte makes another ETag, wherever it is, also in the last of many parts."""
    for content in contents(t):
        versions = [content]
        if content.data:
            versions += [
                twin(content),
                twin(content, at=0),
                twin(content, at=len(content.data) // 2),
            ]
        seen: dict[str | None, str] = {}
        for version in versions:
            for form, given in version.forms:
                await t.store.write(path, given, overwrite=True)
                etag = (await t.store.get_file_info(path)).etag
                # A token made of the content alone is the same for the same content.
                expect(
                    seen.setdefault(etag, version.name) == version.name,
                    f"versions of {len(version.data)} bytes that differ in one have one ETag",
                    observed=f"{etag} for {seen[etag]!r} and for {form!r}",
                    expected="an ETag for each content",
                )


@clause(
    "INFO-006",
    "get_folder_info adds up all files below a folder, at every depth, and nothing beside it.",
    intent="Backups and quotas are planned by these numbers.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def folder_sums(t: Trial) -> None:
    folder = t.name("folder")
    sizes = {"one": 1, "sub/two": 20, "sub/deep/three": 300, "sub/deep/four": 4_000}
    for name, size in sizes.items():
        await t.seed_file(f"{folder}/{name}", b"x" * size)
    await t.seed_file(f"{folder}x/beside", b"beside")
    await t.seed_file(f"{folder}.txt", b"beside")
    for path, prefix in ((folder, ""), (f"{folder}/sub", "sub/"), (f"{folder}/sub/deep", "sub/d")):
        counted = [size for name, size in sizes.items() if name.startswith(prefix)]
        info: object = await t.store.get_folder_info(path)
        expect(
            isinstance(info, FolderInfo),
            "get_folder_info does not return a FolderInfo",
            observed=info,
        )
        seen = (getattr(info, "file_count", None), getattr(info, "total_size", None))
        expect(
            seen == (len(counted), sum(counted)),
            "get_folder_info counts other files or bytes than lie below the folder",
            observed=seen,
            expected=(len(counted), sum(counted)),
        )
        times = [
            (await t.store.get_file_info(f"{folder}/{name}")).modified_at
            for name in sizes
            if name.startswith(prefix)
        ]
        known = [time for time in times if time != UNKNOWN_TIME]
        latest = getattr(info, "modified_at", None)
        expect(
            latest == max(known, default=None),
            "the time of a folder is not the latest of its files",
            observed=latest,
            expected=max(known, default=None),
        )


@clause(
    "INFO-007",
    "The root of a store answers like any folder, under the path '.'.",
    intent="Programs walk from the root.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def root_info(t: Trial) -> None:
    await t.seed_file(t.name("file"), b"12345")
    await t.seed_file(f"{t.name('folder')}/file", b"678")
    for spelling in ("", "."):
        info = await t.store.get_folder_info(spelling)
        seen = (info.path, info.file_count, info.total_size)
        expect(
            seen == (RemotePath.ROOT, 2, 8),
            "get_folder_info of the root returns another path, count or size",
            observed=seen,
            expected=(RemotePath.ROOT, 2, 8),
        )
        found = (await t.store.exists(spelling), await t.store.is_folder(spelling))
        expect(found == (True, True), "the root of a store is not a folder", observed=found)
    if t.target.environment != "live":
        # The whole of a live account may take hours to add up.
        whole = await t.backend.get_folder_info("")
        expect(
            whole.path == RemotePath.ROOT and whole.file_count >= 2,
            "get_folder_info of the backend's own root is wrong",
            observed=whole,
            expected="path '.', and at least 2 files",
        )


@clause(
    "INFO-008",
    "exists, is_file and is_folder distinguish files, folders and nothing.",
    intent="Every decision of a program starts with them.",
    needs=[Need.SEED],
)
async def truth_table(t: Trial) -> None:
    folder = t.name("folder")
    path = await t.seed_file(f"{folder}/sub/file.txt")
    for what, asked, expected in (
        ("a file", path, (True, True, False)),
        ("a folder", folder, (True, False, True)),
        ("a folder in a folder", f"{folder}/sub", (True, False, True)),
        ("a path through a file", f"{path}/below", (False, False, False)),
        ("the beginning of a file's name", f"{folder}/sub/file", (False, False, False)),
        ("the beginning of a folder's name", f"{folder}/su", (False, False, False)),
        ("a longer name", f"{path}x", (False, False, False)),
        ("a missing name", t.name("missing"), (False, False, False)),
        ("a missing name in a missing folder", f"{t.name('no')}/file", (False, False, False)),
    ):
        store = t.store
        found: tuple[Any, ...] = (
            await store.exists(asked),
            await store.is_file(asked),
            await store.is_folder(asked),
        )
        expect(
            found == expected and all(type(answer) is bool for answer in found),
            f"exists, is_file and is_folder are wrong about {what}",
            observed=found,
            expected=expected,
        )


@clause(
    "INFO-009",
    "A folder stays when its last file is deleted: it exists, is listed, and counts nothing.",
    intent="Folders are real there; a program that made one finds it again.",
    requires=[C.METADATA, C.DELETE],
    needs=[Need.SEED],
    only=[Trait.HIERARCHICAL],
)
async def empty_folder(t: Trial) -> None:
    folder = t.name("folder")
    path = await t.seed_file(f"{folder}/file")
    await t.store.delete(path)
    there = await t.store.is_folder(folder)
    expect(there is True, "a folder is gone with its last file", observed=there, expected=True)
    info = await t.store.get_folder_info(folder)
    seen = (info.file_count, info.total_size, info.modified_at)
    expect(
        seen == (0, 0, None),
        "get_folder_info of an empty folder is wrong",
        observed=seen,
        expected=(0, 0, None),
    )
    if t.declares(C.LIST):
        listed = [entry.name for entry in await collect(t.store.list_folders(""))]
        expect(listed == [folder], "an empty folder is not listed", observed=listed)


@clause(
    "INFO-010",
    "get_folder_info raises NotFound where nothing is, and InvalidPath for a file, also with a "
    "depth.",
    intent="Zero files and no folder are different answers.",
    requires=[C.METADATA],
    needs=[Need.SEED],
)
async def no_folder(t: Trial) -> None:
    path = await t.seed_file(t.name("file"))
    await t.seed_file(f"{t.name('folder')}/file")
    for depth in (None, 1) if t.declares(C.LIST) else (None,):
        called = f"by get_folder_info with max_depth={depth}"
        with raises(NotFound, f"{called} where nothing is"):
            await t.store.get_folder_info("fold", max_depth=depth)
        with raises(NotFound, f"{called} of a path through a file"):
            await t.store.get_folder_info(f"{path}/below", max_depth=depth)
        with raises(InvalidPath, f"{called} of a file"):
            await t.store.get_folder_info(path, max_depth=depth)

"""
Copy the Python standard library through two stores and check every byte.

The stores come from examples/demo.toml: real files below ./demo-data and an
in-memory one. The code that copies does not know which is which. Exits with
status 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from attrs import frozen

from remote_store import AlreadyExists, Capability, RegistryConfig
from remote_store.aio import AsyncRegistry, AsyncStore, open_store
from remote_store.aio.ext.glob import glob_files

PROFILE = Path(__file__).resolve().parents[1] / "examples" / "demo.toml"
JOBS = 16
MIB = 1024 * 1024
#: Marks a data folder as ours: only such a folder is ever removed.
MARKER = ".made-by-remote-store-demo"


class Wrong(Exception):
    """Something is not as it should be."""


@frozen
class SourceFile:
    """
    A file as it was found, read without any store.

    Args:
        path: Path below the source folder.
        size: Bytes.
        sha256: Digest of its content.
    """

    path: str
    size: int
    sha256: str


def say(what: str, text: str) -> None:
    print(f"  {what:<10} {text}", flush=True)


def measured(files: Iterable[SourceFile], seconds: float) -> str:
    sizes = [file.size for file in files]
    mib = sum(sizes) / MIB
    return f"{len(sizes):>6,} files  {mib:7.1f} MiB  {seconds:6.2f} s  {mib / seconds:6.1f} MiB/s"


def require(condition: bool, message: str) -> None:
    if not condition:
        raise Wrong(message)


def survey(source: Path) -> list[SourceFile]:
    """Hash what is to be copied; installed packages are not the standard library."""
    found = []
    for path in sorted(source.rglob("*.py")):
        if {"site-packages", "dist-packages"} & set(path.relative_to(source).parts):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found.append(SourceFile(path.relative_to(source).as_posix(), len(content), digest))
    return found


async def for_each(
    files: Iterable[SourceFile], work: Callable[[SourceFile], Awaitable[None]]
) -> None:
    """Await *work* for every file, at most JOBS at a time."""
    waiting = iter(files)

    async def worker() -> None:
        for file in waiting:
            await work(file)

    async with asyncio.TaskGroup() as group:
        for _ in range(JOBS):
            group.create_task(worker())


async def copy_all(files: list[SourceFile], source: AsyncStore, target: AsyncStore) -> None:
    """Stream every file from one store into another."""

    async def copy(file: SourceFile) -> None:
        await target.write(file.path, source.read(file.path))

    await for_each(files, copy)


async def verify_all(files: list[SourceFile], store: AsyncStore) -> None:
    """Compare every file of a store with what was found at first."""

    async def verify(file: SourceFile) -> None:
        digest = hashlib.sha256()
        async with contextlib.aclosing(store.read(file.path)) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
        require(digest.hexdigest() == file.sha256, f"{file.path} differs in {store}")

    await for_each(files, verify)
    info = await store.get_folder_info("")
    require(info.file_count == len(files), f"{info.file_count} files in {store}")
    require(info.total_size == sum(file.size for file in files), f"wrong size of {store}")


async def look_around(store: AsyncStore, files: list[SourceFile]) -> None:
    """Glob and head."""
    pattern = "**/__init__.py"
    matches = {match.path.as_posix() async for match in glob_files(store, pattern)}
    expected = {file.path for file in files if Path(file.path).name == "__init__.py"}
    require(matches == expected, f"glob {pattern} found {len(matches)}, not {len(expected)}")
    say("glob", f"{pattern}: {len(matches)} files, as expected")

    largest = max(files, key=lambda file: file.size)
    head = await store.head(largest.path)
    require(head.size == largest.size, f"head says {head.size} bytes of {largest.path}")
    say("head", f"{largest.path}: {head.size:,} bytes, ETag {head.etag}")


async def change_things(store: AsyncStore) -> None:
    """Exclusive create, atomic overwrite, move and delete, in a folder of their own."""
    work = store.child("demo-work")

    async def create(number: int) -> bool:
        try:
            await work.write_text("one.txt", f"writer {number}")
        except AlreadyExists:
            return False
        return True

    winners = sum(await asyncio.gather(*(create(number) for number in range(JOBS))))
    require(winners == 1, f"{winners} of {JOBS} exclusive writers succeeded")
    say("exclusive", f"{JOBS} writers of one new file: 1 succeeded, {JOBS - 1} got AlreadyExists")

    old, new = b"old" * 100_000, b"new" * 100_000
    await work.write_atomic("two.bin", old)
    writing = asyncio.create_task(overwrite(work, [new, old] * 10))
    reads = 0
    while not writing.done():
        require(await work.read_bytes("two.bin") in (old, new), "a reader saw half a file")
        reads += 1
        await asyncio.sleep(0)  # a store in memory never waits, so the writer needs its turn
    await writing
    say("atomic", f"20 overwrites under {reads} reads: each saw one whole version")

    before = await work.read_bytes("one.txt")
    await work.move("one.txt", "moved/one.txt")
    require(await work.read_bytes("moved/one.txt") == before, "a move changed the content")
    require(not await work.exists("one.txt"), "a moved file is still at its old place")
    say("move", "one.txt -> moved/one.txt, content unchanged")

    await store.delete_folder("demo-work", recursive=True)
    require(not await store.exists("demo-work"), "a deleted folder is still there")
    say("delete", "demo-work and everything in it is gone")


async def overwrite(store: AsyncStore, versions: list[bytes]) -> None:
    for content in versions:
        await store.write_atomic("two.bin", content, overwrite=True)
        await asyncio.sleep(0)


async def run(source: Path, data: Path) -> None:
    started = time.perf_counter()
    os.environ["DEMO_DATA"] = str(data)
    config = RegistryConfig.from_toml(PROFILE, resolve_env_vars=True)
    print(f"\nremote_store demo: the stores of {PROFILE.parent.name}/{PROFILE.name}\n")
    files = survey(source)
    say("source", f"{source}: {len(files):,} files, {sum(f.size for f in files) / MIB:.1f} MiB")

    async with (
        open_store(source.as_uri(), create_root=False) as origin,
        AsyncRegistry(config) as registry,
    ):
        library = await registry.get_store("library")
        mirror = await registry.get_store("mirror")
        for name, here, there in (
            ("source -> library (files)", origin, library),
            ("library -> mirror (memory)", library, mirror),
        ):
            clock = time.perf_counter()
            await copy_all(files, here, there)
            say("copy", f"{name:<27} {measured(files, time.perf_counter() - clock)}")
        for name, store in (("library", library), ("mirror", mirror)):
            clock = time.perf_counter()
            await verify_all(files, store)
            say("sha256", f"{name:<27} {measured(files, time.perf_counter() - clock)}  all equal")
        for name, store in (("library", library), ("mirror", mirror)):
            declared = sum(store.supports(capability) for capability in Capability)
            print(f"\n  {name}: {declared} of {len(Capability)} capabilities")
            await look_around(store, files)
            await change_things(store)
            await verify_all(files, store)
    print(f"\nEverything verified in {time.perf_counter() - started:.1f} s.")
    print(f"The files are still in {data}; the next run replaces them.")


def prepare(data: Path) -> None:
    """Make an empty data folder; remove an old one only if a demo made it."""
    if data.exists():
        require(
            (data / MARKER).is_file(), f"{data} was not made by this demo; move it out of the way"
        )
        shutil.rmtree(data)
    data.mkdir(parents=True)
    (data / MARKER).touch()


def first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    stdlib = sysconfig.get_paths()["stdlib"]
    parser.add_argument("--source", type=Path, default=Path(stdlib), help="folder to copy")
    parser.add_argument("--data", type=Path, default=Path("demo-data"), help="folder to copy to")
    given = parser.parse_args(arguments)
    status = 0
    try:
        prepare(given.data)
        asyncio.run(run(given.source.resolve(), given.data))
    except* Wrong as wrong:
        print(f"error: {first(wrong)}", file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

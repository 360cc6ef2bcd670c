"""A store as a filesystem of fsspec."""

# fsspec states no types; what is inferred of its bodies is not what it means.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping
from typing import Any

from fsspec.asyn import _run_coros_in_chunks, sync, sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK

from remote_store import Capability, DirectoryNotEmpty, InvalidPath, NotFound
from remote_store_fsspec import _local
from remote_store_fsspec._draft import Draft
from remote_store_fsspec._file import StoreFile, StreamedFile
from remote_store_fsspec._listing import Details
from remote_store_fsspec._paths import Path
from remote_store_fsspec._reading import Reading

__all__ = ["RemoteStoreFileSystem"]


class RemoteStoreFileSystem(Reading):
    """
    Any store, for programs that take a filesystem of fsspec.

    ``fsspec.filesystem("remote-store", store="local:///srv/data")`` makes one;
    so do URLs: ``remote-store:///2026/a.csv`` with the same arguments, and
    ``remote-store://photos/2026/a.jpg`` for the store ``photos`` of a
    configuration. Nothing is opened before the first operation.

    Folders are what the store says. Where they come into being with the first
    file in them, `makedirs` has nothing to do; where they are real, it makes
    them. Listings and content are not cached. Errors are those of the
    operating system: see `os_errors`.

    In text options, ``${NAME}`` stands for an environment variable of the
    process that opens the store, and ``${secret:...}`` for what a plugin
    answers. So a filesystem can be sent to another process without its
    secrets. Given as they are, they are part of what is pickled, though of no
    ``repr``.

    Args:
        store: URL of a store, as for `remote_store.open_store`; the name of one
            in a configuration, without a colon; or an `AsyncStore`, which
            stays the caller's to close.
        config: With a name: path of the configuration, a TOML file; None for
            the environment variable ``REMOTE_STORE_CONFIG``.
        asynchronous: The program calls the coroutines, whose names begin with
            an underscore, on its own loop; else fsspec's loop runs them.
        loop: Instead of fsspec's loop; it has to run in another thread.
        batch_size: Operations on many files that run at the same time.
        use_listings_cache: Accepted for programs that pass it to every
            filesystem; nothing is cached. So are the next two.
        listings_expiry_time: See *use_listings_cache*.
        max_paths: See *use_listings_cache*.
        options: With a URL: keyword arguments of the backend.

    Raises:
        ValueError: *config* or *options* do not belong to *store*.
        TypeError: *store* is none of these.
    """

    # Writing ---------------------------------------------------------------

    def _draft(self, path: Path, *, overwrite: bool) -> Draft:
        return Draft(self._store, self._key(path), overwrite=overwrite)

    async def _pipe_file(self, path: Path, value: bytes, mode: str = "overwrite") -> None:
        draft = self._draft(path, overwrite=_overwrites(mode))
        await draft.add(bytes(value), last=True)
        await self._finish(draft)

    async def _put_file(
        self,
        lpath: str | os.PathLike[str],
        rpath: Path,
        mode: str = "overwrite",
        callback: Any = DEFAULT_CALLBACK,
    ) -> None:
        draft = self._draft(rpath, overwrite=_overwrites(mode))
        if os.path.isdir(lpath):  # noqa: ASYNC240 - no wait but for a disk
            await self._makedirs(rpath, exist_ok=True)
            return
        try:
            async with contextlib.aclosing(_local.pieces(lpath, callback)) as pieces:
                async for piece, last in pieces:
                    await draft.add(piece, last=last)
        except BaseException:
            await draft.discard()
            raise
        await self._finish(draft)

    async def _finish(self, draft: Draft) -> None:
        if self._intrans:
            self.transaction.files.append(_Deferred(self.loop, draft))
        else:
            await draft.commit()

    def _open(
        self,
        path: Path,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Mapping[str, Any] | None = None,
        cache_type: str | None = None,
        size: int | None = None,
        etag: str | None = None,
    ) -> StoreFile:
        name: str = self._own_path(path)
        details = {"name": name, "size": size, "type": "file", "etag": etag}
        if mode == "rb" and size is None:
            details = _file_only(self.info(path))
        _check_mode(mode)
        if mode == "xb" and self.exists(path):
            raise FileExistsError(errno.EEXIST, "File already exists", name)
        return StoreFile(
            self,
            name,
            mode,
            details,
            block_size=block_size,
            autocommit=autocommit,
            cache_options=cache_options,
            cache_type=cache_type,
        )

    async def open_async(
        self, path: Path, mode: str = "rb", *, block_size: int | None = None
    ) -> StreamedFile:
        """
        Open a file whose `read`, `write` and `close` are coroutines.

        Args:
            path: Path of a file.
            mode: ``"rb"``, ``"wb"``, or ``"xb"`` for a file that must not exist yet.
            block_size: Bytes that are gathered before they are sent.

        Raises:
            FileNotFoundError, IsADirectoryError: There is no file to read.
            NotImplementedError: Another mode.
        """
        name: str = self._own_path(path)
        _check_mode(mode)
        details = _file_only(await self._info(path)) if mode == "rb" else None
        return StreamedFile(self, name, mode, details, block_size=block_size)

    async def _mkdir(self, path: Path, create_parents: bool = True, **kwargs: Any) -> None:
        above: str = self._own_path(path).rpartition("/")[0]
        if not create_parents and await self._makes_folders() and not await self._isdir(above):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", above)
        await self._makedirs(path, exist_ok=False)

    async def _makedirs(self, path: Path, exist_ok: bool = False) -> None:
        if not exist_ok and await self._exists(path):
            raise FileExistsError(errno.EEXIST, "File exists", self._own_path(path))
        if not await self._makes_folders():
            return  # folders come with the files in them
        key = self._key(path)
        async with self._at(key) as store:
            try:
                await store.create_folder(key)
            except InvalidPath as error:
                if not await store.is_file(key):
                    raise
                name = self._own_path(path)
                raise FileExistsError(errno.EEXIST, "File exists", name) from error

    async def _makes_folders(self) -> bool:
        store = await self._store()
        return store.supports(Capability.CREATE_FOLDER) and store.supports(Capability.WRITE)

    # Copying, moving, deleting ---------------------------------------------

    async def _cp_file(self, path1: Path, path2: Path, *, move: bool = False) -> None:
        source, target = self._key(path1), self._key(path2)
        try:
            async with self._at(source, target) as store:
                transfer = store.move if move else store.copy
                await transfer(source, target, overwrite=True)
        except IsADirectoryError:
            if not await self._isdir(source):  # which comes with its files
                raise

    async def _mv_file(self, path1: Path, path2: Path) -> None:
        await self._cp_file(path1, path2, move=True)

    async def _mv(
        self,
        path1: Path,
        path2: Path,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        if self._key(path1) == self._key(path2):
            return
        if not recursive and isinstance(path1, str) and await self._isdir(path1):
            raise IsADirectoryError(
                errno.EISDIR, "Is a directory, move it with recursive=True", path1
            )
        folders = []
        if recursive:
            paths = path1 if isinstance(path1, list) else [path1]
            for path in paths:
                found = await self._find(path, maxdepth=maxdepth, withdirs=True, detail=True)
                folders += [n for n, details in found.items() if details["type"] == "directory"]
        await self._copy(
            path1, path2, recursive=recursive, maxdepth=maxdepth, on_error="raise", move=True
        )
        for folder in sorted(folders, reverse=True):
            # Somebody else may have put something there: that stays.
            with contextlib.suppress(DirectoryNotEmpty, NotFound):
                await self._rmdir(folder)

    mv = sync_wrapper(_mv)
    mv.__doc__ = """
    Move files by renaming each; a folder with *recursive* only.

    A file is never lost: what could not be moved is where it was, and the
    first error is raised.
    """

    async def _rm_file(self, path: Path, **kwargs: Any) -> None:
        key = self._key(path)
        async with self._at(key) as store:
            await store.delete(key)

    async def _rmdir(self, path: Path) -> None:
        key = self._key(path)
        async with self._at(key) as store:
            await store.delete_folder(key)

    rmdir = sync_wrapper(_rmdir)
    rmdir.__doc__ = "Remove an empty folder; one that is not empty is an OSError (ENOTEMPTY)."

    async def _rm(
        self,
        path: Any,
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        whole = recursive and maxdepth is None
        paths = await self._expand_path(path, recursive=recursive and not whole, maxdepth=maxdepth)
        remove = self._rm_tree if whole else self._rm_file
        if whole:  # what is below another one goes with it
            paths = [
                one
                for one in paths
                if not any(one.startswith(f"{top.rstrip('/')}/") for top in paths if top != one)
            ]
        answers = await _run_coros_in_chunks(
            [remove(p) for p in paths],
            batch_size=batch_size or self.batch_size,
            nofiles=True,
            return_exceptions=True,
        )
        for name, answer in sorted(zip(paths, answers, strict=True), reverse=True):
            if isinstance(answer, IsADirectoryError) and recursive:
                with contextlib.suppress(DirectoryNotEmpty, NotFound):
                    await self._rmdir(name)
            elif isinstance(answer, BaseException):
                raise answer

    async def _rm_tree(self, path: str) -> None:
        key = self._key(path)
        if not key:  # the root stays
            for details in await self._ls("/"):
                await self._rm_tree(details["name"])
            return
        async with self._at(key) as store:
            try:
                await store.delete_folder(key, recursive=True)
            except InvalidPath:
                if not await store.is_file(key):
                    raise
                await store.delete(key)


class _Deferred:
    """
    A write that waits for the end of the transaction.

    Args:
        loop: On which it runs.
        draft: What is to be written.
    """

    def __init__(self, loop: Any, draft: Draft) -> None:
        self._loop = loop
        self._draft = draft

    def commit(self) -> None:
        """Make it visible."""
        sync(self._loop, self._draft.commit)

    def discard(self) -> None:
        """Leave everything as it was."""
        sync(self._loop, self._draft.discard)


def _overwrites(mode: str) -> bool:
    if mode not in ("overwrite", "create"):
        msg = f"mode must be 'overwrite' or 'create', got {mode!r}"
        raise ValueError(msg)
    return mode == "overwrite"


def _check_mode(mode: str) -> None:
    if mode not in ("rb", "wb", "xb"):
        msg = (
            f"files are opened with 'rb', 'wb' or 'xb', got {mode!r}: content is written as a whole"
        )
        raise NotImplementedError(msg)


def _file_only(details: Details) -> Details:
    if details["type"] != "file":
        raise IsADirectoryError(errno.EISDIR, "Is a directory", details["name"])
    return details

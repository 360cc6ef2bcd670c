"""Asking for files and folders, and reading them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from fsspec.asyn import _run_coros_in_chunks, sync_wrapper
from fsspec.callbacks import DEFAULT_CALLBACK, NoOpCallback

from remote_store import InvalidPath, NotFound
from remote_store_fsspec import _listing, _local
from remote_store_fsspec._connected import Connected
from remote_store_fsspec._paths import Path

__all__ = ["Reading"]

Details = _listing.Details


class Reading(Connected):
    """The half of a filesystem that changes nothing."""

    # Questions -------------------------------------------------------------

    async def _info(self, path: Path, **kwargs: Any) -> Details:
        key = self._key(path)
        async with self._at(key) as store:
            if not key:
                if await store.is_folder(""):
                    return _listing.folder_details("")
                await store.ping()  # which names the storage that is absent
                msg = "the folder of the store does not exist"
                raise NotFound(msg, path="")
            try:
                return _listing.file_details(await store.get_file_info(key))
            except InvalidPath:
                if not await store.is_folder(key):
                    raise
                return _listing.folder_details(key)

    async def _exists(self, path: Path, **kwargs: Any) -> bool:
        key = self._key(path)
        async with self._at(key) as store:
            return await store.exists(key)

    async def _isfile(self, path: Path) -> bool:
        key = self._key(path)
        async with self._at(key) as store:
            return await store.is_file(key)

    async def _isdir(self, path: Path) -> bool:
        key = self._key(path)
        async with self._at(key) as store:
            return await store.is_folder(key)

    async def _modified(self, path: Path) -> Any:
        details = await self._info(path)
        if "mtime" not in details:
            msg = f"no modification time is known of {details['name']!r}"
            raise NotImplementedError(msg)
        return details["mtime"]

    modified = sync_wrapper(_modified)
    modified.__doc__ = (
        "Return the time of the last change, in UTC; NotImplementedError without one."
    )

    async def _sign(self, path: Path, expiration: float = 100, **kwargs: Any) -> str:
        key = self._key(path)
        async with self._at(key) as store:
            return await store.signed_url(key, expires=expiration, **kwargs)

    sign = sync_wrapper(_sign)
    sign.__doc__ = """
    Return a URL by which anybody who has it may read the file; with ``method="PUT"`` write it.

    Stores that cannot sign raise NotImplementedError. *expiration* is in seconds.
    """

    # Listings --------------------------------------------------------------

    async def _ls(self, path: Path, detail: bool = True, **kwargs: Any) -> list[Any]:
        key = self._key(path)
        async with self._at(key) as store:
            found = await _listing.children(store, key)
        if not found:
            details = await self._info(path)  # a file, an empty folder, or nothing
            found = [details] if details["type"] == "file" else []
        return found if detail else [details["name"] for details in found]

    async def _walk(
        self,
        path: Path,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: str | Callable[[OSError], object] = "omit",
        detail: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[str, Any, Any], None]:
        """Yield each folder with its folders and files; a link to a folder is not entered."""
        _check_depth(maxdepth)
        top: str = self._own_path(path)
        found: list[Details] = []
        try:
            found = await self._ls(top)
        except OSError as error:
            if on_error == "raise":
                raise
            if callable(on_error):
                on_error(error)
        folders: dict[str, Details] = {}
        files: dict[str, Details] = {}
        for details in found:
            name = "" if details["name"] == top else details["name"].rpartition("/")[2]
            (folders if details["type"] == "directory" else files)[name] = details
        links = {name for name, details in folders.items() if details.get("islink")}
        inner: Any = folders if detail else list(folders)
        others: Any = files if detail else list(files)
        if topdown:
            yield top, inner, others
        if maxdepth is None or maxdepth > 1:
            for name in list(inner):  # which the program may have made shorter
                if name in links:
                    continue
                below = self._walk(
                    f"{top}/{name}",
                    maxdepth=None if maxdepth is None else maxdepth - 1,
                    topdown=topdown,
                    on_error=on_error,
                    detail=detail,
                )
                async for step in below:
                    yield step
        if not topdown:
            yield top, inner, others

    async def _find(
        self,
        path: Path,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **kwargs: Any,
    ) -> Any:
        _check_depth(maxdepth)
        key = self._key(path)
        async with self._at(key) as store:
            if withdirs:
                found = await _listing.tree(store, key, maxdepth, prefix)
            else:
                found = await _listing.files_below(store, key, maxdepth)
                if prefix:
                    start = f"/{key}/{prefix}" if key else f"/{prefix}"
                    found = {n: details for n, details in found.items() if n.startswith(start)}
        if key and not found:
            with contextlib.suppress(FileNotFoundError):
                details = await self._info(path)
                if withdirs or details["type"] == "file":
                    found[details["name"]] = details
        elif key and withdirs:
            found[f"/{key}"] = _listing.folder_details(key)
        names = sorted(found)
        return {name: found[name] for name in names} if detail else names

    async def _du(
        self,
        path: Path,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **kwargs: Any,
    ) -> Any:
        found = await self._find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: details["size"] for name, details in found.items()}
        return sum(sizes.values()) if total else sizes

    # Reading ---------------------------------------------------------------

    async def _cat_file(
        self, path: Path, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        key = self._key(path)
        async with self._at(key) as store:
            if start is None and end is None:
                return await store.read_bytes(key)
            first, etag = start or 0, None
            if (end is not None and end < 0) or (end is not None and first < 0):
                # Counted from the end, as in a slice: of the version whose size is asked for.
                info = await store.get_file_info(key)
                first, end, _ = slice(start, end).indices(info.size)
                etag = info.etag
            last = None if end is None else max(first, end)
            return await store.read_range(key, first, end=last, if_match=etag)

    async def _range(self, path: Path, start: int, end: int, etag: str | None) -> bytes:
        """Return a range of the version *etag* of a file, of any version without one."""
        key = self._key(path)
        async with self._at(key) as store:
            return await store.read_range(key, start, end=end, if_match=etag)

    async def _cat_ranges(
        self,
        paths: list[Path],
        starts: int | Iterable[int | None] | None,
        ends: int | Iterable[int | None] | None,
        max_gap: int | None = None,
        batch_size: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Return ranges; those of one file are of one version, and near ones fetched as one."""
        if not isinstance(paths, list):
            msg = f"paths must be a list, got {type(paths).__name__}"
            raise TypeError(msg)
        found: list[Any] = [None] * len(paths)
        every = list(zip(paths, _each(starts, paths), _each(ends, paths), strict=True))
        of_file: dict[str, list[int]] = {}
        for place, (path, start, end) in enumerate(every):
            plain = start is not None and end is not None and 0 <= start <= end
            of_file.setdefault(self._key(path) if plain else f"/{place}", []).append(place)

        async def fetch(key: str, places: list[int]) -> None:
            path, start, end = every[places[0]]
            if key.startswith("/"):  # not a key
                found[places[0]] = await self._cat_file(path, start, end)
                return
            async with self._at(key) as store:
                wanted = [every[place][1:] for place in places]
                gap: dict[str, Any] = {} if max_gap is None else {"gap": max_gap}
                for place, part in zip(
                    places, await store.read_ranges(key, wanted, **gap), strict=True
                ):
                    found[place] = part

        answers = await _run_coros_in_chunks(
            [fetch(key, places) for key, places in of_file.items()],
            batch_size=batch_size or self.batch_size,
            nofiles=True,
            return_exceptions=True,
        )
        for places, answer in zip(of_file.values(), answers, strict=True):
            if answer is not None:
                if on_error != "return":
                    raise answer
                for place in places:
                    found[place] = answer
        return found

    async def _get_file(
        self, rpath: Path, lpath: Any, callback: Any = DEFAULT_CALLBACK, **kwargs: Any
    ) -> None:
        key = self._key(rpath)
        if not isinstance(callback, NoOpCallback):
            callback.set_size((await self._info(rpath))["size"])
        async with self._at(key) as store:
            content = store.read(key)
        async with contextlib.aclosing(content):
            try:
                async with self._at(key):
                    first = await anext(content, b"")
            except IsADirectoryError:
                os.makedirs(lpath, exist_ok=True)
                return
            async with _local.arriving(lpath) as write:
                await write(first)
                callback.relative_update(len(first))
                async with self._at(key):
                    async for piece in content:
                        await write(piece)
                        callback.relative_update(len(piece))


def _each(value: Any, paths: list[Path]) -> list[Any]:
    """Return one bound for each path: the same for all, or one of their own."""
    return list(value) if isinstance(value, Iterable) else [value] * len(paths)


def _check_depth(maxdepth: int | None) -> None:
    if maxdepth is not None and maxdepth < 1:
        msg = "maxdepth must be at least 1"
        raise ValueError(msg)

"""A tiny storage service over HTTP on loopback: the reference's tree, as somebody else's server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from remote_store import (
    CapabilityNotSupported,
    ContentDigest,
    FileInfo,
    FolderEntry,
    FolderInfo,
    PathEntry,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store_conformance_selftest.staging import StagingBackend
from remote_store_conformance_selftest.tree import Tree

__all__ = ["NAME", "PAGE", "Service", "decoded"]

#: What the service calls itself.
NAME: Final = "remote-store-kit"

#: Entries of one page of a listing.
PAGE: Final = 500

_CHUNK: Final = 1 << 16


def encoded(value: Any) -> Any:
    """Return a result as JSON-friendly data."""
    if isinstance(value, FolderEntry):
        return {"folder": value.path.as_posix()}
    if isinstance(value, FolderInfo):
        latest = value.modified_at.isoformat() if value.modified_at else None
        return {"info": [value.path.as_posix(), value.file_count, value.total_size, latest]}
    if isinstance(value, (FileInfo, WriteResult)):
        time = value.modified_at if isinstance(value, FileInfo) else value.last_modified
        return {
            "written": isinstance(value, WriteResult),
            "path": value.path.as_posix(),
            "size": value.size,
            "time": time.isoformat() if time else None,
            "etag": value.etag,
            "sha256": value.digest.value if value.digest else None,
            "metadata": dict(value.metadata) if value.metadata else None,
        }
    return value


def decoded(data: Any) -> Any:
    """Return the result that *data* stands for."""
    if not isinstance(data, dict):
        return data
    if "folder" in data:
        path = RemotePath(data["folder"])
        return FolderEntry(path, path.name)
    if "info" in data:
        key, count, size, time = data["info"]
        latest = datetime.fromisoformat(time) if time else None
        return FolderInfo(RemotePath.from_backend_path(key), count, size, latest)
    path = RemotePath(data["path"])
    moment = datetime.fromisoformat(data["time"])
    digest = ContentDigest("sha256", data["sha256"])
    if data["written"]:
        return WriteResult(
            path, data["size"], "native", digest, data["etag"], None, moment, data["metadata"]
        )
    return FileInfo(
        path,
        path.name,
        data["size"],
        moment,
        digest,
        data["etag"],
        metadata=data["metadata"],
    )


class Service:
    """
    The server, in a thread and loop of its own.

    A call is ``POST /method`` with its arguments as JSON in the header
    ``Call``. Before a body it answers ``100 Continue``, or why not. A body is
    the content of a write, in HTTP's chunks; without its last chunk nothing is
    written. Each final answer has its name in the header ``Service``: by it a
    client tells it from a page of whoever stands between.

    Args:
        tree: What is stored.
    """

    def __init__(self, tree: Tree) -> None:
        self._backend = StagingBackend(tree)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="kit-service", daemon=True
        )
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        """Stop the server and end its thread."""

        async def stop() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(h.split(": ", 1) for h in lines if h)
            method = line.split(" ")[1].removeprefix("/")
            await self._answer(method, json.loads(headers["Call"]), reader, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(
        self,
        method: str,
        arguments: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        paged, after = "after" in arguments, arguments.pop("after", None)
        call: Callable[..., Any] = getattr(self._backend, method)
        try:
            if method == "read":
                content = await self._backend.read_bytes(**arguments)
                writer.write(_head(200, "OK", len(content)))
                for start in range(0, len(content), _CHUNK):
                    writer.write(content[start : start + _CHUNK])
                    await writer.drain()
                return
            if method in ("write", "write_atomic", "stage"):
                self._backend.check_target(arguments["path"], overwrite=arguments["overwrite"])
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                result = await call(content=_body(reader), **arguments)
            elif paged:
                # From a name on, not from a number: entries may come and go meanwhile.
                found = sorted([item async for item in call(**arguments)], key=_path)
                rest = [item for item in found if after is None or _path(item) > after]
                result = [encoded(item) for item in rest[:PAGE]]
            else:
                result = await call(**arguments)
        except (RemoteStoreError, TypeError) as error:
            body = json.dumps(_problem(error)).encode()
            writer.write(_head(409, "Refused", len(body)) + body)
        else:
            body = json.dumps({"value": encoded(result)}).encode()
            writer.write(_head(200, "OK", len(body)) + body)


def _path(item: PathEntry) -> str:
    return item.path.as_posix()


def _head(status: int, reason: str, length: int) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"Content-Length: {length}",
        f"Service: {NAME}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _problem(error: Exception) -> dict[str, str]:
    found = {"error": type(error).__name__, "message": str(error.args[0])}
    if isinstance(error, RemoteStoreError):
        found["path"] = error.path or ""
    if isinstance(error, CapabilityNotSupported):
        found["capability"] = error.capability
    return found


async def _body(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the chunks of a request's body; a missing last one is an IncompleteReadError."""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)

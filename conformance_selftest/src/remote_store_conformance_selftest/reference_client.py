"""The reference as the client of a service: for what only a network can bring about."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from attrs import define, evolve

import remote_store
from remote_store import (
    BackendUnavailable,
    Capability,
    CapabilitySet,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    PermissionDenied,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import closed, folder_key
from remote_store_conformance.targets.recording import as_backend
from remote_store_conformance.targets.target import Scratch, Target
from remote_store_conformance_selftest.reference import ALL, Content
from remote_store_conformance_selftest.service import NAME, PAGE, Service, decoded
from remote_store_conformance_selftest.stand_in import StandIn
from remote_store_conformance_selftest.tree import Tree

__all__ = ["WireBackend", "WireStandIn"]

_CHUNK: Final = 1 << 16

Arguments = dict[str, Any]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class WireBackend:
    """
    A client of `Service`; one connection for each request.

    Args:
        address: Host and port of the service.
        capabilities: What to declare.
    """

    CAPABILITIES: ClassVar[CapabilitySet] = ALL
    CONTRACT: ClassVar[str] = "1.0"
    close_is_terminal: ClassVar[bool] = True

    #: Seconds without a byte after which a request is given up; a machine that is
    #: busy with other things must not be taken for a service that is silent.
    silence: float = 20.0

    def __init__(self, address: tuple[str, int], capabilities: CapabilitySet = ALL) -> None:
        self.address = address
        self._declared = capabilities
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Self, str]:
        """Open ``scheme://host:port``."""
        parts = urlsplit(url)
        return cls((parts.hostname or "", parts.port or 0), **options), ""

    @property
    def name(self) -> str:
        return "reference-wire"

    @property
    def capabilities(self) -> CapabilitySet:
        return self._declared

    # The one place that speaks HTTP ----------------------------------------

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, arguments: Arguments, content: Content | None = None
    ) -> AsyncGenerator[tuple[int, asyncio.StreamReader], None]:
        """Send a request, and yield the length of its answer and where to read it."""
        path = str(arguments.get("path", arguments.get("src", "")))
        self.check_open(path)
        for key in (path, str(arguments.get("dst", ""))):
            folder_key(key, self.name)
        # The caller's own exceptions come from inside this block, so errors
        # of the network are mapped where they are made.
        reader, writer = await self.guarded(
            asyncio.open_connection(*self.address, limit=_CHUNK), path
        )
        try:
            head = f"POST /{method} HTTP/1.1\r\nCall: {json.dumps(arguments)}\r\n\r\n"
            writer.write(head.encode())
            if content is not None:
                # The service looks at the path before it takes the content.
                await self.head(reader, path)
                await self.send(writer, content, path)
            await self.guarded(writer.drain(), path)
            yield await self.head(reader, path)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def send(self, writer: asyncio.StreamWriter, content: Content, path: str) -> None:
        """Send a body chunk by chunk, as the content comes."""
        async for chunk in _chunks(content):
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await self.guarded(writer.drain(), path)
        writer.write(b"0\r\n\r\n")

    async def guarded(self, call: Any, path: str) -> Any:
        """Await a call of the network; its errors become ours."""
        try:
            # Not wait_for: up to Python 3.11 it can swallow a cancellation.
            async with asyncio.timeout(self.silence):
                return await call
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            msg = f"the service does not answer: {path}"
            raise BackendUnavailable(
                msg, path=path, backend=self.name, outcome_unknown=True
            ) from error
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise self.nonsense("the service does not speak HTTP", path) from error

    def nonsense(self, what: str, path: str) -> RemoteStoreError:
        """Return the error of an answer that tells nothing, not even what was done."""
        return RemoteStoreError(
            f"{what}: {path}", path=path, backend=self.name, outcome_unknown=True
        )

    async def head(self, reader: asyncio.StreamReader, path: str) -> tuple[int, Any]:
        """Return the length of an answer, or raise the error that it is."""
        text = await self.guarded(reader.readuntil(b"\r\n\r\n"), path)
        try:
            line, *lines = text.decode().split("\r\n")
            status = int(line.split(" ")[1])
            headers = {k.lower(): v for k, v in (h.split(": ", 1) for h in lines if h)}
            length = int(headers.get("content-length", 0 if status == 100 else ""))
        except (ValueError, IndexError, KeyError) as error:
            raise self.nonsense("the service does not speak HTTP", path) from error
        if status == 200 and headers.get("service") != NAME:
            raise self.nonsense("the answer is not the service's", path)
        if status not in (100, 200):
            raise self.error(status, await self.guarded(reader.readexactly(length), path), path)
        return length, reader

    def error(self, status: int, body: bytes, path: str) -> RemoteStoreError | TypeError:
        """Return the error that an answer stands for."""
        if status in (401, 403):
            msg = f"the service refuses access: {path}"
            return PermissionDenied(msg, path=path, backend=self.name, status=status)
        if status == 429 or status >= 500:
            msg = f"the service is not available: {path}"
            return BackendUnavailable(msg, path=path, backend=self.name, status=status)
        try:
            told = json.loads(body)
            if told["error"] == "TypeError":
                return TypeError(told["message"])
            cls = getattr(remote_store, told["error"])
        except (ValueError, KeyError, AttributeError, TypeError):
            msg = f"the service answers {status}: {path}"
            return RemoteStoreError(msg, path=path, backend=self.name, status=status)
        more = {"capability": told["capability"]} if "capability" in told else {}
        error: RemoteStoreError = cls(told["message"], path=path, backend=self.name, **more)
        return error

    async def call(self, method: str, content: Content | None = None, **arguments: Any) -> Any:
        """Make a request whose answer is one value."""
        path = str(arguments.get("path", arguments.get("src", "")))
        async with self.request(method, arguments, content) as (length, reader):
            body = await self.guarded(reader.readexactly(length), path)
        try:
            value = json.loads(body)["value"]
            return [decoded(v) for v in value] if isinstance(value, list) else decoded(value)
        except (ValueError, KeyError, TypeError) as error:
            raise self.nonsense("the service's answer makes no sense", path) from error

    def check_open(self, path: str) -> None:
        if self._closed:
            raise closed(self.name, path)

    def require(self, capability: Capability, path: str) -> None:
        """Refuse what is not declared."""
        self.check_open(path)
        if capability not in self._declared:
            msg = f"{capability.value!r} is not supported: {path}"
            raise remote_store.CapabilityNotSupported(
                msg, path=path, backend=self.name, capability=capability.value
            )

    # Operations ------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        return bool(await self.call("exists", path=path))

    async def is_file(self, path: str) -> bool:
        return bool(await self.call("is_file", path=path))

    async def is_folder(self, path: str) -> bool:
        return bool(await self.call("is_folder", path=path))

    async def read(self, path: str) -> AsyncIterator[bytes]:
        self.require(Capability.READ, path)
        async with self.request("read", {"path": path}) as (length, reader):
            while length:
                chunk = await self.guarded(reader.read(min(_CHUNK, length)), path)
                if not chunk:
                    msg = f"the service's answer is cut short: {path}"
                    raise BackendUnavailable(msg, path=path, backend=self.name)
                length -= len(chunk)
                yield chunk

    async def read_bytes(self, path: str) -> bytes:
        return b"".join([chunk async for chunk in self.read(path)])

    async def get_file_info(self, path: str) -> FileInfo:
        self.require(Capability.METADATA, path)
        info: FileInfo = await self.call("get_file_info", path=path)
        return info

    async def get_folder_info(self, path: str) -> FolderInfo:
        self.require(Capability.METADATA, path)
        info: FolderInfo = await self.call("get_folder_info", path=path)
        return info

    async def pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        """Yield the items of a listing, asking for the next page when it is needed."""
        after = None
        while True:
            items = await self.call(method, after=after, **arguments)
            for item in items:
                yield item
            if len(items) < PAGE:
                return
            after = items[-1].path.as_posix()

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        self.require(Capability.LIST, path)
        arguments = {"path": path, "recursive": recursive, "max_depth": max_depth}
        async for item in self.pages("list_files", **arguments):
            yield item

    async def list_folders(self, path: str) -> AsyncIterator[FolderEntry]:
        self.require(Capability.LIST, path)
        async for item in self.pages("list_folders", path=path):
            yield item

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        self.require(Capability.GLOB, pattern)
        GlobPattern.parse(pattern)
        async for item in self.pages("glob", pattern=pattern):
            yield item

    async def write(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.require(Capability.WRITE, path)
        return await self.put("write", path, content, overwrite, metadata)

    async def write_atomic(
        self,
        path: str,
        content: Content,
        *,
        overwrite: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> WriteResult:
        self.require(Capability.ATOMIC_WRITE, path)
        return await self.put("write_atomic", path, content, overwrite, metadata)

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        """Write a file; the service decides."""
        if metadata:
            self.require(Capability.USER_METADATA, path)
        more = {"overwrite": overwrite, "metadata": dict(metadata) if metadata else None}
        result: WriteResult = await self.call(method, content, path=path, **more)
        if Capability.WRITE_RESULT_NATIVE not in self._declared:
            return WriteResult(result.path, result.size)
        return result

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        self.require(Capability.DELETE, path)
        await self.call("delete", path=path, missing_ok=missing_ok)

    async def delete_folder(
        self, path: str, *, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        self.require(Capability.DELETE, path)
        await self.call("delete_folder", path=path, recursive=recursive, missing_ok=missing_ok)

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.require(Capability.MOVE, src)
        await self.call("move", src=src, dst=dst, overwrite=overwrite)

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        self.require(Capability.COPY, src)
        await self.call("copy", src=src, dst=dst, overwrite=overwrite)

    async def check_health(self) -> None:
        await self.call("check_health")

    async def aclose(self) -> None:
        self._closed = True


async def _chunks(content: Content) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]
        return
    async for chunk in content:
        if not isinstance(chunk, bytes):
            msg = f"content must consist of bytes, got {type(chunk).__name__}"
            raise TypeError(msg)
        yield chunk


@define(eq=False)
class WireStandIn(StandIn):
    """A `WireBackend`, or a mutant of it, in front of a service of its own."""

    @contextlib.contextmanager
    def offered(self) -> Iterator[Target]:
        """Start the service for the time of a block."""
        tree = Tree(flat=self.flat)
        service = Service(tree)
        try:
            target = evolve(self.over(tree), endpoint=service.address, environment="emulator")
            # A few pages are enough to see whether they are put together.
            yield evolve(target, max_list=PAGE + PAGE // 5)
        finally:
            service.close()

    def build(self, tree: Tree, scratch: Scratch) -> Any:
        """Return a backend that speaks to the service, through the kit's proxy."""
        return as_backend(self.backend(scratch.endpoint, self.capabilities))

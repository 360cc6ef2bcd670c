"""Clients that do not think of others between a request that is lost and the next one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    Capability,
    NotFound,
    RemotePath,
    WriteResult,
)
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import Content
from remote_store_conformance_selftest.reference_client import WireBackend


class TriesTwice(WireBackend):
    """A client that keeps content while it sends it, and sends it again after no answer."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        kept: list[bytes] = []
        sent = content if isinstance(content, bytes) else _keeping(content, kept)
        try:
            return await super().put(method, path, sent, overwrite, metadata)
        except BackendUnavailable as error:
            if not self.tries_again(error):
                raise
        if not isinstance(content, bytes):
            content = b"".join([*kept, *[chunk async for chunk in content]])
        return await self.put_again(method, path, content, overwrite, metadata)

    def tries_again(self, error: BackendUnavailable) -> bool:
        return True

    async def put_again(
        self,
        method: str,
        path: str,
        content: bytes,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        return await super().put(method, path, content, overwrite, metadata)


async def _keeping(content: AsyncIterator[bytes], kept: list[bytes]) -> AsyncIterator[bytes]:
    async for chunk in content:
        kept.append(chunk)
        yield chunk


@mutant("FAULT-013", "write(path", "did not raise an error", "it returned WriteResult")
class TakesTheFileForItsOwn(TriesTwice):
    """A write whose answer was lost finds a file, which must be its own."""

    async def put_again(
        self,
        method: str,
        path: str,
        content: bytes,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        try:
            return await super().put_again(method, path, content, overwrite, metadata)
        except AlreadyExists:
            return WriteResult(RemotePath(path), len(content))


@mutant("FAULT-013", "write_atomic(path", "did not raise an error")
class OverwritesAtTheSecondTry(TriesTwice):
    """An atomic write without an answer is sent again with overwrite, not to meet itself."""

    async def put_again(
        self,
        method: str,
        path: str,
        content: bytes,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        again = overwrite or method == "write_atomic"
        return await super().put_again(method, path, content, again, metadata)


@mutant("FAULT-013", "copy(src, dst)", "did not raise an error")
class TakesTheTargetForItsCopy(WireBackend):
    """A copy whose answer was lost finds its target, which must be its own work."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().copy(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            try:
                await super().copy(src, dst, overwrite=overwrite)
            except AlreadyExists:
                return


@mutant("FAULT-013", "move(src, dst)", "did not raise an error")
class MovesOverAnotherFile(WireBackend):
    """A move without an answer is sent again with overwrite, not to meet itself."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().move(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            await super().move(src, dst, overwrite=True)


@mutant("FAULT-014", "move(src, dst", "returned, but its effect is not there")
class TakesAMissingSourceForDone(WireBackend):
    """A move whose answer was lost finds no source, so it must have worked."""

    async def move(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().move(src, dst, overwrite=overwrite)
        except BackendUnavailable:
            try:
                await super().move(src, dst, overwrite=overwrite)
            except NotFound:
                return


@mutant("FAULT-015", "a read whose connection broke", "neither the old version nor the new one")
class GoesOnWithAnotherVersion(WireBackend):
    """A read that breaks goes on where it was, in whatever file is there by now."""

    async def read(self, path: str) -> AsyncIterator[bytes]:
        self.require(Capability.READ, path)
        got = 0
        try:
            async for chunk in super().read(path):
                got += len(chunk)
                yield chunk
        except BackendUnavailable:
            position = 0
            async for chunk in super().read(path):
                if position + len(chunk) > got:
                    yield chunk[max(0, got - position) :]
                position += len(chunk)


@mutant("FAULT-015", "a read_bytes whose connection broke", "neither the old version")
class CompletesAnotherVersion(WireBackend):
    """read_bytes fetches what is missing by its position, and looks at no version."""

    async def read_bytes(self, path: str) -> bytes:
        got = bytearray()
        try:
            async for chunk in self.read(path):
                got += chunk
        except BackendUnavailable:
            got += (await super().read_bytes(path))[len(got) :]
        return bytes(got)

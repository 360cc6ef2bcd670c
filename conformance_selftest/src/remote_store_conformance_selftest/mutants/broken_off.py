"""Clients that take half of something for the whole: of an answer, or of the parts of a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from remote_store import BackendUnavailable, FileInfo, WriteResult
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.mutants.parts import PART
from remote_store_conformance_selftest.reference import Content
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.service import decoded


class _ReadsWhatComes(WireBackend):
    """A client that reads answers to the end of the connection."""

    async def body(self, method: str, **arguments: Any) -> tuple[int, bytes]:
        """Return the length of an answer, and what has come of it."""
        async with self.request(method, arguments) as (length, reader):
            return length, await self.guarded(reader.read(-1), arguments.get("path", ""))

    async def entries(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        """Yield the entries of a page of which enough has come to read them."""
        _, body = await self.body(method, after=None, **arguments)
        text = body.decode(errors="ignore").removeprefix('{"value": [')
        decoder = json.JSONDecoder()
        while text.startswith("{"):
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                return
            yield decoded(value)
            text = text[end:].removeprefix(", ")


@mutant("FAULT-016", "took an answer that broke off for the whole")
class ListsWhatHasCome(_ReadsWhatComes):
    """Entries are read from the stream of a page until there are no more."""

    async def list_files(
        self, path: str, *, recursive: bool = False, max_depth: int | None = None
    ) -> AsyncIterator[FileInfo]:
        more = {"path": path, "recursive": recursive, "max_depth": max_depth}
        async for item in self.entries("list_files", **more):
            yield item


@mutant("FAULT-016", "glob(path/*) took an answer that broke off for the whole")
class GlobsWhatHasCome(_ReadsWhatComes):
    """A glob reads matches until the connection ends."""

    async def glob(self, pattern: str) -> AsyncIterator[FileInfo]:
        async for item in self.entries("glob", pattern=pattern):
            yield item


@mutant("FAULT-016", "is_file(path) took an answer that broke off for the whole")
class TakesHalfAnAnswerForNo(_ReadsWhatComes):
    """Whatever is not the text of a yes is a no."""

    async def is_file(self, path: str) -> bool:
        _, body = await self.body("is_file", path=path)
        return body == b'{"value": true}'


class _InParts(WireBackend):
    """A client that sends each part of a large file with a request of its own."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        if isinstance(content, bytes) and len(content) > PART:
            parts = [content[i : i + PART] for i in range(0, len(content), PART)]
            content = b"".join([part async for part in self.sent(path, parts)])
        return await super().put(method, path, content, overwrite, metadata)

    async def send_part(self, path: str, part: bytes) -> None:
        """Stands for the request that a part is sent with."""
        await self.call("exists", path=path)

    async def sent(self, path: str, parts: list[bytes]) -> AsyncIterator[bytes]:
        """Yield what the service has of the parts."""
        for part in parts:
            await self.send_part(path, part)
            yield part


@mutant("FAULT-017", "more than one part", "was answered 503", "its effect is not there")
class CompletesWithoutAPart(_InParts):
    """The parts that have arrived are committed, also where one has not."""

    async def sent(self, path: str, parts: list[bytes]) -> AsyncIterator[bytes]:
        tries = [self.send_part(path, part) for part in parts]
        results = await asyncio.gather(*tries, return_exceptions=True)
        for part, result in zip(parts, results, strict=True):
            if not isinstance(result, BackendUnavailable) or result.status is None:
                yield part


@mutant("FAULT-017", "more than one part", "got no answer", "its effect is not there")
class AppendsAPartTwice(_InParts):
    """A part without an answer is appended again, although it may have arrived."""

    async def sent(self, path: str, parts: list[bytes]) -> AsyncIterator[bytes]:
        for part in parts:
            try:
                await self.send_part(path, part)
            except BackendUnavailable as error:
                if error.status is not None:
                    raise
                await self.send_part(path, part)
                yield part
            yield part


@mutant("FAULT-017", "more than one part", "got no answer", "outcome_unknown is False")
class IsSureOfAFailedCommit(_InParts):
    """Without an answer to its commit, an upload of many parts counts as not done."""

    async def put(
        self,
        method: str,
        path: str,
        content: Content,
        overwrite: bool,
        metadata: Mapping[str, str] | None,
    ) -> WriteResult:
        try:
            return await super().put(method, path, content, overwrite, metadata)
        except BackendUnavailable as error:
            error.outcome_unknown &= isinstance(content, bytes) and len(content) <= PART
            raise

"""Whether two files are equal, and how that was found out."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Literal, TypeAlias

from attrs import frozen

from remote_store import UNKNOWN_TIME, Capability, FileInfo
from remote_store_cli._opening import OpenedPath

__all__ = ["Comparison", "ComparisonResult", "compare", "sha256_of", "stat"]

#: What decided: the sizes; digests that both stores report; a SHA-256 made
#: of both contents; size and modification time; nothing, for lack of facts.
Comparison: TypeAlias = Literal["size", "digest", "sha256", "size and time", "nothing"]


@frozen
class ComparisonResult:
    """
    The outcome of a comparison.

    Args:
        equal: False also where it is not known.
        by: What decided.
    """

    equal: bool
    by: Comparison


async def stat(opened: OpenedPath) -> FileInfo | None:
    """Return what the store knows of a file; None if it keeps no metadata."""
    if not opened.store.supports(Capability.METADATA):
        return None
    return await opened.store.get_file_info(opened.key)


async def sha256_of(opened: OpenedPath) -> str:
    """Return the hexadecimal SHA-256 of a file's content, reading all of it."""
    digest = hashlib.sha256()
    async with contextlib.aclosing(opened.store.read(opened.key)) as chunks:
        async for chunk in chunks:
            digest.update(chunk)
    return digest.hexdigest()


async def compare(source: OpenedPath, target: OpenedPath, *, checksum: bool) -> ComparisonResult:
    """
    Compare two existing files by the best that is known of both.

    ETags are left out: even within one backend, an equal tag of two different
    keys promises nothing about their content.

    Args:
        source: A file.
        target: Another file.
        checksum: Compare the content where no common digest is known; without
            it, a target that is not older than the source is taken as equal
            when the sizes are.

    Raises:
        RemoteStoreError: One of them cannot be looked at.
    """
    a, b = await stat(source), await stat(target)
    if a is not None and b is not None:
        if a.size != b.size:
            return ComparisonResult(equal=False, by="size")
        if a.digest and b.digest and a.digest.algorithm == b.digest.algorithm:
            return ComparisonResult(equal=a.digest == b.digest, by="digest")
    if checksum:
        return ComparisonResult(
            equal=await sha256_of(source) == await sha256_of(target), by="sha256"
        )
    if a is None or b is None or UNKNOWN_TIME in (a.modified_at, b.modified_at):
        return ComparisonResult(equal=False, by="nothing")
    return ComparisonResult(equal=b.modified_at >= a.modified_at, by="size and time")

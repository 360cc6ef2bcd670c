"""
What a killed write left of an upload, and for which object that was begun.

Metadata and headers are given when an upload begins, and no request tells them
before its commit. So part 1 of an upload that may be gone on with is a mark, a
digest of all that its beginning fixed, until everything else has arrived.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from attrs import evolve

from remote_store import ContentDigest, NotFound
from remote_store_objects import Part, StorageNotFound, Unfinished, Upload
from remote_store_s3._wire import Ask, Wire
from remote_store_s3._xml import parts_of

__all__ = ["MD5", "mark_of", "md5_of", "newest"]

MD5: Final = re.compile("[0-9a-f]{32}")
#: Uploads of one key that are looked into: one request each.
_LOOKS: Final = 3
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def mark_of(beginning: Mapping[str, str | None], layout: str) -> bytes:
    """
    Return the mark of uploads that begin with some headers.

    Args:
        beginning: The headers; user metadata are among them.
        layout: How the content is cut.
    """
    text = json.dumps([sorted(beginning.items()), layout])
    return hashlib.sha256(text.encode()).hexdigest().encode()


def md5_of(etag: str) -> ContentDigest | None:
    """Return what the ETag of a part tells of its content, unless that is encrypted."""
    return ContentDigest("md5", etag) if MD5.fullmatch(etag) else None


async def newest(wire: Wire, uploads: Iterable[Upload], mark: bytes) -> Unfinished:
    """
    Return the last one of some uploads that was begun with a mark, and its parts.

    Raises:
        RemoteStoreError: As `Wire.read`.
    """
    ordered = sorted(uploads, key=lambda upload: upload.started or _NEVER, reverse=True)
    for upload in ordered[:_LOOKS]:
        parts = await _parts(wire, upload, mark)
        if parts is not None:
            return Unfinished(mark, upload, parts)
    return Unfinished(mark)


async def _parts(wire: Wire, upload: Upload, mark: bytes) -> list[Part] | None:
    """Return the parts of an upload after the first; None if that is not *mark*."""
    digest = ContentDigest("md5", hashlib.md5(mark, usedforsecurity=False).hexdigest())
    parts: list[Part] = []
    last, more = 0, True
    while more:
        query = {"uploadId": upload.id, "part-number-marker": str(last)}
        try:
            (page, more), _ = await wire.read(Ask("GET", upload.key, query), parts_of)
        except StorageNotFound:
            raise
        except NotFound:
            return None  # committed or aborted since it was listed
        numbers = [last, *(part.number for part in page)]
        if not page or numbers != sorted(set(numbers)):
            return None  # no answer to what was asked
        parts += [evolve(part, digest=md5_of(part.token)) for part in page]
        last = page[-1].number
        first = parts[0]
        if (first.number, first.size, first.digest) != (1, len(mark), digest):
            return None
    return parts[1:]

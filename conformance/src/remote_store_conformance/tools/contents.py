"""What a file may hold: the contents that a check of writing or reading is crossed with."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from attrs import field, frozen

from remote_store import ContentDigest
from remote_store_conformance.contract.expect import expect
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.sources import Source, pattern

__all__ = ["Content", "check_digest", "contents", "in_parts", "twin"]

#: Bytes beyond one part, so that the last part is a short one.
_MORE: Final = 70_001

#: Bytes of a chunk of a stream.
_CHUNK: Final = 300_007


@frozen
class Content:
    """
    The content of a file, and what is special about it.

    Args:
        name: What is special, for messages.
        data: The bytes.
    """

    name: str
    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.name} ({len(self.data)} bytes)"

    def source(self, error: BaseException | None = None) -> Source:
        """Return it as a stream of chunks, some of them empty, that may fail at its end."""
        chunks = [self.data[i : i + _CHUNK] for i in range(0, len(self.data), _CHUNK)]
        return Source([b"", *chunks, b""], error=error)

    @property
    def forms(self) -> Iterator[tuple[str, bytes | AsyncIterator[bytes]]]:
        """Yield each way to hand it to a write, with its name; streams are new ones."""
        yield f"bytes, {self}", self.data
        yield f"a stream, {self}", self.source().open()


def contents(t: Trial) -> list[Content]:
    """Return every kind of content; the last one needs more than one part, where it may."""
    text = "Zürich, Łódź, 東京 \N{ROCKET}\r\n"
    small = [
        Content("nothing", b""),
        Content("one byte", b"\0"),
        Content("text whose characters are not bytes", text.encode()),
        Content("something that looks compressed", gzip.compress(text.encode() * 50, mtime=0)),
    ]
    large = in_parts(t)
    return small if large is None else [*small, large]


def in_parts(t: Trial, seed: int = 0) -> Content | None:
    """Return content of more than one part; None where the target takes no such file."""
    size = t.target.part_size + _MORE
    if size > t.target.max_object:
        return None
    return Content("more than one part", pattern(size, seed))


def twin(content: Content, at: int = -1) -> Content:
    """Return content of equal size that differs in one byte, by default the last."""
    data = bytearray(content.data)
    data[at] ^= 0xFF
    return Content(f"{content.name}, changed at byte {at % len(data)}", bytes(data))


def check_digest(what: str, digest: ContentDigest | None, data: bytes) -> None:
    """
    State that a digest, where there is one, is the content's own.

    Args:
        what: What gives it, for the message.
        digest: The digest, None where there is none.
        data: The content.

    Raises:
        Violation: It is another one.
    """
    if digest is None or digest.algorithm not in hashlib.algorithms_available:
        return
    true = hashlib.new(digest.algorithm, data, usedforsecurity=False).hexdigest()
    expect(
        digest.value == true,
        f"the digest in {what} is not that of the content",
        observed=f"{digest.algorithm} {digest.value}",
        expected=true,
    )

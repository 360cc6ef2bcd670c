"""The tree of one filesystem: directories hold their children, so a rename is one re-link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hns_emulator._errors import ServiceError

__all__ = [
    "HTTP_HEADERS",
    "Filesystem",
    "Node",
    "Path",
    "check",
    "find",
    "parse_name",
    "under_file",
    "walk",
]

HTTP_HEADERS = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
}
"""What a client can store to be answered as headers, besides the type of the content."""

Path = tuple[str, ...]
"""The segments of a name; empty for the root."""


@dataclass(slots=True, eq=False)
class Node:
    """
    One file or directory; its name is the key under which its parent holds it.

    Attributes:
        created: Ticks of its creation.
        changed: Ticks of its last change; the ETag is made of them.
        content_type: None for a directory that was made for what is below it.
        pieces: Appended and not yet flushed, by position in bytes.
        by_blob: Whether the Blob endpoint wrote the content last.
        md5: Base64 of the content's MD5, only where the Blob endpoint computed it.
        blocks: Committed blocks, if the content was committed as blocks.
        copied: The x-ms-copy-* headers, if the content is a copy.
        http: Of `HTTP_HEADERS`, by the name in the answer.
    """

    is_directory: bool
    created: int
    changed: int
    metadata: dict[str, str] = field(default_factory=dict)
    content_type: str | None = "application/octet-stream"
    content: bytes = b""
    pieces: dict[int, bytes] = field(default_factory=dict)
    by_blob: bool = False
    md5: str | None = None
    blocks: dict[str, bytes] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)
    http: dict[str, str] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Filesystem:
    """
    A filesystem, which the Blob endpoint calls container.

    Attributes:
        staged: Blocks put and not yet committed, by path and block id.
    """

    name: str
    root: Node
    metadata: dict[str, str] = field(default_factory=dict)
    staged: dict[Path, dict[str, bytes]] = field(default_factory=dict)


def find(fs: Filesystem, path: Path) -> Node | None:
    """Return what is at *path*, None if nothing is."""
    node = fs.root
    for segment in path:
        below = node.children.get(segment)
        if below is None:
            return None
        node = below
    return node


def under_file(fs: Filesystem, path: Path) -> bool:
    """Return True if a file stands where *path* needs a directory."""
    node = fs.root
    for segment in path[:-1]:
        below = node.children.get(segment)
        if below is None:
            return False
        if not below.is_directory:
            return True
        node = below
    return False


def walk(
    node: Node, *, recursive: bool, after: Path = (), base: Path = ()
) -> Iterator[tuple[Path, Node]]:
    """
    Yield what is below *node*: depth first, names sorted within each directory.

    It starts behind the path *after*, relative to *node*, which need not exist
    any more; *base* is what the yielded paths start with.
    """
    first = after[0] if after else ""
    for name in sorted(node.children):
        if name < first:
            continue
        child = node.children[name]
        path = (*base, name)
        resumed = bool(after) and name == first
        if not resumed:
            yield path, child
        if recursive and child.is_directory:
            rest = after[1:] if resumed else ()
            yield from walk(child, recursive=True, after=rest, base=path)


def check(fs: Filesystem) -> None:
    """
    Hold the tree to its invariant: only directories have children, each node one name.

    Raises:
        AssertionError: If it does not hold.
    """
    seen: set[int] = {id(fs.root)}
    stack = [fs.root]
    while stack:
        node = stack.pop()
        if node.children and not node.is_directory:
            msg = "a file has children"
            raise AssertionError(msg)
        if node.is_directory and (node.content or node.pieces):
            msg = "a directory has content"
            raise AssertionError(msg)
        for name, child in node.children.items():
            if not name or "/" in name or id(child) in seen:
                msg = f"{name!r} is not a name, or the second name of a node"
                raise AssertionError(msg)
            seen.add(id(child))
            stack.append(child)


def parse_name(name: str) -> Path:
    """
    Return the segments of a decoded name, as the service stores it.

    Empty segments are dropped, and the dots at a segment's end.

    Raises:
        ServiceError: InvalidUri over 1024 characters or 61 segments;
            InvalidResourceName for control characters and `.` or `..` segments.
    """
    segments = [segment for segment in name.split("/") if segment]
    if len(name) > 1024 or len(segments) > 61:
        raise ServiceError(code="InvalidUri")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        raise ServiceError(code="InvalidResourceName")
    stripped = tuple(segment.rstrip(".") for segment in segments)
    if not all(stripped):
        raise ServiceError(code="InvalidResourceName")
    return stripped

"""
Find out what must have existed before a recording began, and make it.

The answers show it: a HEAD that got 200 saw something that was there. The
exchanges are followed with what is known of each path so far; an answer that
needs something of which nothing is known yet puts it into the starting state.
Nothing is assumed that no answer needs.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from hns_emulator.replay._operation import RequestedOperation, clean, operation, parent
from hns_emulator.replay._read import RecordedExchange, Recording
from hns_emulator.replay._send import RawClient

__all__ = ["SetupFailed", "Thing", "make", "starting_state", "unmade"]

Kind = Literal["container", "directory", "file"]

_NO_CONTAINER: Final = {"FilesystemNotFound", "ContainerNotFound"}
_BLOB: Final = re.compile(r"<(Blob|BlobPrefix)>(.*?)</\1>", re.DOTALL)


class SetupFailed(Exception):
    """Raised when the emulator refuses to make the starting state of a recording."""


@dataclass(slots=True)
class Thing:
    """
    Something that exists before the first exchange.

    Args:
        pending: Bytes that are appended and not committed.
        by_blob: Whether the Blob endpoint wrote it.
        written: Whether an exchange has written to it, so that what is read is not from before.
    """

    path: str
    kind: Kind
    content: bytes = b""
    pending: bytes = b""
    by_blob: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    written: bool = False


def starting_state(recording: Recording) -> list[Thing]:
    """
    Infer what existed before the first exchange, parents before their children.

    Returns:
        As little as the recorded answers allow.
    """
    things = _World(recording).things
    containers = [thing for thing in things if thing.kind == "container"]
    return containers + [thing for thing in things if thing.kind != "container"]


def unmade(recording: Recording) -> frozenset[str]:
    """
    Give the paths that answers show in a container of the recording's own, and no exchange made.

    So it is where several requests ran at once, and not all were written down.
    """
    return frozenset(_World(recording).unmade)


def make(client: RawClient, things: list[Thing]) -> None:
    """
    Bring the starting state about.

    Raises:
        SetupFailed: If the emulator answers anything but success.
    """
    for thing in things:
        for method, host, target, headers, body in _requests(thing):
            answer = client.send(method, host, target, headers, body)
            if answer.status >= 300:
                msg = f"{method} {target} answered {answer.status} {answer.code}"
                raise SetupFailed(msg)


def _requests(thing: Thing) -> Iterator[tuple[str, str, str, dict[str, str], bytes]]:
    target = "/" + quote(thing.path)
    if thing.kind == "container":
        yield "PUT", "blob", f"{target}?restype=container", {}, b""
        return
    if thing.by_blob:
        yield "PUT", "blob", target, {"x-ms-blob-type": "BlockBlob"}, thing.content
        return
    headers = {}
    if thing.metadata:
        pairs = (f"{k}={base64.b64encode(v.encode()).decode()}" for k, v in thing.metadata.items())
        headers["x-ms-properties"] = ",".join(pairs)
    if thing.content_type:
        headers["x-ms-content-type"] = thing.content_type
    yield "PUT", "dfs", f"{target}?resource={thing.kind}", headers, b""
    size = len(thing.content)
    if size:
        yield "PATCH", "dfs", f"{target}?action=append&position=0&flush=true", {}, thing.content
    if thing.pending:
        yield "PATCH", "dfs", f"{target}?action=append&position={size}", {}, thing.pending


class _World:
    """What is known of each path while the exchanges are followed; None = not there."""

    def __init__(self, recording: Recording) -> None:
        self.things: list[Thing] = []
        self.unmade: set[str] = set()
        self._known: dict[str, Kind | None] = {}
        self._untouched: dict[str, Thing] = {}
        self._created: set[str] = set()
        self._exchanges = recording.exchanges
        self._hint: Kind = "directory" if "director" in recording.hint else "file"
        for index, exchange in enumerate(recording.exchanges):
            if exchange.request.host in {"blob", "dfs"}:
                self._follow(index, exchange)

    def _follow(self, index: int, exchange: RecordedExchange) -> None:
        """Take the next exchange into account."""
        op = operation(exchange.request)
        code = exchange.answer.headers.get("x-ms-error-code", "")
        status = exchange.answer.status
        if op.name == "create container" and status < 300:
            self._known[op.path] = "container"
            self._created.add(op.path)
        elif op.name == "delete container" and status < 300:
            self._require(op.path, "container")
            self._forget(op.path)
        elif op.container and code not in _NO_CONTAINER:
            missing = op.name == "container" and status == 404
            if not missing:
                self._require(op.container, "container")
                self._step(op, index, exchange, code)

    def _step(
        self, op: RequestedOperation, index: int, exchange: RecordedExchange, code: str
    ) -> None:
        done = exchange.answer.status < 300
        if op.name == "list paths" and done:
            self._listed_paths(op, exchange, index)
        elif op.name == "list blobs" and done:
            self._listed_blobs(op, exchange)
        elif _below_file(op, code):
            self._require_file_above(op)
        elif op.name in {"rename", "copy"}:
            self._moved(op, index, exchange, code)
        elif "/" in op.path and exchange.answer.status != 404:
            self._on_one_path(op, index, exchange, code)

    def _on_one_path(
        self, op: RequestedOperation, index: int, exchange: RecordedExchange, code: str
    ) -> None:
        """Follow an operation on a single path that did not answer 404."""
        done = exchange.answer.status < 300
        conditional = exchange.request.header("If-Match") is not None
        if op.name in {"create", "put blob"}:
            kind: Kind = "directory" if op.query.get("resource") == "directory" else "file"
            if code in {"PathConflict", "DirectoryExists"}:
                if not self._file_above(op.path):
                    self._require(op.path, "directory" if kind == "file" else "file")
            elif not done or conditional:
                self._require(op.path, kind)
            if done:
                self._put(op.path, kind)
        elif op.name in {"append", "flush"}:
            self._written(op, index, done, code)
        elif op.name == "delete":
            self._require(op.path, self._kind(op.path, index))
            if code in {"DirectoryNotEmpty", "DirectoryIsNotEmpty"}:
                self._fill(op.path)
            if done:
                self._forget(op.path)
        elif op.name != "put block":
            # Reading, and operations that are not known here, need something to act on.
            thing = self._require(op.path, self._kind(op.path, index))
            if thing is not None and op.name == "read" and done:
                _enrich(thing, exchange)

    def _written(self, op: RequestedOperation, index: int, done: bool, code: str) -> None:
        thing = self._require(op.path, "file")
        if thing is None or thing.written:
            return
        if done and op.name == "append":
            thing.content = bytes(self._first_position(op.path, index))
        elif done:
            thing.pending = bytes(int(op.query.get("position") or 0))
        thing.by_blob = code == "InvalidFlushOperation"
        thing.written = done

    def _first_position(self, path: str, index: int) -> int:
        """Give the lowest position of the appends up to the next flush: they come in any order."""
        positions = []
        for exchange in self._exchanges[index:]:
            op = operation(exchange.request)
            if op.path == path and op.name == "append":
                positions.append(int(op.query.get("position") or 0))
            elif op.path == path and op.name != "read":
                break
        return min(positions)

    def _moved(
        self, op: RequestedOperation, index: int, exchange: RecordedExchange, code: str
    ) -> None:
        source = op.source or ""
        self._require(source.partition("/")[0], "container")
        status = exchange.answer.status
        if code in {"SourcePathNotFound", "CannotVerifyCopySource"} or (
            status == 404 and code != "RenameDestinationParentPathNotFound"
        ):
            return
        kind = self._kind(op.path, index) if status < 300 else self._kind(source, index)
        if code in {"DirectoryNotEmpty", "InvalidRenameSourcePath"}:
            kind = "directory"
        self._require(source, kind)
        if code == "RenameDestinationParentPathNotFound":
            return
        if "/" in parent(op.path) and not self._file_above(op.path):
            self._require(parent(op.path), "directory")
        if code in {"PathAlreadyExists", "ConditionNotMet", "BlobAlreadyExists"}:
            self._require(op.path, kind)
        elif code == "DirectoryNotEmpty":
            self._require(op.path, "directory")
            self._fill(op.path)
        elif code == "InvalidSourceOrDestinationResourceType":
            if not self._file_above(op.path):
                self._require(op.path, "file" if kind == "directory" else "directory")
        elif status < 300:
            if exchange.request.header("If-Match") is not None:
                self._require(op.path, kind)
            self._carry(source, op.path, move=op.name == "rename")

    def _listed_paths(self, op: RequestedOperation, exchange: RecordedExchange, index: int) -> None:
        folder = clean(op.query.get("directory", ""))
        if folder:
            self._require(f"{op.path}/{folder}", "directory")
        name = folder
        for entry in json.loads(exchange.answer.body or b"{}").get("paths", []):
            name = entry["name"]
            kind: Kind = "directory" if entry.get("isDirectory") == "true" else "file"
            thing = self._require(f"{op.path}/{name}", kind)
            if thing is not None and not (thing.content or thing.written):
                thing.content = bytes(int(entry.get("contentLength") or 0))
        token = exchange.answer.headers.get("x-ms-continuation")
        later = self._exchanges[index + 1 :]
        if token and not any("continuation=" in other.request.query for other in later):
            # Any name that sorts after the last one shown, so that another page follows.
            first = name[len(folder) :].strip("/").partition("/")[0]
            self._require(clean(f"{op.path}/{folder}/{first}~"), "file")

    def _listed_blobs(self, op: RequestedOperation, exchange: RecordedExchange) -> None:
        for tag, text in _BLOB.findall((exchange.answer.body or b"").decode()):
            name = html.unescape(_element(text, "Name")).rstrip("/")
            folder = tag == "BlobPrefix" or _element(text, "ResourceType") == "directory"
            folder = folder or "<hdi_isfolder>true" in text
            thing = self._require(f"{op.path}/{name}", "directory" if folder else "file")
            if thing is not None and not (thing.content or thing.written):
                thing.content = bytes(int(_element(text, "Content-Length") or 0))

    def _require(self, path: str, kind: Kind) -> Thing | None:
        """
        Put a thing into the starting state, unless the path's state is known; give it back.

        In a container that an exchange created nothing is from before.
        """
        if path.partition("/")[0] in self._created:
            if self._known.get(path) is None:
                self.unmade.add(path)
        elif path not in self._known:
            for above in _ancestors(path):
                self._known.setdefault(above, "directory")
            self._known[path] = kind
            thing = Thing(path, kind)
            self.things.append(thing)
            self._untouched[path] = thing
        return self._untouched.get(path)

    def _file_above(self, path: str) -> bool:
        return any(self._known.get(above) == "file" for above in _ancestors(path))

    def _require_file_above(self, op: RequestedOperation) -> None:
        folder = op.query.get("directory", "") if op.name == "list paths" else ""
        path = clean(f"{op.path}/{folder}")
        if not self._file_above(path):
            self._require(parent(path), "file")

    def _fill(self, path: str) -> None:
        if not any(p.startswith(f"{path}/") and kind for p, kind in self._known.items()):
            self._require(f"{path}/child", "file")

    def _put(self, path: str, kind: Kind) -> None:
        for above in _ancestors(path):
            self._known[above] = self._known.get(above) or "directory"
        self._known[path] = kind
        self._untouched.pop(path, None)

    def _forget(self, path: str) -> None:
        for known in [p for p in self._known if p == path or p.startswith(f"{path}/")]:
            self._known[known] = None
            self._untouched.pop(known, None)

    def _carry(self, source: str, target: str, *, move: bool) -> None:
        for known in [p for p in self._known if p == source or p.startswith(f"{source}/")]:
            there = target + known[len(source) :]
            self._known[there] = self._known[known]
            self._untouched.pop(there, None)
            if move and known in self._untouched:
                self._untouched[there] = self._untouched[known]
        if move:
            self._forget(source)

    def _kind(self, path: str, index: int) -> Kind:
        """Return what a path was, as this and later exchanges on it show; else by the hint."""
        known = self._known.get(path)
        if known is not None:
            return known
        for exchange in self._exchanges[index:]:
            op, headers = operation(exchange.request), exchange.answer.headers
            if op.path != path or exchange.answer.status >= 500:
                continue
            if op.name == "read" and exchange.answer.status < 300:
                folder = headers.get("x-ms-resource-type") == "directory"
                folder = folder or headers.get("x-ms-meta-hdi_isfolder") == "true"
                return "directory" if folder else "file"
            if op.name == "delete" and "recursive" in op.query:
                return "directory"
            if op.name in {"append", "flush"}:
                return "file"
            if headers.get("x-ms-error-code", "").startswith(("DirectoryIs", "OperationNotSupp")):
                return "directory"
        return self._hint


def _below_file(op: RequestedOperation, code: str) -> bool:
    """Return True if an answer shows that a file is above the path; not all such answers do."""
    return (op.name, code) in {
        ("put blob", "BlobNotFound"),
        ("put block", "OperationNotAllowedInCurrentState"),
        ("delete", "OperationNotAllowedInCurrentState"),
        ("delete", "PathConflict"),
        ("list paths", "PathConflict"),
    }


def _ancestors(path: str) -> list[str]:
    """Give the folders above a path, without the container."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(2, len(parts))]


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}[^>]*>([^<]*)</{name}>", text)
    return found.group(1) if found else ""


def _enrich(thing: Thing, exchange: RecordedExchange) -> None:
    """Give a thing of the starting state the content and metadata that a reader saw."""
    if thing.kind != "file":
        return
    answer = exchange.answer
    for name, value in answer.headers.items():
        if name.startswith("x-ms-meta-"):
            thing.metadata[name.removeprefix("x-ms-meta-")] = value
    if answer.headers.get("content-type") != "application/octet-stream":
        thing.content_type = answer.headers.get("content-type")
    body = answer.body or b""
    if thing.written:
        if thing.pending and len(body) == len(thing.content + thing.pending):
            thing.pending = body[len(thing.content) :]
        return
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    size = int(total or answer.headers.get("content-length") or 0)
    if len(body) == size or len(thing.content) != size:
        thing.content = body + bytes(max(0, size - len(body)))

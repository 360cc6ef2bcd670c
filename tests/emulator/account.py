"""A few words for talking to the emulator in raw requests, and for stating what it answers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

from hns_emulator import HnsEmulator
from hns_emulator.replay._send import RawClient, ReceivedAnswer

__all__ = ["ANY", "COMMON", "Filesystem", "Probe", "probes_of", "ticks", "was"]

#: Headers that every answer has.
COMMON = {"date", "server", "x-ms-request-id", "x-ms-version"}
#: The condition that nothing is there.
ANY = {"If-None-Match": "*"}
_NUMBERS = itertools.count()


def was(answer: ReceivedAnswer, status: int, code: str | None = None) -> ReceivedAnswer:
    """Require a status and an error code; give the answer back."""
    assert (status, code) == (answer.status, answer.code), f"{answer.reason} {answer.body!r}"
    return answer


def ticks(etag: str) -> int:
    """Require the form of an ETag of the service; give the time it encodes."""
    assert re.fullmatch(r'"?0x[0-9A-F]{15}"?', etag)
    return int(etag.strip('"'), 16)


class Filesystem:
    """
    A new filesystem of an emulator; paths are given decoded and without leading slash.

    Args:
        emulator: Where to make it.
    """

    def __init__(self, emulator: HnsEmulator) -> None:
        self.emulator = emulator
        self.name = f"fs{next(_NUMBERS)}"
        self.client = self.connect()
        was(self.client.send("PUT", "blob", f"/{self.name}?restype=container"), 201)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def connect(self) -> RawClient:
        """Open another connection."""
        emulator = self.emulator
        return RawClient(emulator.port, emulator.account, emulator.key)

    def target(self, path: str, query: str = "") -> str:
        """Give the request target of a path."""
        target = f"/{self.name}/{quote(path)}".rstrip("/")
        return f"{target}?{query}" if query else target

    def dfs(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        client: RawClient | None = None,
    ) -> ReceivedAnswer:
        """Send a request to the Data Lake endpoint."""
        client = client or self.client
        return client.send(method, "dfs", self.target(path, query), headers, body)

    def blob(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        client: RawClient | None = None,
    ) -> ReceivedAnswer:
        """Send a request to the Blob endpoint."""
        client = client or self.client
        return client.send(method, "blob", self.target(path, query), headers, body)

    def create(self, path: str, kind: str = "file", **headers: str) -> ReceivedAnswer:
        """Ask for a file or directory; `_` in a header's name stands for `-`."""
        return self.dfs("PUT", path, f"resource={kind}", _dashed(headers))

    def mkdir(self, path: str) -> str:
        """Make a directory; give its ETag."""
        return was(self.create(path, "directory"), 201).headers["etag"]

    def append(self, path: str, position: int, body: bytes, query: str = "") -> ReceivedAnswer:
        """Ask for bytes to be appended, without a flush unless the query says so."""
        return self.dfs("PATCH", path, f"action=append&position={position}{query}", None, body)

    def flush(self, path: str, position: int, **headers: str) -> ReceivedAnswer:
        """Ask for what was appended to be committed."""
        return self.dfs("PATCH", path, f"action=flush&position={position}", _dashed(headers))

    def put(self, path: str, body: bytes = b"", **headers: str) -> str:
        """Make a file with a content, by create and append with flush; give its last ETag."""
        etag = was(self.create(path, **headers), 201).headers["etag"]
        if body:
            answer = was(self.append(path, 0, body, "&flush=true"), 202)
            etag = answer.headers["etag"]
        return etag

    def put_blob(self, path: str, body: bytes, **headers: str) -> ReceivedAnswer:
        """Ask for a blob to be put in one request."""
        return self.blob("PUT", path, "", {"x-ms-blob-type": "BlockBlob", **_dashed(headers)}, body)

    def rename(
        self,
        source: str,
        target: str,
        headers: dict[str, str] | None = None,
        client: RawClient | None = None,
    ) -> ReceivedAnswer:
        """Ask for a rename."""
        headers = {"x-ms-rename-source": self.target(source), **(headers or {})}
        return self.dfs("PUT", target, "mode=legacy", headers, client=client)

    def delete(self, path: str, query: str = "", **headers: str) -> ReceivedAnswer:
        """Ask the Data Lake endpoint for a deletion."""
        return self.dfs("DELETE", path, query, _dashed(headers))

    def head(self, path: str) -> ReceivedAnswer:
        """Ask for the properties of something that must be there."""
        return was(self.blob("HEAD", path), 200)

    def absent(self, path: str) -> None:
        """Require that nothing is there."""
        was(self.blob("HEAD", path), 404, "BlobNotFound")

    def read(self, path: str) -> bytes:
        """Give the content of a file."""
        return was(self.blob("GET", path), 200).body

    def entries(self, query: str = "recursive=true") -> list[dict[str, Any]]:
        """Give the entries of one page."""
        answer = was(self.dfs("GET", "", f"resource=filesystem&{query}"), 200)
        entries: list[dict[str, Any]] = json.loads(answer.body)["paths"]
        return entries

    def names(self, query: str = "recursive=true") -> list[str]:
        """Give the names of one page."""
        return [entry["name"] for entry in self.entries(query)]

    def entry(self, path: str) -> dict[str, Any]:
        """Give the entry of a path in the listing of everything."""
        return next(entry for entry in self.entries() if entry["name"] == path)


Probe = Callable[[Filesystem], None]


def probes_of(names: dict[str, Any], module: str) -> tuple[Probe, ...]:
    """Give the public functions that a module defines: each of them is a probe."""
    return tuple(
        value
        for name, value in names.items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    )


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}

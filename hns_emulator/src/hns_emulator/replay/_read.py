"""
Read recordings of a real account: vcr cassettes (YAML) and single exchanges (JSON).

A cassette is one recording whose exchanges build on each other. A JSON file
holds a list of excerpts; each is a recording of its own, because what was sent
before it is not there.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

__all__ = [
    "RecordedAnswer",
    "RecordedExchange",
    "RecordedRequest",
    "Recording",
    "Unreadable",
    "read_folder",
]

#: The API version of an excerpt that names none: the oldest that the emulator serves unasked.
_DEFAULT_VERSION: Final = "2021-06-08"
#: Container names for the placeholders of excerpts; any other placeholder names itself.
_PLACEHOLDERS: Final = {"{fs}": "filesystem", "{nofs}": "no-filesystem"}
#: How a text decoder that knew no byte order mark wrote it down.
_MANGLED_BOM: Final = "\u00ef\u00bb\u00bf"


class Unreadable(Exception):
    """Raised when a file is not a recording of a known format."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What the client sent; `host` is `blob`, `dfs` or the foreign host's name."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """The request target as it goes over the wire."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str | None:
        """Look a header up, in any case."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What the service answered; header names in lower case, None = not recorded."""

    status: int
    reason: str | None
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One request and its answer; `reduced` = only the deciding headers were written down."""

    title: str
    version: str
    request: RecordedRequest
    answer: RecordedAnswer
    reduced: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """Exchanges that happened one after the other on one account."""

    name: str
    exchanges: tuple[RecordedExchange, ...]
    hint: str = ""


def read_folder(folder: Path) -> Iterator[Recording | tuple[str, Unreadable]]:
    """
    Read every recording below a folder, in the order of the names.

    Args:
        folder: Searched with its subfolders for `*.yaml`, `*.yml` and `*.json`.

    Yields:
        A recording, or a file's name with the reason why it is not a recording.
    """
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        try:
            if file.suffix in {".yaml", ".yml"}:
                yield _cassette(name, file.read_bytes())
            elif file.suffix == ".json":
                yield from _excerpts(name, file.read_bytes())
        except Unreadable as error:
            yield name, error


def _cassette(name: str, data: bytes) -> Recording:
    try:
        content = _yaml(data)
        exchanges = tuple(
            _interaction(number, entry) for number, entry in enumerate(content["interactions"], 1)
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"not a cassette: {error!r}"
        raise Unreadable(msg) from error
    return Recording(name, exchanges)


def _yaml(data: bytes) -> Any:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        msg = "reading YAML needs PyYAML: pip install 'remote-store-hns-emulator[replay]'"
        raise Unreadable(msg) from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Plain data only: an object of Python becomes the mapping or list it is written as."""

    def plain(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", plain)
    try:
        return yaml.load(data, Loader)
    except yaml.YAMLError as error:
        msg = f"not YAML: {error}"
        raise Unreadable(msg) from error


def _interaction(number: int, entry: Any) -> RecordedExchange:
    sent, got = entry["request"], entry["response"]
    headers = dict(_headers(sent["headers"]))
    request = _request(sent["method"], sent["uri"], headers, _bytes(sent.get("body")))
    answer = RecordedAnswer(
        int(got["status"]["code"]),
        got["status"].get("message"),
        {k.lower(): v for k, v in _headers(got["headers"])},
        _unmangled(_bytes(got.get("body"))),
    )
    version = request.header("x-ms-version") or _DEFAULT_VERSION
    return RecordedExchange(
        f"{number}. {request.method} {request.target}", version, request, answer
    )


def _headers(found: Any) -> Iterator[tuple[str, str]]:
    """Yield name and value, whichever way the recorder of the time wrote them down."""
    if isinstance(found, Mapping) and "state" not in found:
        for name, value in found.items():
            yield str(name), ", ".join(value) if isinstance(value, list) else str(value)
    elif isinstance(found, list) and len(found) == 2 and all(isinstance(x, str) for x in found):
        yield found[0], found[1]
    else:
        for part in found["state"] if isinstance(found, Mapping) else found:
            yield from _headers(part)


def _bytes(body: Any) -> bytes:
    if isinstance(body, Mapping):
        body = body.get("string")
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b""


def _unmangled(body: bytes) -> bytes:
    mangled = _MANGLED_BOM.encode()
    return b"\xef\xbb\xbf" + body.removeprefix(mangled) if body.startswith(mangled) else body


def _request(method: str, uri: str, headers: dict[str, str], body: bytes) -> RecordedRequest:
    parts = urlsplit(uri)
    labels = (parts.hostname or "").split(".")
    host = next((label for label in ("dfs", "blob") if label in labels[1:]), parts.netloc)
    length = int(next((v for k, v in headers.items() if k.lower() == "content-length"), 0))
    if length not in {0, len(body)}:
        # A body that the recorder left out had this many bytes; which ones is not known.
        body = bytes(length)
    return RecordedRequest(method.upper(), host, parts.path or "/", parts.query, headers, body)


def _excerpts(name: str, data: bytes) -> Iterator[Recording]:
    try:
        entries = json.loads(data)
        for number, entry in enumerate(entries, 1):
            exchange = _excerpt(entry)
            hint = f"{entry.get('op', '')} {entry.get('src', '')}".lower()
            yield Recording(f"{name}#{number} {entry.get('op', '')}", (exchange,), hint)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a list of excerpts: {error!r}"
        raise Unreadable(msg) from error


def _excerpt(entry: Mapping[str, Any]) -> RecordedExchange:
    method, shape, deciding, *rest = entry["req"]
    headers = {name: _filled(value) for name, value in deciding.items()}
    version = headers.setdefault("x-ms-version", entry.get("ver") or _DEFAULT_VERSION)
    path, _, query = _filled(shape).partition("?")
    path = "/" + quote(path.lstrip("/"), safe="/%!$&'()*+,;=:@")
    body = _bytes(rest[0]) if rest else b""
    length = next((v for k, v in headers.items() if k.lower() == "content-length"), None)
    if not body and "action=append" in query:
        body = bytes(int(length)) if length else b"x"
    answer = RecordedAnswer(
        int(entry["status"]),
        None,
        {k.lower(): str(v) for k, v in (entry.get("hdr") or {}).items()},
        _excerpt_body(method, entry),
    )
    host = _excerpt_host(method, query, headers, answer)
    request = RecordedRequest(method.upper(), host, path, query, headers, body)
    return RecordedExchange(f"{method} {request.target}", version, request, answer, reduced=True)


def _filled(value: str) -> str:
    """Put names where an excerpt has placeholders."""
    for placeholder, name in _PLACEHOLDERS.items():
        value = value.replace(placeholder, name)
    return value if "etag" in value.lower() else value.replace("{", "").replace("}", "")


def _excerpt_body(method: str, entry: Mapping[str, Any]) -> bytes | None:
    body = entry.get("body")
    if body is None:
        headers = {k.lower(): v for k, v in (entry.get("hdr") or {}).items()}
        return b"" if method == "HEAD" or headers.get("content-length", "0") == "0" else None
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _excerpt_host(
    method: str, query: str, headers: Mapping[str, str], answer: RecordedAnswer
) -> str:
    """Return the endpoint of an excerpt that does not name it: what only one of them has."""
    names = {part.partition("=")[0] for part in query.split("&")}
    if names & {"restype", "comp"} or any(k.lower() == "x-ms-blob-type" for k in headers):
        return "blob"
    if names & {"resource", "action", "mode", "recursive"} or method == "PATCH":
        return "dfs"
    if method == "DELETE" and "xml" not in answer.headers.get("content-type", ""):
        return "blob" if answer.status == 202 else "dfs"
    return "blob"

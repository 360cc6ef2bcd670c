"""Find the operation that a request asks for, and its path, from the request alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from hns_emulator.replay._read import RecordedRequest

__all__ = ["Name", "RequestedOperation", "clean", "operation", "parent"]

Name = Literal[
    "account",
    "create container",
    "container",
    "delete container",
    "list paths",
    "list blobs",
    "create",
    "append",
    "flush",
    "rename",
    "delete",
    "read",
    "put blob",
    "put block",
    "copy",
    "other",
]

#: Operations whose success changes what later answers say.
CHANGES: Final = frozenset(
    {"create", "append", "flush", "rename", "delete", "put blob", "put block", "copy", "other"}
    | {"create container", "delete container"}
)


@dataclass(frozen=True, slots=True)
class RequestedOperation:
    """An operation; paths are decoded, without a leading slash, and start with the container."""

    name: Name
    path: str
    query: Mapping[str, str]
    source: str | None = None

    @property
    def container(self) -> str:
        """The container's name; empty for operations on the account."""
        return self.path.partition("/")[0]


def clean(path: str) -> str:
    """Decode a path and drop its empty segments, as the service does."""
    return "/".join(filter(None, unquote(path).split("/")))


def parent(path: str) -> str:
    """Give the path of the folder (or container) that a path lies in."""
    return path.rpartition("/")[0]


def operation(request: RecordedRequest) -> RequestedOperation:
    """Classify a request."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    path = clean(request.path)
    source = request.header("x-ms-rename-source") or request.header("x-ms-copy-source")
    if source is not None:
        source = clean(urlsplit(source).path)
    name = (_blob if request.host == "blob" else _dfs)(request, query, path)
    return RequestedOperation(name, path, query, source)


def _blob(request: RecordedRequest, query: Mapping[str, str], path: str) -> Name:
    comp = query.get("comp")
    if query.get("restype") == "account" or not path:
        return "account"
    if query.get("restype") == "container":
        if comp is not None:
            return "list blobs" if comp == "list" else "other"
        return _container(request)
    if comp == "block" and request.method == "PUT":
        return "put block"
    if comp is not None and (comp, request.method) != ("blocklist", "PUT"):
        return "other"
    if request.method == "PUT":
        return "put blob" if request.header("x-ms-copy-source") is None else "copy"
    return _plain(request)


def _dfs(request: RecordedRequest, query: Mapping[str, str], path: str) -> Name:
    resource, action = query.get("resource"), query.get("action")
    if resource == "filesystem":
        return "list paths" if request.method == "GET" and "/" not in path else _container(request)
    if resource is not None:
        return "create" if request.method == "PUT" else "other"
    if request.method == "PUT":
        return "other" if request.header("x-ms-rename-source") is None else "rename"
    if action == "append" and request.method == "PATCH":
        return "append"
    if action == "flush" and request.method == "PATCH":
        return "flush"
    return "other" if action is not None else _plain(request)


def _container(request: RecordedRequest) -> Name:
    if request.method in {"PUT", "DELETE"}:
        return "create container" if request.method == "PUT" else "delete container"
    return "container"


def _plain(request: RecordedRequest) -> Name:
    if request.method in {"GET", "HEAD"}:
        return "read"
    return "delete" if request.method == "DELETE" else "other"

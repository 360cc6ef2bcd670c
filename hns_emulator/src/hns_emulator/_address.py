"""From a request line and a Host header to endpoint, filesystem and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from hns_emulator._endpoints.messages import Kind
from hns_emulator._errors import Refused

__all__ = ["Address", "locate", "queries"]

_DFS_QUERIES = {"resource", "action", "mode", "recursive"}


@dataclass(frozen=True, slots=True)
class Address:
    """
    What a request is addressed to.

    Attributes:
        name: Below the filesystem, decoded.
    """

    kind: Kind
    filesystem: str
    name: str


def queries(target: str) -> dict[str, str]:
    """
    Return the decoded queries of a raw target, names in lower case.

    Raises:
        Refused: If a name occurs twice.
    """
    found: dict[str, str] = {}
    for pair in filter(None, target.partition("?")[2].split("&")):
        name, _, value = pair.partition("=")
        lower = unquote(name).lower()
        if lower in found:
            raise Refused(code="UnsupportedQueryParameter", detail=f"{lower} twice")
        found[lower] = unquote(value)
    return found


def locate(
    account: str, method: str, target: str, headers: Mapping[str, str], query: Mapping[str, str]
) -> Address:
    """
    Find what a request is addressed to, in host style or in path style.

    *target* is path and query, still percent-encoded as on the wire; names of
    headers and queries are in lower case.

    Raises:
        Refused: UnsupportedHost for another host or account.
    """
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    path = target.partition("?")[0].removeprefix("/")
    kinds: dict[str, Kind] = {
        f"{account}.dfs.core.localhost": "dfs",
        f"{account}.blob.core.localhost": "blob",
    }
    if host in kinds:
        kind = kinds[host]
    elif host in ("127.0.0.1", "localhost"):
        lake = path.startswith(f"dfs/{account}/") or path == f"dfs/{account}"
        owner, _, path = path.removeprefix("dfs/" if lake else "").partition("/")
        if owner != account:
            raise Refused(code="UnsupportedHost", detail=f"account {owner}")
        kind = "dfs" if lake else _guess(method, headers, query)
    else:
        raise Refused(code="UnsupportedHost", detail=f"host {host}")
    filesystem, _, name = path.partition("/")
    return Address(kind, unquote(filesystem), unquote(name))


def _guess(method: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Kind:
    # In path style both endpoints have one address, so only the request shows which is meant.
    if "restype" in query or "comp" in query:
        return "blob"
    if _DFS_QUERIES & set(query) or "x-ms-rename-source" in headers:
        return "dfs"
    if method == "DELETE" and headers.get("accept") == "application/json":
        return "dfs"
    return "blob"

"""What nobody recorded answers 501, is counted, and changes nothing."""

from __future__ import annotations

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio

BLOCK = {"x-ms-blob-type": "BlockBlob"}
ETAG = '"0x8D000000000000F"'
DATE = "Fri, 19 Jun 2026 17:06:07 GMT"

CASES: list[tuple[str, str, str, str, dict[str, str], bytes]] = [
    # what it is counted as, method, endpoint, target, headers, body
    ("rename of a directory onto one that is not empty", "PUT", "dfs", "/full2?mode=legacy",
     {"x-ms-rename-source": "/{fs}/full"}, b""),
    ("rename of a directory onto one that is not empty, or in posix mode", "PUT", "dfs",
     "/empty?mode=posix", {"x-ms-rename-source": "/{fs}/full"}, b""),
    ("rename of a file onto itself", "PUT", "dfs", "/f?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f"}, b""),
    ("rename of a path with uncommitted blocks", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/staged"}, b""),
    ("rename with new properties", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f", "x-ms-properties": "k=dg=="}, b""),
    ("rename from a missing filesystem", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/nowhere/f"}, b""),
    ("rename source with a query", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f?a=b"}, b""),
    ("append below the committed length", "PATCH", "dfs", "/f?action=append&position=2", {}, b"x"),
    ("append of nothing", "PATCH", "dfs", "/f?action=append&position=3", {}, b""),
    ("rename of what is below a file", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f/x"}, b""),
    ("append below a file", "PATCH", "dfs", "/f/x?action=append&position=0", {}, b"x"),
    ("flush below a file", "PATCH", "dfs", "/f/x?action=flush&position=0", {}, b""),
    ("Put Block List below a file", "PUT", "blob", "/f/x?comp=blocklist", {},
     b"<BlockList></BlockList>"),
    ("append to a directory", "PATCH", "dfs", "/full?action=append&position=0", {}, b"x"),
    ("flush to a directory", "PATCH", "dfs", "/full?action=flush&position=0", {}, b""),
    ("retainUncommittedData=true", "PATCH", "dfs",
     "/f?action=flush&position=3&retainUncommittedData=true", {}, b""),
    ("delete of a directory without recursive", "DELETE", "dfs", "/empty", {}, b""),
    ("list of a file", "GET", "dfs", "?resource=filesystem&recursive=true&directory=f", {}, b""),
    ("beginfrom", "GET", "dfs", "?resource=filesystem&recursive=true&beginFrom=f", {}, b""),
    ("DFS read of a directory", "GET", "dfs", "/full", {}, b""),
    ("access tiers", "PUT", "blob", "/x", {**BLOCK, "x-ms-access-tier": "Cool"}, b""),
    ("access tiers", "PUT", "blob", "/f?comp=tier", {}, b""),
    ("tags", "PUT", "blob", "/x", {**BLOCK, "x-ms-tags": "a=b"}, b""),
    ("tags", "PUT", "blob", "/f?comp=tags", {}, b""),
    ("tags", "GET", "blob", "/f?comp=tags", {}, b""),
    ("public access", "PUT", "blob", "//new?restype=container",
     {"x-ms-blob-public-access": "blob"}, b""),
    ("Set Blob Properties of a directory", "PUT", "blob", "/full?comp=properties", {}, b""),
    ("ACLs", "HEAD", "dfs", "/f?action=getAccessControl&upn=false", {}, b""),
    ("ACLs", "PATCH", "dfs", "/f?action=setAccessControl", {}, b""),
    ("ACLs", "PATCH", "dfs", "/f?action=setAccessControlRecursive&mode=set", {}, b""),
    ("ACLs", "PATCH", "dfs", "?action=setAccessControl", {}, b""),
    ("ACLs", "PATCH", "dfs", "?action=setAccessControlRecursive", {}, b""),
    ("ACLs", "PUT", "dfs", "/x?resource=file", {"x-ms-permissions": "0777"}, b""),
    ("ACLs", "PUT", "dfs", "/x?resource=file", {"x-ms-umask": "0000"}, b""),
    ("setProperties", "PATCH", "dfs", "/f?action=setProperties", {}, b""),
    ("setProperties", "PATCH", "dfs", "?action=setProperties", {}, b""),
    ("leases", "POST", "dfs", "/f", {"x-ms-lease-action": "acquire"}, b""),
    ("leases", "PUT", "blob", "/f?comp=lease", {"x-ms-lease-action": "acquire"}, b""),
    ("leases", "PUT", "blob", "?restype=container&comp=lease", {}, b""),
    ("leases", "DELETE", "dfs", "/f", {"x-ms-lease-id": "x"}, b""),
    ("leases", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f", "x-ms-source-lease-id": "x"}, b""),
    ("expiry", "PUT", "dfs", "/x?resource=file", {"x-ms-expiry-option": "NeverExpire"}, b""),
    ("expiry", "PUT", "blob", "/f?comp=expiry", {}, b""),
    ("expiry", "PUT", "dfs", "/f?comp=expiry", {}, b""),
    ("undelete", "PUT", "dfs", "/f?comp=undelete", {}, b""),
    ("undelete", "PUT", "blob", "/f?comp=undelete", {}, b""),
    ("metadata beyond ASCII", "PUT", "dfs", "/x?resource=file", {"x-ms-properties": "k=/w=="}, b""),
    ("if-match on a path that does not exist", "PUT", "dfs", "/x?resource=file",
     {"If-Match": ETAG}, b""),
    ("if-unmodified-since on a path that does not exist", "PUT", "blob", "/x",
     {**BLOCK, "If-Unmodified-Since": DATE}, b""),
    ("if-match on a path that does not exist", "PUT", "dfs", "/x?mode=legacy",
     {"x-ms-rename-source": "/{fs}/f", "If-Match": ETAG}, b""),
    ("if-match with if-modified-since", "DELETE", "dfs", "/f",
     {"If-Match": ETAG, "If-Modified-Since": DATE}, b""),
    ("If-None-Match: * on something that must exist", "DELETE", "dfs", "/f",
     {"If-None-Match": "*"}, b""),
    ("Set Metadata of a directory", "PUT", "blob", "/full?comp=metadata", {}, b""),
    ("exclusive Put Blob over uncommitted blocks", "PUT", "blob", "/only",
     {**BLOCK, "If-None-Match": "*"}, b"x"),
    ("copy of a directory", "PUT", "blob", "/x", {"x-ms-copy-source": "{url}/{fs}/full"}, b""),
    ("copy of a file onto itself", "PUT", "blob", "/f", {"x-ms-copy-source": "{url}/{fs}/f"}, b""),
    ("copy from a missing container", "PUT", "blob", "/x",
     {"x-ms-copy-source": "{url}/nowhere/f"}, b""),
    ("copy from another account", "PUT", "blob", "/x",
     {"x-ms-copy-source": "http://other.blob.core.localhost/fs/f"}, b""),
    ("copy from another account", "PUT", "blob", "/x",
     {"x-ms-copy-source": "http://hnsaccount.dfs.core.localhost/{fs}/f"}, b""),
    ("copy of a container", "PUT", "blob", "/x", {"x-ms-copy-source": "{url}/{fs}/"}, b""),
    ("copy source with a query", "PUT", "blob", "/x",
     {"x-ms-copy-source": "{url}/{fs}/f?snapshot=1"}, b""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("counted", "method", "kind", "target", "headers", "body"),
    CASES,
    ids=[f"{case[1]}-{case[0]}" for case in CASES],
)
async def test_it_is_501(
    raw: Raw,
    counted: str,
    method: str,
    kind: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    """The code is EmulatorUnverified, and the tree stays as it was."""
    await raw.write("f", b"abc")
    await raw.create("full/child")
    await raw.create("full2/child")
    await raw.create("empty", "directory")
    await raw.put("staged", b"x")
    for path in ("staged", "only"):
        await raw("PUT", "blob", f"/{path}?comp=block&blockid=AAAA", body=b"x")
    listing = (await raw("GET", "dfs", "?resource=filesystem&recursive=true")).body
    raw.emulator.unverified.clear()
    raw.emulator.refused.clear()
    filled = {
        name: value.format(fs=raw.fs, url=raw.emulator.blob_url) for name, value in headers.items()
    }
    reply = await raw(method, kind, target, filled, body)
    assert (reply.status, reply.code) == (501, "EmulatorUnverified")
    assert raw.emulator.unverified == {counted: 1}
    assert counted in reply.reason
    assert not raw.emulator.refused
    assert (await raw("GET", "dfs", "?resource=filesystem&recursive=true")).body == listing

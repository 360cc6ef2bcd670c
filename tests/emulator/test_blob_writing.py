"""Writing by the Blob endpoint: whole files, blocks, metadata, copies, deletions."""

from __future__ import annotations

import base64
import hashlib

import pytest
from tests.emulator.conftest import Raw

pytestmark = pytest.mark.asyncio


async def test_a_put_makes_parents_and_replaces(raw: Raw) -> None:
    """The parents are directories; a second put gives a new ETag, metadata and type."""
    first = await raw.put("a/b", b"1", x_ms_meta_K="v", x_ms_blob_content_type="text/plain")
    assert (first.status, first.headers["x-ms-request-server-encrypted"]) == (201, "true")
    head = (await raw.head("a/b")).headers
    assert (head["x-ms-meta-K"], head["Content-Type"]) == ("v", "text/plain")
    assert (await raw.head("a")).headers["x-ms-resource-type"] == "directory"
    second = await raw.put("a/b", b"22")
    assert second.headers["ETag"] > first.headers["ETag"]
    head = (await raw.head("a/b")).headers
    assert (head.get("x-ms-meta-K"), head["Content-Type"], head["Content-Length"]) == (
        None,
        "application/octet-stream",
        "2",
    )


async def test_an_exclusive_put(raw: Raw) -> None:
    """On a file it is BlobAlreadyExists, and nothing changes."""
    assert (await raw.put("f", b"1", If_None_Match="*")).status == 201
    reply = await raw.put("f", b"2", If_None_Match="*")
    assert (reply.status, reply.code) == (409, "BlobAlreadyExists")
    assert await raw.get("f") == b"1"


async def test_a_conditional_put(raw: Raw) -> None:
    """If-Match holds for the same ETag only, never for what is missing."""
    etag = (await raw.put("f", b"1")).headers["ETag"]
    assert (await raw.put("f", b"2", If_Match=etag)).status == 201
    for path in ("f", "missing"):
        reply = await raw.put(path, b"3", If_Match=etag)
        assert (reply.status, reply.code) == (412, "ConditionNotMet")
    assert (await raw.head("missing")).status == 404


@pytest.mark.parametrize("headers", [{}, {"If_None_Match": "*"}])
async def test_a_put_in_the_way(raw: Raw, headers: dict[str, str]) -> None:
    """Over a directory it is 409; below a file the blob is not found, as recorded."""
    await raw.create("d/child")
    await raw.create("f")
    assert (await raw.put("d", b"x", **headers)).status == 409
    for path in ("f/below", "f/be/low"):
        reply = await raw.put(path, b"x", **headers)
        assert (reply.status, reply.code) == (404, "BlobNotFound")
    assert (await raw.head("d/child")).status == 200


async def test_below_a_file(raw: Raw) -> None:
    """A block and a deletion are refused there, as recorded."""
    await raw.create("f")
    block = await raw("PUT", "blob", "/f/x?comp=block&blockid=MQ%3D%3D", body=b"1")
    deletion = await raw("DELETE", "blob", "/f/x")
    for reply in (block, deletion):
        assert (reply.status, reply.code) == (409, "OperationNotAllowedInCurrentState")
    assert len(deletion.body) == 276


@pytest.mark.parametrize("header", ["Content-MD5", "x-ms-blob-content-md5"])
async def test_md5_of_a_put_is_verified(raw: Raw, header: str) -> None:
    """A wrong one writes nothing."""
    named = {header: base64.b64encode(hashlib.md5(b"other").digest()).decode()}
    reply = await raw.put("f", b"abc", **named)
    assert (reply.status, reply.code) == (400, "Md5Mismatch")
    assert (await raw.head("f")).status == 404


async def stage(raw: Raw, path: str, *blocks: str) -> None:
    """Put blocks whose content is their id."""
    for block in blocks:
        encoded = base64.b64encode(block.encode()).decode()
        reply = await raw(
            "PUT", "blob", f"/{path}?comp=block&blockid={encoded.replace('=', '%3D')}",
            body=block.encode(),
        )  # fmt: skip
        assert reply.status == 201


async def commit(raw: Raw, path: str, *blocks: str, **headers: str) -> tuple[int, str | None]:
    """Commit blocks in this order; return status and code."""
    ids = "".join(
        f"<Latest>{base64.b64encode(block.encode()).decode()}</Latest>" for block in blocks
    )
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{ids}</BlockList>'.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = await raw("PUT", "blob", f"/{path}?comp=blocklist", named, body)
    return reply.status, reply.code


async def test_blocks(raw: Raw) -> None:
    """They are seen once committed, in the order of the list; committed ones can be kept."""
    await stage(raw, "a/f", "one", "two")
    assert (await raw.head("a/f")).status == 404
    assert (await raw.head("a")).status == 404
    assert await commit(raw, "a/f", "two", "one") == (201, None)
    assert await raw.get("a/f") == b"twoone"
    await stage(raw, "a/f", "new")
    assert await commit(raw, "a/f", "one", "new") == (201, None)
    assert await raw.get("a/f") == b"onenew"


async def test_blocks_that_are_not_there(raw: Raw) -> None:
    """They are InvalidBlockList, also when a Put Blob has discarded them."""
    await stage(raw, "f", "one")
    assert await commit(raw, "f", "two") == (400, "InvalidBlockList")
    await raw.put("f", b"whole")
    assert await commit(raw, "f", "one") == (400, "InvalidBlockList")
    assert await raw.get("f") == b"whole"


async def test_an_exclusive_commit(raw: Raw) -> None:
    """On a file it is BlobAlreadyExists."""
    await raw.put("f", b"1")
    await stage(raw, "f", "one")
    assert await commit(raw, "f", "one", If_None_Match="*") == (409, "BlobAlreadyExists")
    assert await commit(raw, "f", "one", If_Match='"0x1"') == (412, "ConditionNotMet")
    assert await raw.get("f") == b"1"


async def test_block_ids_have_one_length(raw: Raw) -> None:
    """Another length than what is uncommitted is InvalidBlobOrBlock."""
    await stage(raw, "f", "one")
    encoded = base64.b64encode(b"another").decode().replace("=", "%3D")
    reply = await raw("PUT", "blob", f"/f?comp=block&blockid={encoded}", body=b"x")
    assert (reply.status, reply.code) == (400, "InvalidBlobOrBlock")


@pytest.mark.parametrize(
    "body",
    [b"", b"<BlockList>", b"<Other/>", b"<BlockList><Newest>x</Newest></BlockList>",
     b"<!DOCTYPE a []><BlockList/>"],
)  # fmt: skip
async def test_a_block_list_that_is_none(raw: Raw, body: bytes) -> None:
    """It is InvalidXmlDocument."""
    reply = await raw("PUT", "blob", "/f?comp=blocklist", body=body)
    assert (reply.status, reply.code) == (400, "InvalidXmlDocument")


async def test_the_block_list(raw: Raw) -> None:
    """Committed and uncommitted blocks with their sizes."""
    await stage(raw, "f", "one", "two")
    await commit(raw, "f", "one")
    await stage(raw, "f", "new")
    reply = await raw("GET", "blob", "/f?comp=blocklist&blocklisttype=all")
    assert reply.body.decode("utf-8-sig") == (
        '<?xml version="1.0" encoding="utf-8"?><BlockList>'
        "<CommittedBlocks><Block><Name>b25l</Name><Size>3</Size></Block></CommittedBlocks>"
        "<UncommittedBlocks><Block><Name>bmV3</Name><Size>3</Size></Block></UncommittedBlocks>"
        "</BlockList>"
    )


async def test_set_metadata(raw: Raw) -> None:
    """It replaces all, gives a new ETag and leaves the content."""
    first = await raw.put("f", b"1", x_ms_meta_a="1")
    reply = await raw("PUT", "blob", "/f?comp=metadata", {"x-ms-meta-b": "2"})
    assert (reply.status, reply.headers["ETag"] > first.headers["ETag"]) == (200, True)
    head = (await raw.head("f")).headers
    assert (head.get("x-ms-meta-a"), head["x-ms-meta-b"]) == (None, "2")
    assert head["ETag"] == reply.headers["ETag"]
    assert (await raw("PUT", "blob", "/no?comp=metadata")).code == "BlobNotFound"


async def copy(raw: Raw, source: str, target: str, **headers: str) -> tuple[int, str | None]:
    """Copy Blob within the filesystem; return status and code."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["x-ms-copy-source"] = f"{raw.emulator.blob_url}/{raw.fs}/{source}"
    reply = await raw("PUT", "blob", f"/{target}", named)
    return reply.status, reply.code


async def test_a_copy(raw: Raw) -> None:
    """It is done at once, makes parents, and has the source's metadata, type and MD5."""
    await raw.put("f", b"abc", x_ms_meta_k="v", x_ms_blob_content_type="text/plain")
    source = (await raw.head("f")).headers
    reply = await raw(
        "PUT", "blob", "/a/g", {"x-ms-copy-source": f"{raw.emulator.blob_url}/{raw.fs}/f"}
    )
    assert (reply.status, reply.headers["x-ms-copy-status"]) == (202, "success")
    copied = (await raw.head("a/g")).headers
    assert copied["x-ms-copy-id"] == reply.headers["x-ms-copy-id"]
    assert copied["ETag"] == reply.headers["ETag"] > source["ETag"]
    for name in ("x-ms-meta-k", "Content-Type", "Content-MD5", "Content-Length"):
        assert copied[name] == source[name]
    assert await copy(raw, "f", "other", x_ms_meta_k2="w") == (202, None)
    assert (await raw.head("other")).headers.get("x-ms-meta-k") is None


async def test_refused_copies(raw: Raw) -> None:
    """Conditions on the source win over those on the destination; nothing is written."""
    etag = (await raw.write("f", b"1")).headers["ETag"]
    await raw.write("g", b"2")
    await raw.create("d", "directory")
    wrong = {"x_ms_source_if_match": '"0x1"'}
    assert await copy(raw, "no", "x") == (404, "BlobNotFound")
    assert await copy(raw, "f", "x", **wrong) == (412, "SourceConditionNotMet")
    assert await copy(raw, "f", "g", If_None_Match="*") == (409, "BlobAlreadyExists")
    assert await copy(raw, "f", "g", **wrong, If_None_Match="*") == (412, "SourceConditionNotMet")
    assert await copy(raw, "f", "g", If_Match='"0x1"') == (412, "TargetConditionNotMet")
    assert await copy(raw, "f", "d") == (409, "ResourceTypeMismatch")
    assert await copy(raw, "f", "g/x") == (404, "BlobNotFound")
    assert (await raw.get("g"), (await raw.head("x")).status) == (b"2", 404)
    assert await copy(raw, "f", "x", x_ms_source_if_match=etag, If_None_Match="*") == (202, None)


async def test_delete_blob(raw: Raw) -> None:
    """A file or an empty directory is 202; a directory with children stays."""
    await raw.create("d/f")
    refused = await raw("DELETE", "blob", "/d")
    assert (refused.status, refused.code) == (409, "DirectoryIsNotEmpty")
    gone = await raw("DELETE", "blob", "/d/f")
    assert (gone.status, gone.headers["x-ms-delete-type-permanent"]) == (202, "true")
    snapshots = await raw("DELETE", "blob", "/d", {"x-ms-delete-snapshots": "include"})
    assert (snapshots.status, snapshots.code) == (400, "OperationNotSupportedOnDirectory")
    assert len(snapshots.body) == 257
    wrong = await raw("DELETE", "blob", "/d", {"If-Match": '"0x1"'})
    assert (wrong.status, wrong.code) == (412, "ConditionNotMet")
    assert (await raw("DELETE", "blob", "/d")).status == 202
    missing = await raw("DELETE", "blob", "/d")
    assert (missing.status, missing.code) == (404, "BlobNotFound")


async def test_snapshots_do_not_exist_here(raw: Raw) -> None:
    """Such accounts refuse them."""
    await raw.put("f", b"1")
    reply = await raw("PUT", "blob", "/f?comp=snapshot")
    code = "FeatureNotYetSupportedForHierarchicalNamespaceAccounts"
    assert (reply.status, reply.code) == (409, code)

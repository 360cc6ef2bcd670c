"""What the Blob endpoint must answer about the same files, as plain functions."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from email.utils import formatdate

from tests.emulator.account import COMMON, Filesystem, probes_of, ticks, was

__all__ = ["BLOB_PROBES"]

_READ = {
    *("accept-ranges", "content-length", "content-type", "etag", "last-modified"),
    *("x-ms-access-tier", "x-ms-access-tier-inferred", "x-ms-acl", "x-ms-blob-type"),
    *("x-ms-creation-time", "x-ms-group", "x-ms-lease-state", "x-ms-lease-status"),
    *("x-ms-owner", "x-ms-permissions", "x-ms-resource-type", "x-ms-server-encrypted"),
}


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def account_information_tells_of_the_namespace(fs: Filesystem) -> None:
    for target in ("/", f"/{fs.name}"):
        answer = fs.client.send("GET", "blob", f"{target}?comp=properties&restype=account")
        was(answer, 200)
        assert answer.headers["x-ms-is-hns-enabled"] == "true"
        assert answer.headers["x-ms-account-kind"] == "StorageV2"
        assert set(answer.headers) - COMMON == {
            *("content-length", "x-ms-account-kind", "x-ms-is-hns-enabled", "x-ms-sku-name"),
        }


def a_container_exists_once(fs: Filesystem) -> None:
    answer = fs.client.send("PUT", "blob", f"/{fs.name}?restype=container")
    was(answer, 409, "ContainerAlreadyExists")
    was(fs.client.send("GET", "blob", f"/{fs.name}?restype=container"), 200)


def xml_errors_have_the_recorded_bytes(fs: Filesystem) -> None:
    answer = fs.client.send("PUT", "blob", f"/{fs.name}?restype=container")
    assert answer.reason == "The specified container already exists."
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["content-length"] == "230"
    pattern = (
        '\ufeff<\\?xml version="1\\.0" encoding="utf-8"\\?><Error><Code>ContainerAlreadyExists'
        "</Code><Message>The specified container already exists\\.\n"
        r"RequestId:[0-9a-f-]{36}" + "\n"
        r"Time:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z</Message></Error>"
    )
    assert re.fullmatch(pattern, answer.body.decode())


def a_head_of_nothing_has_no_length(fs: Filesystem) -> None:
    answer = was(fs.blob("HEAD", "f"), 404, "BlobNotFound")
    assert answer.reason == "The specified blob does not exist."
    assert set(answer.headers) - COMMON == {"transfer-encoding", "x-ms-error-code"}
    assert answer.headers["transfer-encoding"] == "chunked"
    answer = was(fs.blob("GET", "f"), 404, "BlobNotFound")
    assert answer.headers["content-length"] == "215"


def a_file_has_the_recorded_properties(fs: Filesystem) -> None:
    etag = fs.put("f", b"12345")
    head = fs.head("f").headers
    assert set(head) - COMMON == _READ
    assert head["server"] == "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"
    wanted = {
        "accept-ranges": "bytes",
        "content-length": "5",
        "content-type": "application/octet-stream",
        "etag": etag,
        "x-ms-access-tier": "Hot",
        "x-ms-access-tier-inferred": "true",
        "x-ms-acl": "user::rw-,group::r--,other::---",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-group": "$superuser",
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-owner": "$superuser",
        "x-ms-permissions": "rw-r-----",
        "x-ms-resource-type": "file",
        "x-ms-server-encrypted": "true",
    }
    assert {name: head[name] for name in wanted} == wanted


def a_directory_is_marked(fs: Filesystem) -> None:
    etag = fs.mkdir("d")
    head = fs.head("d").headers
    assert set(head) - COMMON == _READ | {"x-ms-meta-hdi_isfolder"}
    assert (head["x-ms-meta-hdi_isfolder"], head["x-ms-resource-type"]) == ("true", "directory")
    assert (head["content-length"], head["etag"]) == ("0", etag)
    assert head["x-ms-permissions"] == "rwxr-x---"
    assert head["x-ms-acl"] == "user::rwx,group::r-x,other::---"


def ranges_are_clamped(fs: Filesystem) -> None:
    fs.put("f", b"0123456789")
    for asked, shown, body in (
        ("bytes=0-33554431", "bytes 0-9/10", b"0123456789"),
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
    ):
        answer = was(fs.blob("GET", "f", "", {"x-ms-range": asked}), 206)
        assert (answer.headers["content-range"], answer.body) == (shown, body)
        assert answer.headers["content-length"] == str(len(body))


def a_range_of_nothing_is_refused(fs: Filesystem) -> None:
    fs.put("f")
    fs.mkdir("d")
    for path in ("f", "d"):
        answer = fs.blob("GET", path, "", {"x-ms-range": "bytes=0-33554431"})
        was(answer, 416, "InvalidRange")
        assert answer.headers["content-range"] == "bytes */0"
        assert answer.headers["content-length"] == "249"
        assert fs.read(path) == b""


def reading_checks_its_conditions(fs: Filesystem) -> None:
    old = fs.put("f", b"x")
    new = fs.put("f", b"y")
    assert fs.blob("GET", "f", "", {"If-Match": old}).status == 412
    assert was(fs.blob("GET", "f", "", {"If-Match": new}), 200).body == b"y"


def putting_a_blob_replaces_it_whole(fs: Filesystem) -> None:
    data = b"some bytes"
    answer = was(fs.put_blob("a/f", data, x_ms_meta_k="v"), 201)
    head = fs.head("a/f").headers
    assert (head["etag"], head["x-ms-meta-k"]) == (answer.headers["etag"], "v")
    assert head["content-md5"] == _md5(data)
    assert fs.head("a").headers["x-ms-resource-type"] == "directory"
    second = was(fs.put_blob("a/f", b"new"), 201).headers["etag"]
    assert ticks(second) > ticks(answer.headers["etag"])
    assert fs.read("a/f") == b"new"
    assert "x-ms-meta-k" not in fs.head("a/f").headers


def an_exclusive_put_spares_what_is_there(fs: Filesystem) -> None:
    was(fs.put_blob("f", b"old", If_None_Match="*"), 201)
    was(fs.put_blob("f", b"new", If_None_Match="*"), 409, "BlobAlreadyExists")
    assert fs.read("f") == b"old"


def a_blob_replaces_no_directory_and_no_parent(fs: Filesystem) -> None:
    fs.put("d/f", b"x")
    assert fs.put_blob("d", b"y").status == 409
    was(fs.put_blob("d/f/below", b"y"), 404, "BlobNotFound")
    assert fs.names() == ["d", "d/f"]


def a_checksum_is_told_of_what_was_sent(fs: Filesystem) -> None:
    for body, crc in ((b"x", "seRUZAJnvS0="), (b"data", "gCf8jkNhru0="), (b"", "AAAAAAAAAAA=")):
        answer = was(fs.put_blob("f", body), 201)
        assert answer.headers["x-ms-content-crc64"] == crc
        assert answer.headers["content-md5"] == _md5(body)
    answer = was(fs.blob("PUT", "g", "comp=block&blockid=MQ%3D%3D", None, b"streamed"), 201)
    assert answer.headers["x-ms-content-crc64"] == "bPprzVyB9zw="
    assert "content-md5" not in answer.headers


def writing_a_blob_over_a_file_keeps_its_creation_time(fs: Filesystem) -> None:
    was(fs.put_blob("f", b"old"), 201)
    was(fs.put_blob("source", b"s"), 201)
    created = fs.entry("f")["creationTime"]
    was(fs.put_blob("f", b"new"), 201)
    source = {"x-ms-copy-source": f"{fs.emulator.blob_url}{fs.target('source')}"}
    was(fs.blob("PUT", "f", "", source), 202)
    assert fs.entry("f")["creationTime"] == created


def a_directory_made_for_a_file_has_no_type(fs: Filesystem) -> None:
    fs.put("d/f")
    assert set(fs.head("d").headers) - COMMON == _READ - {"content-type"} | {
        "x-ms-meta-hdi_isfolder"
    }


def what_was_put_whole_is_not_appended_to(fs: Filesystem) -> None:
    was(fs.put_blob("f", b"old"), 201)
    was(fs.append("f", 3, b"new"), 409, "InvalidFlushOperation")
    assert fs.read("f") == b"old"


def a_blob_is_deleted_with_202(fs: Filesystem) -> None:
    fs.put("f", b"x")
    answer = was(fs.blob("DELETE", "f"), 202)
    assert answer.headers["x-ms-delete-type-permanent"] == "true"
    fs.absent("f")
    was(fs.blob("DELETE", "f"), 404, "BlobNotFound")


def a_blob_delete_spares_directories_in_use(fs: Filesystem) -> None:
    fs.put("d/f", b"x")
    was(fs.blob("DELETE", "d"), 409, "DirectoryIsNotEmpty")
    assert fs.read("d/f") == b"x"
    fs.mkdir("e")
    answer = fs.blob("DELETE", "e", "", {"x-ms-delete-snapshots": "include"})
    was(answer, 400, "OperationNotSupportedOnDirectory")
    was(fs.blob("DELETE", "e"), 202)
    fs.absent("e")


def metadata_can_be_set(fs: Filesystem) -> None:
    old = fs.put("f", b"x")
    was(fs.blob("PUT", "f", "comp=metadata", {"x-ms-meta-k": "v"}), 200)
    head = fs.head("f").headers
    assert head["x-ms-meta-k"] == "v"
    assert ticks(head["etag"]) > ticks(old)
    assert fs.read("f") == b"x"


def a_copy_is_like_its_source(fs: Filesystem) -> None:
    fs.put("f", b"data", x_ms_properties="k=dg==")
    source = f"http://{fs.client.account}.blob.core.localhost:{fs.client.port}{fs.target('f')}"
    answer = was(fs.blob("PUT", "g", "", {"x-ms-copy-source": source}), 202)
    assert answer.headers["x-ms-copy-status"] == "success"
    assert fs.read("g") == b"data"
    assert fs.head("g").headers["x-ms-meta-k"] == "v"
    assert fs.read("f") == b"data"
    again = {"x-ms-copy-source": source, "If-None-Match": "*"}
    was(fs.blob("PUT", "g", "", again), 409, "BlobAlreadyExists")
    wrong = {"x-ms-copy-source": source, "x-ms-source-if-match": answer.headers["etag"]}
    was(fs.blob("PUT", "h", "", wrong), 412, "SourceConditionNotMet")
    fs.absent("h")


def copying_nothing_fails(fs: Filesystem) -> None:
    source = f"http://{fs.client.account}.blob.core.localhost:{fs.client.port}{fs.target('f')}"
    assert fs.blob("PUT", "g", "", {"x-ms-copy-source": source}).status == 404


def blobs_are_listed_with_their_types(fs: Filesystem) -> None:
    fs.put("d/f", b"12345")
    fs.put("g", b"1")
    answer = was(fs.blob("GET", "", "restype=container&comp=list"), 200)
    text = answer.body.decode()
    assert text.startswith('\ufeff<?xml version="1.0" encoding="utf-8"?>')
    assert re.findall("<Name>([^<]*)</Name>", text) == ["d", "d/f", "g"]
    kinds = ["directory", "file", "file"]
    assert re.findall("<ResourceType>([^<]*)</ResourceType>", text) == kinds
    assert re.findall("<Content-Length>([^<]*)<", text) == ["0", "5", "1"]
    etag = fs.head("g").headers["etag"].strip('"')
    assert re.findall("<Etag>([^<]*)</Etag>", text)[-1] == etag
    assert "hdi_isfolder" not in text
    more = fs.blob("GET", "", "restype=container&comp=list&include=metadata").body.decode()
    assert more.count("<hdi_isfolder>true</hdi_isfolder>") == 1


def blobs_are_listed_by_prefix_and_delimiter(fs: Filesystem) -> None:
    for path in ("d/f", "d/e/f", "g"):
        fs.put(path, b"1")
    for query, names in (
        ("prefix=d%2F", ["d/e", "d/e/f", "d/f"]),
        ("prefix=d%2F&delimiter=%2F", ["d/f"]),
        ("delimiter=%2F", ["g"]),
    ):
        text = fs.blob("GET", "", f"restype=container&comp=list&{query}").body.decode()
        blobs = "".join(re.findall("<Blob>.*?</Blob>", text, re.DOTALL))
        assert re.findall("<Name>([^<]*)</Name>", blobs) == names
        folders = "".join(re.findall("<BlobPrefix>.*?</BlobPrefix>", text, re.DOTALL))
        expected = {"delimiter=%2F": ["d/"], "prefix=d%2F&delimiter=%2F": ["d/e/"]}
        assert re.findall("<Name>([^<]*)</Name>", folders) == expected.get(query, [])
        assert folders.count("<Properties>") == len(expected.get(query, []))


def blob_pages_follow_each_other(fs: Filesystem) -> None:
    for n in range(5):
        fs.put(f"f{n}")
    names: list[list[str]] = []
    marker = "&"
    while marker:
        query = f"restype=container&comp=list&maxresults=2{marker.rstrip('&')}"
        text = was(fs.blob("GET", "", query), 200).body.decode()
        names.append(re.findall("<Name>([^<]*)</Name>", text))
        found = re.search("<NextMarker>([^<]+)</NextMarker>", text)
        marker = f"&marker={found[1]}" if found else ""
    assert names == [["f0", "f1"], ["f2", "f3"], ["f4"]]


def blocks_become_a_blob_when_they_are_listed(fs: Filesystem) -> None:
    ids = [base64.b64encode(b"%04d" % n).decode() for n in range(2)]
    for block, data in zip(ids, (b"one", b"two"), strict=True):
        query = f"comp=block&blockid={block.replace('=', '%3D')}"
        was(fs.blob("PUT", "f", query, None, data), 201)
    fs.absent("f")
    items = "".join(f"<Latest>{block}</Latest>" for block in ids)
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()
    was(fs.blob("PUT", "f", "comp=blocklist", None, body), 201)
    assert fs.read("f") == b"onetwo"


def time_conditions_count_whole_seconds(fs: Filesystem) -> None:
    fs.put("f", b"x")
    modified = fs.head("f").headers["last-modified"]
    past = formatdate(time.time() - 3600, usegmt=True)
    for name, value, status in (
        ("If-Modified-Since", past, 200),
        ("If-Unmodified-Since", modified, 200),
        ("If-Unmodified-Since", past, 412),
    ):
        assert fs.blob("GET", "f", "", {name: value}).status == status


BLOB_PROBES = probes_of(globals(), __name__)

"""Who may ask the Data Lake endpoint, what it refuses, how it lists, and its bytes on the wire."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from email.utils import formatdate
from urllib.parse import quote

from tests.emulator.account import COMMON, Filesystem, Probe, probes_of, was

from hns_emulator import HnsEmulator
from hns_emulator.replay._send import authorization

__all__ = ["WIRE_PROBES"]

_FILETIME = 504_911_232_000_000_000


# Who asks, and how


def unsigned_and_wrongly_signed_requests_are_refused(fs: Filesystem) -> None:
    answer = fs.client.send("DELETE", "dfs", fs.target("f"), sign=False)
    was(answer, 401, "NoAuthenticationInformation")
    wrong = f"SharedKey {fs.client.account}:{base64.b64encode(bytes(32)).decode()}"
    was(fs.dfs("PUT", "f", "resource=file", {"Authorization": wrong}), 403, "AuthenticationFailed")
    fs.absent("f")


def a_signature_covers_every_part_of_the_request(fs: Filesystem) -> None:
    def stolen(header: dict[str, str], query: str, method: str = "PUT") -> int:
        date = formatdate(usegmt=True)
        signed = {"x-ms-date": date, "x-ms-version": "2026-04-06", "Content-Length": "0"}
        signature = authorization(
            fs.client.account, fs.client.key, "PUT", fs.target("f", "resource=file"), signed
        )
        headers = {**signed, **header, "Authorization": signature}
        return fs.client.send(method, "dfs", fs.target("f", query), headers).status

    assert stolen({"x-ms-properties": "a=Yg=="}, "resource=file") == 403
    assert stolen({"If-None-Match": "*"}, "resource=file") == 403
    assert stolen({}, "resource=directory") == 403
    assert stolen({}, "resource=file") == 201


def an_old_date_is_refused(fs: Filesystem) -> None:
    for offset in (-1000, 1000):
        old = {"x-ms-date": formatdate(time.time() + offset, usegmt=True)}
        was(fs.dfs("PUT", "f", "resource=file", old), 403, "AuthenticationFailed")


def what_is_not_in_the_tables_is_refused(fs: Filesystem) -> None:
    unknown = fs.dfs("PUT", "f", "resource=file&surprise=1")
    was(unknown, 501, "UnsupportedQueryParameter")
    was(fs.create("f", x_ms_surprise="1"), 501, "UnsupportedHeader")
    fs.absent("f")


def each_endpoint_takes_its_own_requests(fs: Filesystem) -> None:
    was(fs.blob("PUT", "f", "resource=file"), 501, "UnsupportedOperation")
    was(fs.dfs("GET", "", "restype=container&comp=list"), 501, "UnsupportedOperation")
    fs.absent("f")


def missing_parameters_are_refused(fs: Filesystem) -> None:
    fs.put("f")
    answer = fs.dfs("PATCH", "f", "action=append", None, b"x")
    was(answer, 400, "MissingRequiredQueryParameter")
    was(fs.dfs("PATCH", "f", "action=flush"), 400, "MissingRequiredQueryParameter")


def a_wrong_checksum_is_refused(fs: Filesystem) -> None:
    fs.put("f")
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    answer = fs.dfs("PATCH", "f", "action=append&position=0", {"Content-MD5": md5}, b"data")
    was(answer, 400, "Md5Mismatch")


# List


def a_listing_is_sorted_depth_first(fs: Filesystem) -> None:
    for path in ("b", "a/z", "a/b/c", "a.txt", "a-b/x"):
        fs.put(path)
    names = fs.names()
    assert sorted(names) == sorted(["a", "a/b", "a/b/c", "a/z", "a-b", "a-b/x", "a.txt", "b"])
    assert names.index("a") + 1 == names.index("a/b")
    assert names[names.index("a") :][:4] == ["a", "a/b", "a/b/c", "a/z"]
    assert fs.names("recursive=false") == [name for name in names if "/" not in name]
    assert fs.names("directory=a&recursive=false") == ["a/b", "a/z"]
    assert fs.names("directory=a&recursive=true") == ["a/b", "a/b/c", "a/z"]
    assert fs.names("directory=%2F&recursive=true") == names


def a_listing_has_the_recorded_shape(fs: Filesystem) -> None:
    fs.put("d/f", b"12345")
    answer = fs.dfs("GET", "", "resource=filesystem&recursive=true")
    assert set(answer.headers) - COMMON == {"content-type", "transfer-encoding"}
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    text = answer.body.decode()
    assert text == json.dumps(json.loads(text), separators=(",", ":")) + "\n"
    folder, file = json.loads(text)["paths"]
    keys = "contentLength creationTime etag expiryTime group lastModified name owner permissions"
    assert list(file) == keys.split()
    assert list(folder) == sorted([*keys.split(), "isDirectory"])
    assert (folder["contentLength"], file["contentLength"]) == ("0", "5")
    assert (folder["isDirectory"], folder["permissions"]) == ("true", "rwxr-x---")
    assert (file["owner"], file["group"], file["permissions"]) == (
        *("$superuser", "$superuser"),
        "rw-r-----",
    )
    assert file["etag"] == fs.head("d/f").headers["etag"].strip('"')


def an_empty_root_lists_as_recorded(fs: Filesystem) -> None:
    answer = fs.dfs("GET", "", "directory=%2F&recursive=true&resource=filesystem")
    assert answer.body == b'{"paths":[]}\n'


def listing_what_is_missing_fails(fs: Filesystem) -> None:
    answer = fs.dfs("GET", "", "resource=filesystem&directory=no&recursive=true")
    was(answer, 404, "PathNotFound")
    answer = fs.client.send("GET", "dfs", "/missing?resource=filesystem&recursive=true")
    was(answer, 404, "FilesystemNotFound")
    was(fs.client.send("DELETE", "dfs", "/missing/f"), 404, "FilesystemNotFound")


def pages_follow_each_other(fs: Filesystem) -> None:
    expected = [f"f{n}" for n in range(7)]
    for name in expected:
        fs.put(name)
    query, pages = "resource=filesystem&recursive=true&maxResults=3", []
    token: str | None = ""
    while token is not None:
        more = f"&continuation={_escaped(token)}" if token else ""
        answer = was(fs.dfs("GET", "", query + more), 200)
        pages.append([entry["name"] for entry in json.loads(answer.body)["paths"]])
        token = answer.headers.get("x-ms-continuation")
    assert pages == [expected[:3], expected[3:6], expected[6:]]


def a_page_shows_the_state_at_that_moment(fs: Filesystem) -> None:
    for name in ("a", "b", "c", "d"):
        fs.put(name)
    query = "resource=filesystem&recursive=true&maxResults=2"
    token = fs.dfs("GET", "", query).headers["x-ms-continuation"]
    was(fs.delete("c"), 200)
    answer = was(fs.dfs("GET", "", f"{query}&continuation={_escaped(token)}"), 200)
    assert [entry["name"] for entry in json.loads(answer.body)["paths"]] == ["d"]


def a_continuation_belongs_to_its_query(fs: Filesystem) -> None:
    for name in ("d/a", "d/b", "e/a", "e/b"):
        fs.put(name)
    query = "resource=filesystem&recursive=true&maxResults=1&directory="
    token = _escaped(fs.dfs("GET", "", query + "d").headers["x-ms-continuation"])
    assert fs.dfs("GET", "", f"{query}e&continuation={token}").status == 400
    was(fs.dfs("GET", "", f"{query}d&continuation={token}"), 200)


def a_page_cap_cuts_pages(fs: Filesystem) -> None:
    with (
        HnsEmulator(page_cap=2) as emulator,
        Filesystem(emulator) as capped,
    ):
        for name in ("a", "b", "c"):
            capped.put(name)
        answer = was(capped.dfs("GET", "", "resource=filesystem&recursive=true"), 200)
    assert [entry["name"] for entry in json.loads(answer.body)["paths"]] == ["a", "b"]
    assert answer.headers["x-ms-continuation"]


# Bytes on the wire


def errors_have_the_recorded_bytes(fs: Filesystem) -> None:
    answer = was(fs.delete("f"), 404, "PathNotFound")
    assert answer.reason == "The specified path does not exist."
    assert answer.headers["content-length"] == "163"
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    pattern = (
        r'\{"error":\{"code":"PathNotFound","message":"The specified path does not exist\.'
        r"\\nRequestId:[0-9a-f-]{36}\\nTime:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z\"\}\}"
    )
    assert re.fullmatch(pattern, answer.body.decode())
    assert answer.headers["x-ms-request-id"] in answer.body.decode()


def answers_to_create_have_the_recorded_headers(fs: Filesystem) -> None:
    for kind in ("file", "directory"):
        answer = was(fs.create(kind, kind, x_ms_client_request_id="mine"), 201)
        assert set(answer.headers) - COMMON == {
            *("content-length", "etag", "last-modified", "x-ms-client-request-id"),
            "x-ms-request-server-encrypted",
        }
        assert answer.headers["x-ms-client-request-id"] == "mine"
        assert answer.headers["x-ms-version"] == "2026-04-06"
        assert answer.headers["x-ms-request-server-encrypted"] == "true"
        assert answer.headers["server"] == "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0"
        assert answer.reason == "Created"


def _escaped(token: str) -> str:
    return quote(token, safe="")


WIRE_PROBES: tuple[Probe, ...] = probes_of(globals(), __name__)

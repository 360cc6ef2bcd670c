"""
What the Data Lake endpoint must answer, as plain functions on a new filesystem.

A probe raises AssertionError if the emulator answers anything else than a real
account was seen, or is documented, to answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from email.utils import formatdate
from urllib.parse import quote

from tests.emulator.account import ANY, COMMON, Filesystem, Probe, probes_of, ticks, was
from tests.emulator.probes_blob import BLOB_PROBES
from tests.emulator.probes_race import RACE_PROBES

from hns_emulator import HnsEmulator
from hns_emulator._replay_send import authorization

__all__ = ["PROBES"]

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


# Create


def create_makes_parents_with_stamps_of_their_own(fs: Filesystem) -> None:
    etag = fs.put("a/b/f")
    stamps = [ticks(fs.head(path).headers["etag"]) for path in ("a", "a/b")]
    assert stamps[0] < stamps[1] < ticks(etag)


def a_new_child_does_not_touch_its_parent(fs: Filesystem) -> None:
    etag = fs.mkdir("d")
    fs.put("d/f", b"x")
    fs.mkdir("d/e")
    assert fs.head("d").headers["etag"] == etag
    assert fs.entry("d")["etag"] == etag.strip('"')


def exclusive_create_spares_what_is_there(fs: Filesystem) -> None:
    etag = fs.put("f", b"old")
    for path, kind in (("f", "file"), ("d", "directory")):
        if kind == "directory":
            etag = fs.mkdir("d")
        answer = was(fs.create(path, kind, If_None_Match="*"), 409, "PathAlreadyExists")
        assert answer.reason == "The specified path already exists."
        assert fs.head(path).headers["etag"] == etag
    assert fs.read("f") == b"old"
    was(fs.create("free", If_None_Match="*"), 201)


def create_over_a_file_empties_it(fs: Filesystem) -> None:
    first = fs.put("f", b"old")
    second = was(fs.create("f"), 201).headers["etag"]
    assert ticks(second) > ticks(first)
    assert fs.read("f") == b""


def create_drops_what_was_not_flushed(fs: Filesystem) -> None:
    fs.put("f")
    was(fs.append("f", 0, b"lost"), 202)
    fs.put("f")
    was(fs.flush("f", 4), 400, "InvalidFlushPosition")


def create_over_a_directory_keeps_the_children(fs: Filesystem) -> None:
    first = fs.mkdir("d")
    created = fs.entry("d")["creationTime"]
    fs.put("d/f", b"x")
    assert ticks(fs.mkdir("d")) > ticks(first)
    assert fs.names() == ["d", "d/f"]
    assert fs.entry("d")["creationTime"] == created


def kinds_do_not_replace_each_other(fs: Filesystem) -> None:
    fs.put("f", b"x")
    fs.mkdir("d")
    was(fs.create("f", "directory"), 409, "PathConflict")
    was(fs.create("d", "file"), 409, "PathConflict")
    was(fs.create("f/below"), 409, "PathConflict")
    assert fs.read("f") == b"x"


def every_change_has_an_etag_of_its_own(fs: Filesystem) -> None:
    etags = [fs.put(f"f{n}", b"x") for n in range(5)] + [fs.put("f0") for _ in range(5)]
    assert sorted(set(etags), key=ticks) == etags


def the_etag_is_the_time_of_the_change(fs: Filesystem) -> None:
    etag = fs.put("f", b"x")
    headers, entry = fs.head("f").headers, fs.entry("f")
    seconds = ticks(etag) / 1e7 - 62_135_596_800
    assert abs(seconds - time.time()) < 60
    assert headers["last-modified"] == formatdate(int(seconds), usegmt=True)
    assert entry["lastModified"] == headers["last-modified"]
    created = ticks(fs.create("g").headers["etag"])
    assert int(fs.entry("g")["creationTime"]) + _FILETIME == created


def metadata_is_kept(fs: Filesystem) -> None:
    fs.put("f", b"x", x_ms_properties="one=MQ==,two=" + base64.b64encode(b"zwei").decode())
    headers = fs.head("f").headers
    assert (headers["x-ms-meta-one"], headers["x-ms-meta-two"]) == ("1", "zwei")


# Append and flush


def appended_bytes_wait_for_the_flush(fs: Filesystem) -> None:
    etag = fs.put("f")
    answer = was(fs.append("f", 0, b"data"), 202)
    assert set(answer.headers) - COMMON == {"content-length", "x-ms-request-server-encrypted"}
    head = fs.head("f").headers
    assert (head["content-length"], head["etag"]) == ("0", etag)
    assert fs.read("f") == b""
    flushed = was(fs.flush("f", 4, If_Match=etag), 200)
    assert ticks(flushed.headers["etag"]) > ticks(etag)
    assert flushed.headers["x-ms-request-server-encrypted"] == "false"
    assert fs.head("f").headers["etag"] == flushed.headers["etag"]
    assert fs.read("f") == b"data"


def appends_come_in_any_order(fs: Filesystem) -> None:
    fs.put("f")
    was(fs.append("f", 4, b"last"), 202)
    was(fs.append("f", 0, b"xxxx"), 202)
    was(fs.append("f", 0, b"long"), 202)
    was(fs.flush("f", 8), 200)
    assert fs.read("f") == b"longlast"
    was(fs.append("f", 8, b"!", "&flush=true"), 202)
    assert fs.read("f") == b"longlast!"


def a_flush_commits_what_joins_and_nothing_else(fs: Filesystem) -> None:
    etag = fs.put("f")
    was(fs.append("f", 4, b"gap"), 202)
    for position in (3, 4, 7):
        was(fs.flush("f", position), 400, "InvalidFlushPosition")
    assert fs.head("f").headers["etag"] == etag
    was(fs.append("f", 0, b"none"), 202)
    was(fs.flush("f", 6), 400, "InvalidFlushPosition")
    was(fs.flush("f", 7), 200)
    assert fs.read("f") == b"nonegap"


def writing_to_nothing_fails(fs: Filesystem) -> None:
    was(fs.append("f", 0, b"x"), 404, "PathNotFound")
    was(fs.flush("f", 0), 404, "PathNotFound")
    fs.absent("f")


def a_flush_of_nothing_changes_nothing(fs: Filesystem) -> None:
    etag = fs.put("f")
    assert was(fs.flush("f", 0), 200).headers["etag"] == etag
    etag = was(fs.append("f", 0, b"x", "&flush=true"), 202).headers["etag"]
    assert was(fs.flush("f", 1), 200).headers["etag"] == etag


def below_a_file_the_path_conflicts(fs: Filesystem) -> None:
    fs.put("f")
    fs.put("g")
    was(fs.create("f/x"), 409, "PathConflict")
    was(fs.delete("f/x"), 409, "PathConflict")
    listing = fs.dfs("GET", "", "resource=filesystem&recursive=false&directory=f/x")
    was(listing, 409, "PathConflict")
    was(fs.rename("g", "f/x"), 409, "InvalidSourceOrDestinationResourceType")
    assert fs.names() == ["f", "g"]


def a_flush_can_be_conditional(fs: Filesystem) -> None:
    old = fs.put("f")
    fs.put("f")
    was(fs.append("f", 0, b"x"), 202)
    was(fs.flush("f", 1, If_Match=old), 412, "ConditionNotMet")
    assert fs.read("f") == b""


# Rename


def rename_carries_everything(fs: Filesystem) -> None:
    etag = fs.put("f", b"data", x_ms_properties="k=dg==")
    before = {**fs.entry("f"), "name": "g"}
    answer = was(fs.rename("f", "g"), 201)
    assert set(answer.headers) - COMMON == {"content-length", "etag", "last-modified"}
    assert answer.headers["etag"] == etag
    assert fs.entry("g") == before
    head = fs.head("g").headers
    assert (head["etag"], head["x-ms-meta-k"]) == (etag, "v")
    assert fs.read("g") == b"data"
    fs.absent("f")


def rename_carries_what_was_not_flushed(fs: Filesystem) -> None:
    fs.put("f")
    was(fs.append("f", 0, b"data"), 202)
    was(fs.rename("f", "g"), 201)
    was(fs.flush("g", 4), 200)
    assert fs.read("g") == b"data"


def rename_replaces_a_file(fs: Filesystem) -> None:
    etag = fs.put("new", b"new")
    fs.put("old", b"old")
    was(fs.rename("new", "old"), 201)
    assert fs.read("old") == b"new"
    assert fs.head("old").headers["etag"] == etag
    fs.absent("new")


def rename_moves_a_whole_directory(fs: Filesystem) -> None:
    etag = fs.mkdir("d")
    fs.put("d/e/f", b"deep")
    assert was(fs.rename("d", "moved"), 201).headers["etag"] == etag
    assert fs.names() == ["moved", "moved/e", "moved/e/f"]
    assert fs.read("moved/e/f") == b"deep"
    fs.mkdir("empty")
    was(fs.rename("moved", "empty"), 201)
    assert fs.names() == ["empty", "empty/e", "empty/e/f"]


def rename_needs_its_source(fs: Filesystem) -> None:
    fs.put("g", b"old")
    answer = was(fs.rename("f", "g"), 404, "SourcePathNotFound")
    assert answer.reason == "The source path for a rename operation does not exist."
    assert fs.read("g") == b"old"


def rename_needs_the_parent_of_its_destination(fs: Filesystem) -> None:
    fs.put("f", b"x")
    was(fs.rename("f", "no/g"), 404, "RenameDestinationParentPathNotFound")
    fs.absent("no")
    assert fs.read("f") == b"x"


def exclusive_rename_spares_what_is_there(fs: Filesystem) -> None:
    fs.put("f", b"new")
    fs.put("g", b"old")
    was(fs.rename("f", "g", ANY), 409, "PathAlreadyExists")
    assert (fs.read("f"), fs.read("g")) == (b"new", b"old")
    was(fs.rename("f", "free", ANY), 201)


def rename_onto_another_kind_fails(fs: Filesystem) -> None:
    fs.put("f")
    fs.mkdir("d")
    for source, target in (("f", "d"), ("d", "f")):
        was(fs.rename(source, target), 409, "InvalidSourceOrDestinationResourceType")
    was(fs.rename("d", "d/e"), 409, "InvalidRenameSourcePath")
    assert fs.names() == ["d", "f"]


def rename_checks_its_conditions(fs: Filesystem) -> None:
    source, target = fs.put("f", b"new"), fs.put("g", b"old")
    for condition in ({"x-ms-source-if-match": target}, {"x-ms-source-if-none-match": source}):
        answer = was(fs.rename("f", "g", condition), 412, "SourceConditionNotMet")
        assert answer.reason.startswith("The source condition specified using HTTP")
    for condition in ({"If-Match": source}, {"If-None-Match": target}):
        was(fs.rename("f", "g", condition), 412, "ConditionNotMet")
    past = formatdate(time.time() - 86400, usegmt=True)
    was(fs.rename("f", "g", {"If-Unmodified-Since": past}), 412, "ConditionNotMet")
    assert (fs.read("f"), fs.read("g")) == (b"new", b"old")
    both = {"If-Match": target, "x-ms-source-if-match": source}
    was(fs.rename("f", "g", both), 201)


# Delete


def deleting_nothing_fails(fs: Filesystem) -> None:
    was(fs.delete("f"), 404, "PathNotFound")
    was(fs.delete("no/f"), 404, "PathNotFound")
    was(fs.delete("d", "recursive=true"), 404, "PathNotFound")


def delete_answers_as_recorded(fs: Filesystem) -> None:
    fs.put("f")
    answer = was(fs.delete("f"), 200)
    assert set(answer.headers) - COMMON == {"content-length", "x-ms-delete-type-permanent"}
    assert answer.headers["x-ms-delete-type-permanent"] == "true"
    fs.absent("f")


def a_directory_with_children_wants_recursive(fs: Filesystem) -> None:
    fs.put("d/f", b"x")
    answer = was(fs.delete("d", "recursive=false"), 409, "DirectoryNotEmpty")
    assert answer.headers["content-length"] == "215"
    assert fs.names() == ["d", "d/f"]
    fs.mkdir("empty")
    was(fs.delete("empty", "recursive=false"), 200)
    fs.absent("empty")


def a_recursive_delete_takes_everything_below(fs: Filesystem) -> None:
    fs.put("d/e/f", b"x")
    fs.put("d2", b"y")
    was(fs.delete("d", "recursive=true"), 200)
    assert fs.names() == ["d2"]
    for path in ("d", "d/e", "d/e/f"):
        fs.absent(path)
    fs.mkdir("d")
    assert fs.names() == ["d", "d2"]


def delete_checks_its_conditions(fs: Filesystem) -> None:
    etag, other = fs.put("f", b"x"), fs.put("g")
    was(fs.delete("f", If_Match=other), 412, "ConditionNotMet")
    was(fs.delete("f", If_None_Match=etag), 412, "ConditionNotMet")
    modified = fs.head("f").headers["last-modified"]
    answer = was(fs.delete("f", If_Modified_Since=modified), 412, "ConditionNotMet")
    assert answer.headers["content-length"] == "200"
    assert fs.read("f") == b"x"
    was(fs.delete("f", If_Unmodified_Since=modified), 200)


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
        HnsEmulator(page_cap=2, defects=fs.defects) as emulator,
        Filesystem(emulator, fs.defects) as capped,
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


PROBES: tuple[Probe, ...] = (*probes_of(globals(), __name__), *BLOB_PROBES, *RACE_PROBES)

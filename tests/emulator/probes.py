"""
What the Data Lake endpoint must answer, as plain functions on a new filesystem.

A probe raises AssertionError if the emulator answers anything else than a real
account was seen, or is documented, to answer.
"""

from __future__ import annotations

import base64
import time
from email.utils import formatdate

from tests.emulator.account import ANY, COMMON, Filesystem, Probe, probes_of, ticks, was
from tests.emulator.probes_blob import BLOB_PROBES
from tests.emulator.probes_race import RACE_PROBES
from tests.emulator.probes_wire import WIRE_PROBES

__all__ = ["PROBES"]

_FILETIME = 504_911_232_000_000_000


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


PROBES: tuple[Probe, ...] = (
    *WIRE_PROBES,
    *probes_of(globals(), __name__),
    *BLOB_PROBES,
    *RACE_PROBES,
)

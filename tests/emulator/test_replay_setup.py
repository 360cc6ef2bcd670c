"""What must have existed before a recorded exchange is found out from the exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.account import Filesystem

from hns_emulator import HnsEmulator
from hns_emulator.replay import replay_recording
from hns_emulator.replay._read import Recording, read_folder
from hns_emulator.replay._send import RawClient
from hns_emulator.replay._setup import SetupFailed, Thing, make, starting_state

FS = ("container", "filesystem")
_RENAME = {"x-ms-rename-source": "/{fs}/{src}"}
_SOURCE, _TARGET = ("file", "filesystem/src"), ("file", "filesystem/dst")


def excerpt(folder: Path, req: list[Any], status: int, code: str = "", **more: Any) -> Recording:
    """Write one excerpt down and read it."""
    hdr = {"x-ms-error-code": code} if code else {}
    entry = {"op": more.pop("op", ""), "req": req, "status": status, "hdr": hdr, **more}
    entry["hdr"] |= more.get("hdr", {})
    (folder / "excerpts.json").write_text(json.dumps([entry]))
    (recording,) = read_folder(folder)
    assert isinstance(recording, Recording)
    return recording


CASES: list[tuple[list[Any], int, str, list[tuple[str, str]]]] = [
    (["PUT", "{fs}?restype=container", {}], 201, "", []),
    (["PUT", "{fs}?restype=container", {}], 409, "ContainerAlreadyExists", [FS]),
    (["HEAD", "{fs}?restype=container", {}], 404, "ContainerNotFound", []),
    (["PUT", "{fs}/{f}?resource=file", {}], 201, "", [FS]),
    (
        ["PUT", "{fs}/{f}?resource=file", {"If-Match": '"0x8DECE25108F87F8"'}],
        201,
        "",
        [FS, ("file", "filesystem/f")],
    ),
    (
        ["PUT", "{fs}/d/{f}?resource=file", {}],
        409,
        "PathConflict",
        [FS, ("directory", "filesystem/d/f")],
    ),
    (
        ["PATCH", "{fs}/{f}?action=flush&position=3", {}],
        409,
        "InvalidFlushOperation",
        [FS, ("file", "filesystem/f")],
    ),
    (["PATCH", "{fs}/{f}?action=flush&position=3", {}], 404, "PathNotFound", [FS]),
    (["PUT", "{fs}/{dst}?mode=legacy", _RENAME], 201, "", [FS, _SOURCE]),
    (["PUT", "{fs}/{dst}?mode=legacy", _RENAME], 404, "SourcePathNotFound", [FS]),
    (
        ["PUT", "{fs}/no/{dst}?mode=legacy", _RENAME],
        404,
        "RenameDestinationParentPathNotFound",
        [FS, _SOURCE],
    ),
    (
        ["PUT", "{fs}/yes/{dst}?mode=legacy", _RENAME],
        201,
        "",
        [FS, _SOURCE, ("directory", "filesystem/yes")],
    ),
    (
        ["PUT", "{fs}/{dst}?mode=legacy", {"x-ms-rename-source": "/other/{src}"}],
        201,
        "",
        [FS, ("container", "other"), ("file", "other/src")],
    ),
    (
        ["PUT", "{fs}/{dst}?mode=legacy", {**_RENAME, "If-None-Match": "*"}],
        409,
        "PathAlreadyExists",
        [FS, _SOURCE, _TARGET],
    ),
    (
        ["PUT", "{fs}/{dst}?mode=legacy", {**_RENAME, "If-None-Match": "{etag}"}],
        412,
        "ConditionNotMet",
        [FS, _SOURCE, _TARGET],
    ),
    (
        ["PUT", "{fs}/{dst}?mode=legacy", {**_RENAME, "x-ms-source-if-match": "{etag}"}],
        412,
        "SourceConditionNotMet",
        [FS, _SOURCE],
    ),
    (
        ["PUT", "{fs}/{dst}?mode=legacy", _RENAME],
        409,
        "InvalidSourceOrDestinationResourceType",
        [FS, _SOURCE, ("directory", "filesystem/dst")],
    ),
    (["DELETE", "{fs}/{f}", {}], 200, "", [FS, ("file", "filesystem/f")]),
    (["DELETE", "{fs}/{d}?recursive=true", {}], 200, "", [FS, ("directory", "filesystem/d")]),
    (["DELETE", "{fs}/{f}", {}], 404, "PathNotFound", [FS]),
    (["DELETE", "{nofs}/{f}", {}], 404, "FilesystemNotFound", []),
    (["DELETE", "{fs}/{f}/x", {}], 409, "PathConflict", [FS, ("file", "filesystem/f")]),
    (
        ["DELETE", "{fs}/{f}/x", {}],
        409,
        "OperationNotAllowedInCurrentState",
        [FS, ("file", "filesystem/f")],
    ),
    (
        ["PUT", "{fs}/{f}/x?comp=block&blockid=MQ%3D%3D", {}],
        409,
        "OperationNotAllowedInCurrentState",
        [FS, ("file", "filesystem/f")],
    ),
    (["PUT", "{fs}/{f}?comp=block&blockid=MQ%3D%3D", {}], 201, "", [FS]),
    (
        ["PUT", "{fs}/{f}/x", {"x-ms-blob-type": "BlockBlob"}],
        404,
        "BlobNotFound",
        [FS, ("file", "filesystem/f")],
    ),
    (
        ["GET", "{fs}?resource=filesystem&recursive=true&directory={f}/x", {}],
        409,
        "PathConflict",
        [FS, ("file", "filesystem/f")],
    ),
    (
        ["DELETE", "{fs}/{d}?recursive=false", {}],
        409,
        "DirectoryNotEmpty",
        [FS, ("directory", "filesystem/d"), ("file", "filesystem/d/child")],
    ),
    (["HEAD", "{fs}/{f}", {}], 404, "BlobNotFound", [FS]),
    (["HEAD", "{fs}/{f}", {}], 200, "", [FS, ("file", "filesystem/f")]),
    (["GET", "{fs}?resource=filesystem&recursive=true", {}], 200, "", [FS]),
    (
        ["GET", "{fs}?resource=filesystem&recursive=true&directory={d}", {}],
        200,
        "",
        [FS, ("directory", "filesystem/d")],
    ),
    (
        ["GET", "{fs}?resource=filesystem&recursive=true&directory={d}", {}],
        404,
        "PathNotFound",
        [FS],
    ),
]


@pytest.mark.parametrize(("req", "status", "code", "expected"), CASES)
def test_least_state(
    req: list[Any], status: int, code: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    """As much is made as the answer needs, and the emulator then gives that answer."""
    recording = excerpt(tmp_path, req, status, code)
    things = starting_state(recording)
    assert expected == [(thing.kind, thing.path) for thing in things]
    (outcome,) = replay_recording(recording)
    assert not [line for line in outcome.lines if line.startswith(("status", "refused"))]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"x-ms-resource-type": "directory"}, "directory"),
        ({"x-ms-meta-hdi_isfolder": "true"}, "directory"),
        ({"x-ms-resource-type": "file", "Content-Length": "5"}, "file"),
    ],
)
def test_kind_is_read_from_answers(headers: dict[str, str], kind: str, tmp_path: Path) -> None:
    """What the answer calls a directory was one; a file was as long as the answer says."""
    recording = excerpt(tmp_path, ["HEAD", "{fs}/{x}", {}], 200, hdr=headers)
    thing = starting_state(recording)[-1]
    assert (kind, int(headers.get("Content-Length", 0))) == (thing.kind, len(thing.content))


def test_appends_start_at_the_lowest_position(tmp_path: Path) -> None:
    """A file to which was appended at 4 is as long before; what a flush commits is appended."""
    recording = excerpt(tmp_path, ["PATCH", "{fs}/{f}?action=append&position=4", {}], 202)
    assert bytes(4) == starting_state(recording)[-1].content
    recording = excerpt(tmp_path, ["PATCH", "{fs}/{f}?action=flush&position=4", {}], 200)
    assert bytes(4) == starting_state(recording)[-1].pending


def test_listed_page_has_a_next_one(tmp_path: Path) -> None:
    """Where a continuation was given there is something after the last entry."""
    entry = {"name": "d/f", "contentLength": "3"}
    recording = excerpt(
        tmp_path,
        ["GET", "{fs}?resource=filesystem&recursive=true&maxResults=1", {}],
        200,
        hdr={"x-ms-continuation": "token"},
        body={"paths": [entry]},
    )
    paths = [(thing.path, len(thing.content)) for thing in starting_state(recording)]
    assert paths == [("filesystem", 0), ("filesystem/d/f", 3), ("filesystem/d~", 0)]


def test_things_are_made() -> None:
    """The starting state is there afterwards, with content, metadata and uncommitted bytes."""
    with HnsEmulator() as emulator, Filesystem(emulator) as fs:
        things = [
            Thing(f"{fs.name}/d", "directory"),
            Thing(f"{fs.name}/d/f", "file", b"data", pending=b"more", metadata={"k": "v"}),
            Thing(f"{fs.name}/b", "file", b"blob", by_blob=True),
        ]
        make(fs.client, things)
        assert fs.names() == ["b", "d", "d/f"]
        assert (fs.read("d/f"), fs.read("b")) == (b"data", b"blob")
        assert fs.head("d/f").headers["x-ms-meta-k"] == "v"
        assert fs.flush("d/f", 8).status == 200
        assert fs.read("d/f") == b"datamore"


def test_refused_state_is_told() -> None:
    """What the emulator does not make raises."""
    with (
        HnsEmulator() as emulator,
        RawClient(emulator.port, emulator.account, emulator.key) as client,
        pytest.raises(SetupFailed, match="404 FilesystemNotFound"),
    ):
        make(client, [Thing("missing/f", "file")])

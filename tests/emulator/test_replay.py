"""The emulator answers what real accounts answered, and the replay that says so can fail."""

from __future__ import annotations

import os
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.account import Filesystem, was
from tests.emulator.recorder import Cassette, Change, Interaction, Recorder

from hns_emulator import HnsEmulator
from hns_emulator.replay import Report, main, replay
from hns_emulator.replay._command_line import describe


def test_recordings() -> None:
    """Every exchange that was recorded on a real account comes out the same."""
    folder = os.environ.get("REMOTE_STORE_HNS_RECORDINGS")
    if folder is None:
        pytest.skip("REMOTE_STORE_HNS_RECORDINGS names no folder of recordings")
    report = replay(Path(folder))
    assert report.passed(), "\n".join(describe(report))


@pytest.fixture(scope="module")
def cassette() -> Cassette:
    """What an emulator answers to one of each operation."""
    with HnsEmulator() as emulator, Filesystem(emulator) as fs:
        send = Recorder(fs)
        send("PUT", "dfs", "d", "resource=directory")
        send("HEAD", "blob", "d/f")
        created = send("PUT", "dfs", "d/new", "resource=file", x_ms_properties="k=dg==")
        send("PATCH", "dfs", "d/new", "action=append&position=0", b"some data")
        send("PATCH", "dfs", "d/new", "action=flush&position=9", If_Match=created.headers["etag"])
        send("PUT", "dfs", "d/f", "mode=legacy", x_ms_rename_source=fs.target("d/new"))
        send("HEAD", "blob", "d/f")
        send("GET", "blob", "d/f", x_ms_range="bytes=0-99")
        send("GET", "dfs", "", "resource=filesystem&recursive=true&maxResults=1")
        token = send.cassette.interactions[-1]["response"]["headers"]["x-ms-continuation"][0]
        query = "resource=filesystem&recursive=true&maxResults=1&continuation="
        send("GET", "dfs", "", query + token.replace("=", "%3D").replace("+", "%2B"))
        send("GET", "blob", "", "restype=container&comp=list")
        send("DELETE", "dfs", "d", "recursive=false")
        send("GET", "blob", "missing")
        modified = send("PUT", "dfs", "t", "resource=file").headers["last-modified"]
        send("DELETE", "dfs", "t", If_Modified_Since=modified)
        send("DELETE", "dfs", "t", If_Unmodified_Since=modified)
        send("DELETE", "dfs", "d", "recursive=true")
    return send.cassette


def replayed(cassette: Cassette, folder: Path, change: Change | None = None) -> Report:
    """Write a cassette down and replay it."""
    cassette.write(folder / "made.yaml", change)
    return replay(folder)


def test_true_recording_passes(cassette: Cassette, tmp_path: Path) -> None:
    """What was recorded from one emulator comes out the same from another, later."""
    time.sleep(1.1)
    report = replayed(cassette, tmp_path)
    assert report.passed(strict=True), "\n".join(describe(report))
    assert len(cassette.interactions) == len(report.of("equal"))


def _headers(interactions: list[Interaction], number: int) -> dict[str, Any]:
    headers: dict[str, Any] = interactions[number - 1]["response"]["headers"]
    return headers


def header(number: int, name: str, value: str | None) -> Change:
    """Falsify a header of an answer, or leave it out."""

    def change(interactions: list[Interaction]) -> None:
        headers = _headers(interactions, number)
        if value is None:
            del headers[name]
        else:
            headers[name] = [value]

    return change


def status(number: int, **fields: object) -> Change:
    """Falsify the status line of an answer."""
    return lambda interactions: interactions[number - 1]["response"]["status"].update(fields)


def body(number: int, old: str, new: str) -> Change:
    """Falsify the body of an answer."""

    def change(interactions: list[Interaction]) -> None:
        found = interactions[number - 1]["response"]["body"]
        assert old in found["string"]
        found["string"] = found["string"].replace(old, new, 1)

    return change


def other_etag(number: int) -> Change:
    """Let an answer have an ETag that no other answer has."""
    return header(number, "etag", '"0x8DECE25108F87F8"')


def same_etag(number: int, other: int) -> Change:
    """Let an answer repeat the ETag and the time of another."""

    def change(interactions: list[Interaction]) -> None:
        for name in ("etag", "last-modified"):
            _headers(interactions, number)[name] = _headers(interactions, other)[name]

    return change


FALSE = {
    "status": (status(1, code=200), 1, "status 201"),
    "reason": (status(2, message="Not Found"), 2, "reason"),
    "missing header": (header(3, "x-ms-request-server-encrypted", None), 3, "not in the recording"),
    "additional header": (header(4, "x-ms-more", "1"), 4, "x-ms-more is missing"),
    "value": (header(5, "x-ms-request-server-encrypted", "true"), 5, "recorded 'true'"),
    "metadata": (header(7, "x-ms-meta-k", "w"), 7, "x-ms-meta-k"),
    "length": (header(12, "content-length", "214"), 12, "content-length"),
    "server": (header(7, "server", "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0"), 7, "server"),
    "version": (header(7, "x-ms-version", "2025-01-01"), 7, "x-ms-version"),
    "unquoted ETag": (header(1, "etag", "0x8DECE25108F87F8"), 1, "not quoted"),
    "rename changes the ETag": (other_etag(6), 6, "again where the recording has a new ETag"),
    "flush keeps the ETag": (same_etag(5, 3), 5, "where the recording repeats"),
    "reading another ETag": (other_etag(8), 8, "again where the recording has a new ETag"),
    "content": (body(8, "some", "same"), 8, "body"),
    "kind in a listing": (body(9, '"isDirectory":"true",', ""), 9, "body"),
    "newline of a listing": (body(9, "\n", ""), 9, "body"),
    "name on a page": (body(10, "d/f", "e/g"), 10, "body"),
    "ETag in XML": (body(11, "<Etag>0x8", "<Etag>0x9"), 11, "new ETag"),
    "type in XML": (body(11, ">file<", ">directory<"), 11, "body"),
    "code": (body(12, "DirectoryNotEmpty", "DirectoryIsNotEmpty"), 12, "body"),
    "text": (body(12, "must be true", "should be true"), 12, "body"),
    "blank in JSON": (body(12, '":"', '": "'), 12, "body"),
    "byte order mark": (body(13, "<?xml", "\ufeff<?xml"), 13, "body"),
    "time condition": (status(15, code=200), 15, "status 412"),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_recording_is_noticed(name: str, cassette: Cassette, tmp_path: Path) -> None:
    """A recording that differs in one place fails there, and says in what."""
    change, number, text = FALSE[name]
    report = replayed(cassette, tmp_path, change)
    assert not report.passed()
    first = report.of("differs")[0]
    assert first.title.startswith(f"{number}. ")
    assert any(text in line for line in first.lines), first.lines


def test_own_container_begins_empty(tmp_path: Path) -> None:
    """What is seen in a container of the recording's own was made in it, or nobody can tell how."""
    with HnsEmulator() as emulator, Filesystem(emulator) as fs:
        was(fs.client.send("DELETE", "blob", f"/{fs.name}?restype=container"), 202)
        send = Recorder(fs)
        send("PUT", "blob", "", "restype=container")
        send("PUT", "blob", "f", "", b"1", x_ms_blob_type="BlockBlob")
        send("PUT", "blob", "f/x", "", b"1", x_ms_blob_type="BlockBlob")
        send("DELETE", "dfs", "f/x")
        send("PUT", "blob", "g", "comp=block&blockid=MQ%3D%3D", b"2")
        fs.put("unseen", b"3")
        send("GET", "blob", "unseen")
        source = f"{emulator.blob_url}{fs.target('f')}"
        send("PUT", "blob", "copy", x_ms_copy_source=source)
        send("PUT", "blob", "copy", x_ms_copy_source=source)
        send("HEAD", "blob", "copy")
    report = replayed(send.cassette, tmp_path)
    assert report.passed(), "\n".join(describe(report))
    (outcome,) = report.of("not verified")
    assert (outcome.title[0], outcome.lines[0].endswith("was not written down")) == ("6", True)

    def other_copy(interactions: list[Interaction]) -> None:
        first = _headers(interactions, 7)["x-ms-copy-id"]
        _headers(interactions, 9)["x-ms-copy-id"] = first

    (outcome,) = replayed(send.cassette, tmp_path, other_copy).of("differs")
    assert outcome.title[0] == "9"


def test_creation_times_are_compared(cassette: Cassette, tmp_path: Path) -> None:
    """A creation time in a listing that is recorded as another known change's time is noticed."""

    def change(interactions: list[Interaction]) -> None:
        flushed = _headers(interactions, 5)["etag"][0].strip('"')
        created = _headers(interactions, 3)["etag"][0].strip('"')
        page = interactions[9]["response"]["body"]
        old, new = (str(int(etag, 16) - 504_911_232_000_000_000) for etag in (created, flushed))
        assert old in page["string"]
        page["string"] = page["string"].replace(old, new)

    first = replayed(cassette, tmp_path, change).of("differs")[0]
    assert (first.title[:3], "creation time" in first.lines[0]) == ("10.", True)


def test_masked_recording_passes(cassette: Cassette, tmp_path: Path) -> None:
    """Masks that owners put over ids and times, and headers they removed, do not count."""

    def mask(interactions: list[Interaction]) -> None:
        for interaction in interactions:
            headers = interaction["response"]["headers"]
            for name in ("date", "server", "x-ms-request-id"):
                del headers[name]
            text = interaction["response"]["body"]
            for start in ("RequestId:", "Time:"):
                before, found, after = text["string"].partition(start)
                if found:
                    rest = after.lstrip("0123456789abcdefTZ:.-")
                    text["string"] = f"{before}{start}SCRUBBED{rest}"

    report = replayed(cassette, tmp_path, mask)
    assert report.passed(strict=True), "\n".join(describe(report))


def test_old_answers_may_lack_what_came_later(cassette: Cassette, tmp_path: Path) -> None:
    """In a recording of 2019 a rename has no ETag and a list no creation times, today they do."""

    def change(interactions: list[Interaction], version: str) -> None:
        for interaction in interactions:
            interaction["request"]["headers"]["x-ms-version"] = [version]
            interaction["response"]["headers"]["x-ms-version"] = [version]
        for name in ("etag", "last-modified"):
            del _headers(interactions, 6)[name]
        for number in (9, 10):
            page = interactions[number - 1]["response"]["body"]
            page["string"] = re.sub('"(creation|expiry)Time":"[0-9]+",', "", page["string"])

    old = replayed(cassette, tmp_path, lambda found: change(found, "2019-02-02"))
    assert old.passed(), "\n".join(describe(old))
    new = replayed(cassette, tmp_path, lambda found: change(found, "2024-05-04"))
    assert [outcome.title[:3] for outcome in new.of("differs")] == ["6. ", "9. ", "10."]


@pytest.mark.long
def test_middle_of_a_session_is_set_up(cassette: Cassette, tmp_path: Path) -> None:
    """A recording that begins after its files were made passes: they are made before it."""
    for start in range(1, len(cassette.interactions)):
        cassette_from = Cassette(cassette.interactions[start:])
        report = replayed(cassette_from, tmp_path)
        assert report.passed(), f"from {start + 1}: " + "\n".join(describe(report))


def lease(number: int) -> Change:
    """Insert a request that the emulator refuses to guess about."""

    def change(interactions: list[Interaction]) -> None:
        request = {
            "method": "PUT",
            "uri": interactions[0]["request"]["uri"].split("?")[0] + "?comp=lease",
            "headers": {"x-ms-lease-action": ["acquire"], "x-ms-version": ["2026-04-06"]},
            "body": None,
        }
        request["uri"] = request["uri"].replace(".dfs.", ".blob.")
        answer = {"status": {"code": 201, "message": "Created"}, "headers": {}, "body": None}
        interactions.insert(number, {"request": request, "response": answer})

    return change


def test_refusals_are_not_verified(cassette: Cassette, tmp_path: Path) -> None:
    """What the emulator refuses on purpose is reported apart, and fails only when asked to."""
    report = replayed(cassette, tmp_path, lease(1))
    (refused,) = report.of("not verified")
    assert "EmulatorUnverified" in refused.lines[0]
    assert report.passed()
    assert not report.passed(strict=True)


def test_what_depends_on_a_refusal_is_not_verified(cassette: Cassette, tmp_path: Path) -> None:
    """A difference on a path that a refused change would have touched proves nothing."""

    def change(interactions: list[Interaction]) -> None:
        lease(1)(interactions)
        status(3, message="other")(interactions)  # a HEAD below the leased directory

    report = replayed(cassette, tmp_path, change)
    assert len(report.of("not verified")) == 2
    assert not report.of("differs")


def test_excerpts_are_replayed(tmp_path: Path) -> None:
    """A single exchange with placeholders gets what must have been there, and is compared."""
    text = """[{"op": "create over existing", "ver": "2021-06-08", "status": 409,
        "req": ["PUT", "{fs}/{dir}?resource=directory", {"If-None-Match": "*"}],
        "hdr": {"Content-Length": "168", "Content-Type": "application/json; charset=utf-8",
                "x-ms-error-code": "PathAlreadyExists"},
        "body": {"error": {"code": "PathAlreadyExists", "message":
            "The specified path already exists.\\nRequestId:masked\\nTime:masked"}}}]"""
    (tmp_path / "excerpts.json").write_text(text)
    assert replay(tmp_path).passed(strict=True)
    (tmp_path / "excerpts.json").write_text(text.replace("already exists.", "exists."))
    assert not replay(tmp_path).passed()


def test_time_of_an_excerpt_is_moved(tmp_path: Path) -> None:
    """A condition on a time is as far from now as it was from the recorded moment."""
    text = """[{"op": "rename, condition fails", "ver": "2021-06-08", "status": 412,
        "req": ["PUT", "{fs}/{dst}?mode=legacy", {"x-ms-rename-source": "/{fs}/{src}",
                "NAME": "Mon, 01 Feb 2021 21:39:24 GMT"}],
        "hdr": {"Content-Length": "200", "Content-Type": "application/json;charset=utf-8",
                "x-ms-error-code": "ConditionNotMet", "Date": "DATE"}}]"""
    for name, date, passes in (
        ("If-Unmodified-Since", "Tue, 02 Feb 2021 21:39:24 GMT", True),
        ("If-Unmodified-Since", "Sun, 31 Jan 2021 21:39:24 GMT", False),
        ("If-Modified-Since", "Sun, 31 Jan 2021 21:39:24 GMT", True),
    ):
        excerpt = text.replace("NAME", name).replace("DATE", date)
        (tmp_path / "excerpts.json").write_text(excerpt)
        assert replay(tmp_path).passed() is passes


def test_nothing_to_compare_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without recordings passes no check."""
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == "All: 0 equal, 0 differs, 0 not verified\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", "interactions: [1"), ("a.yaml", "other: 1"), ("a.json", "{"), ("a.json", "[1]")],
)
def test_unreadable_file_fails(
    name: str, text: str, cassette: Cassette, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no recording is named and fails the run, the others are replayed."""
    cassette.write(tmp_path / "made.yaml")
    (tmp_path / name).write_text(text)
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert f"{name}: 0 equal, 1 differs" in printed
    assert "cannot be read" in printed
    assert f"All: {len(cassette.interactions)} equal, 1 differs" in printed


def test_command_line(
    cassette: Cassette, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status and report tell whether all came out the same; --strict counts refusals."""
    cassette.write(tmp_path / "made.yaml")
    assert main([str(tmp_path)]) == 0
    cassette.write(tmp_path / "made.yaml", lease(1))
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--strict"]) == 1
    cassette.write(tmp_path / "made.yaml", status(1, code=202))
    capsys.readouterr()
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "differs: 1. PUT" in printed
    assert "status 201 , recorded 202" in printed
    with pytest.raises(SystemExit):
        main([str(tmp_path / "missing")])


def test_other_recorders_are_read(cassette: Cassette, tmp_path: Path) -> None:
    """Headers without lists, mangled marks, chunks of Python objects: all that was in use."""

    def change(interactions: list[Interaction]) -> None:
        for interaction in interactions:
            response = interaction["response"]
            response["headers"] = {k.title(): v[0] for k, v in response["headers"].items()}
            text = response["body"]
            text["string"] = text["string"].replace("\ufeff", "\u00ef\u00bb\u00bf")

    assert replayed(cassette, tmp_path, change).passed(strict=True)
    file = tmp_path / "made.yaml"
    old = "!!python/object/new:multidict.CIMultiDictProxy\n      state:\n"
    pairs = "".join(
        f"      - !!python/tuple [{name}, '{value[0]}']\n"
        for name, value in _headers(cassette.interactions, 1).items()
        if name not in {"etag", "date", "last-modified"}
    )
    pairs += "      - [etag, '\"0x8DECE25108F87F8\"']\n"
    pairs += f"      - [last-modified, '{formatdate(0, usegmt=True)}']\n"
    uri = cassette.interactions[0]["request"]["uri"]
    file.write_text(
        "interactions:\n- request:\n    method: !!python/unicode PUT\n"
        f"    uri: {uri}\n    headers: {{x-ms-version: '2026-04-06'}}\n    body: null\n"
        "  response:\n    status: {code: 201, message: Created}\n    body: {string: ''}\n"
        f"    headers: {old}{pairs}"
    )
    report = replay(tmp_path)
    assert report.passed(strict=True), "\n".join(describe(report))

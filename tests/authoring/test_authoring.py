"""The rules and words that `remote_store.authoring` has for every backend."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from remote_store import (
    AsyncBackendSyncAdapter,
    InvalidPath,
    LeftOutCount,
    NotFound,
    RemoteStoreError,
    Store,
    authoring,
    count_left_out,
)
from remote_store.authoring import LeftOut, as_bytes, first_with_others, is_key
from remote_store_local import AsyncLocalBackend, LocalBackend

KEYS = (authoring.folder_key, authoring.file_key, authoring.target_key)


class Text(str):
    """A str with an equality of its own."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize("check", KEYS)
def test_a_key_gets_its_normal_form(check: Callable[[str, str], str]) -> None:
    """Empty and dot segments are dropped, and a subclass of str becomes one."""
    for key in ("a/b", "a//b", "./a/b", "a/./b", "a/b/", "a/b/."):
        assert check(key, "b") == "a/b"
    assert type(check(Text("a"), "b")) is str
    assert check("é/..x/x../.~tm", "b") == "é/..x/x../.~tm"


@pytest.mark.parametrize("check", KEYS)
@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("/a", "'/'"),
        ("//a", "'/'"),
        ("a/../b", r"'\.\.'"),
        ("..", r"'\.\.'"),
        ("a\\b", "backslash"),
        ("a\0b", "NUL"),
        ("a\ud800", "UTF-8"),
    ],
)
def test_a_key_that_no_store_hands_over(
    check: Callable[[str, str], str], key: str, what: str
) -> None:
    """It is refused with its path, the backend and what is wrong."""
    with pytest.raises(InvalidPath, match=f"path .*{what}") as caught:
        check(key, "b")
    assert (caught.value.path, caught.value.backend) == (key, "b")


def test_a_key_that_is_no_text() -> None:
    """It is a TypeError."""
    for check in KEYS:
        with pytest.raises(TypeError, match="must be a str, got bytes"):
            check(b"a", "b")  # type: ignore[arg-type]


def test_half_a_surrogate_pair_where_any_text_is_kept() -> None:
    """It is taken by who says so."""
    for check in KEYS:
        assert check("a\ud800", "b", utf8=False) == "a\ud800"


def test_the_root() -> None:
    """It is a folder in any spelling, and never a file."""
    for root in ("", ".", "./", "./."):
        assert authoring.folder_key(root, "b") == ""
        for check in KEYS[1:]:
            with pytest.raises(InvalidPath, match=r"must not be empty.* exists as a directory"):
                check(root, "b")


def test_reserved_names() -> None:
    """They are no targets, whatever folder they are in; what only looks alike is one."""
    for key in (".~tmp.", ".~tmp.x", "a/.~tmp.x", ".~tmp.x/a"):
        assert authoring.is_reserved(key)
        assert authoring.file_key(key, "b") == key
        with pytest.raises(InvalidPath, match="reserved"):
            authoring.target_key(key, "b")
    for key in ("a.~tmp.x", ".~tmp", ".~tm/p."):
        assert authoring.target_key(key, "b") == key


def test_names_that_are_found() -> None:
    """A name is a key if a path of a store has the same text."""
    for name in ("a", "a/b", "é", "..a", "a b", ".~tmp.x"):
        assert is_key(name)
    for name in ("", "/a", "a/", "a//b", "./a", "a/..", "a\\b", "a\0", "\ud800", "."):
        assert not is_key(name)


def test_content_consists_of_bytes() -> None:
    """What is bytes-like becomes bytes that no one else has; nothing else does."""
    chunk, buffer = b"ab", bytearray(b"ab")
    assert as_bytes(chunk) is chunk
    copies = [as_bytes(buffer), as_bytes(memoryview(buffer))]
    buffer[:] = b"xx"
    assert copies == [b"ab", b"ab"]
    for wrong in ("ab", None, 1, [b"ab"]):
        with pytest.raises(TypeError, match=f"consist of bytes.* {type(wrong).__name__}"):
            as_bytes(wrong)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (authoring.not_found("a/b", "x"), "not found"),
        (authoring.already_exists("a/b", "x"), "already exists"),
        (authoring.is_a_folder("a/b", "x"), "exists as a directory"),
        (authoring.is_a_file("a/b", "x"), "exists as a file"),
        (authoring.ancestor_is_file("a/b", "x"), "exists as a file"),
        (authoring.ancestor_is_file("a/b", "x", "c"), "c exists as a file"),
        (authoring.folder_not_empty("a/b", "x"), "not empty"),
        (authoring.cannot_delete_root("a/b", "x"), "must not be empty"),
        (authoring.closed("x", "a/b"), "is closed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_standard_errors(error: RemoteStoreError, text: str) -> None:
    """Each says what is wrong in words that programs match, and shows its path once."""
    assert text in str(error)
    assert (error.path, error.backend) == ("a/b", "x")
    assert len(re.findall("a/b", str(error))) == 1


def test_a_folder_as_source() -> None:
    """The key stands in the message, where programs look for it."""
    assert "directory: a/b" in str(authoring.source_is_folder("a/b", "x"))


def test_fields_of_a_standard_error() -> None:
    """A backend adds what its service told."""
    error = authoring.not_found("a", "x", status=404, code="Gone")
    assert (error.status, error.code) == (404, "Gone")


def test_the_first_error_has_all_others() -> None:
    """They come in order, those that one of them had already behind it."""
    inner, last = NotFound("inner"), NotFound("last")
    first, second = NotFound("first", others=(inner,)), NotFound("second", others=(last,))
    assert first_with_others([first, second]) is first
    assert first.others == (inner, second, last)
    assert first_with_others([first, first, last]).others == (inner, second, last)
    alone = NotFound("alone")
    assert first_with_others([alone]).others == ()


def test_what_a_listing_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    """One warning is about names, at the first of them, and one about links, at the end."""
    left_out = LeftOut(logging.getLogger("some.backend"), "folder")
    left_out.finish()
    assert caplog.records == []
    for name in ("a\\b", "c\\d"):
        left_out.name(name)
    for _ in range(3):
        left_out.link()
    left_out.finish()
    names, links = caplog.records
    assert getattr(names, "names_left_out") is True  # noqa: B009
    assert "'folder'" in names.getMessage()
    assert repr("a\\b") in names.getMessage()
    assert getattr(links, "links_left_out") == 3  # noqa: B009


@pytest.mark.parametrize("kind", ["sync", "bridged"])
def test_what_a_program_counts_of_it(tmp_path: Path, kind: str) -> None:
    """Without a log; also where the listing runs in another thread, and by each who counts."""
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/link").symlink_to("deep")
    (tmp_path / "in" / "no\\path").touch()
    backend = (
        LocalBackend(tmp_path)
        if kind == "sync"
        else AsyncBackendSyncAdapter(AsyncLocalBackend(tmp_path))
    )
    logging.disable(logging.CRITICAL)
    try:
        with Store(backend) as store:
            with count_left_out() as whole:
                for _ in range(2):
                    with count_left_out() as count:
                        assert list(store.list_files("in", recursive=True)) == []
                    assert count == LeftOutCount(1, names=True)
            assert list(store.list_files("in", recursive=True)) == []
    finally:
        logging.disable(logging.NOTSET)
    assert whole == LeftOutCount(2, names=True)

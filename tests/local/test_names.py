"""Keys: normal form, reserved names, and what Windows would take for something else."""

from __future__ import annotations

import pytest

from remote_store import InvalidPath
from remote_store_local._names import check_key, is_key, is_reserved, windows_refuses


@pytest.mark.parametrize("key", ["", ".", "./", ".//", "./."])
def test_spellings_of_the_root(key: str) -> None:
    """Nothing but empty and dot segments is the root."""
    assert check_key(key, "b") == ""


@pytest.mark.parametrize("key", ["a/b", "a/b/", "a//b", "a/./b", "./a/b", "./a//./b/."])
def test_normal_form(key: str) -> None:
    """Empty and dot segments are dropped."""
    assert check_key(key, "b") == "a/b"


def test_only_text_is_a_key() -> None:
    """What is no str is a TypeError, not a path."""
    for key in (None, b"a", 1):
        with pytest.raises(TypeError):
            check_key(key, "b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key",
    ["/", "//", "/.", "/a", "..", "../", "./..", "a/../b", "a\0b", "\0", "./\0", "a\\b", "a/\\"],
)
def test_other_forms_are_refused(key: str) -> None:
    """PATH-002: a leading slash, a parent segment, a NUL and a backslash are refused."""
    with pytest.raises(InvalidPath) as caught:
        check_key(key, "b")
    assert (caught.value.path, caught.value.backend) == (key, "b")


@pytest.mark.parametrize(
    "key", ["a", "a/b", "...", "..a", "a..", " ", "a*", "~", "é", "C:/x", "a:b"]
)
def test_other_characters_are_ordinary(key: str) -> None:
    """Off Windows no other character is special."""
    assert check_key(key, "b", windows=False) == key


@pytest.mark.parametrize("key", ["a\udc80", "\ud800/b"])
def test_no_utf8_form(key: str) -> None:
    """A key that no UTF-8 name can stand for is refused."""
    with pytest.raises(InvalidPath, match="UTF-8"):
        check_key(key, "b")


@pytest.mark.parametrize(
    "key",
    [
        "C:/x",
        "C:",
        "a:stream",
        "d/a:b:$DATA",
        "nul",
        "NUL.txt",
        "a/con",
        "Com1",
        "LPT9.tar.gz",
        "com¹",
        "CONIN$",
        "aux .txt",
        "a.",
        "a /b",
        "a?b",
        "a*",
        "a|b",
        "<",
        'a"',
        "a\x01",
    ],
)
def test_windows_names(key: str) -> None:
    """On Windows nothing that is a drive, stream, device or altered name is accepted."""
    assert windows_refuses(key)
    with pytest.raises(InvalidPath, match="Windows"):
        check_key(key, "b", windows=True)


@pytest.mark.parametrize(
    "key", ["console", "nulls.txt", "com10", "a.b", "a b/c", "é", "common/aux1"]
)
def test_windows_keeps_ordinary_names(key: str) -> None:
    """Names that only resemble devices are ordinary."""
    assert not windows_refuses(key)
    assert check_key(key, "b", windows=True) == key


def test_reserved() -> None:
    """Every segment that starts like a temporary file is reserved, and nothing else."""
    assert is_reserved(".~tmp.1")
    assert is_reserved("a/.~tmp./b")
    assert not is_reserved("a.~tmp.b")
    assert not is_reserved(".~tm/p.")


def test_names_found_on_disk() -> None:
    """A name with a backslash, or that is not UTF-8, is no segment of a key."""
    assert is_key("a")
    assert is_key("é")
    assert not is_key("a\\b")
    assert not is_key("\udcff")

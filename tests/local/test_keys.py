"""Keys that Windows would take for something else."""

from __future__ import annotations

import pytest

from remote_store import InvalidPath
from remote_store_local._keys import refuse_device_names, windows_refuses


@pytest.mark.parametrize(
    "key", ["a", "a/b", "...", "..a", "a..", " ", "a*", "~", "é", "C:/x", "a:b"]
)
def test_other_characters_are_ordinary(key: str) -> None:
    """Off Windows no other character is special."""
    assert refuse_device_names(key, "b", windows=False) == key


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
        refuse_device_names(key, "b", windows=True)


@pytest.mark.parametrize(
    "key", ["console", "nulls.txt", "com10", "a.b", "a b/c", "é", "common/aux1"]
)
def test_windows_keeps_ordinary_names(key: str) -> None:
    """Names that only resemble devices are ordinary."""
    assert not windows_refuses(key)
    assert refuse_device_names(key, "b", windows=True) == key

"""URLs of local folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from remote_store_local import AsyncLocalBackend
from remote_store_local._urls import folder_of_url


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("local:///srv/data", "/srv/data"),
        ("file:///srv/data", "/srv/data"),
        ("FILE://localhost/srv", "/srv"),
        ("file:/srv", "/srv"),
        ("local:data", "data"),
        ("local:./data/x", "./data/x"),
        ("file:///a%20b/%C3%A9%3F%23%25", "/a b/é?#%"),
        ("file:///C:/x", "/C:/x"),
    ],
)
def test_folder(url: str, folder: str) -> None:
    """Three slashes are absolute, none relative; percent-encoding is undone once."""
    assert folder_of_url(url, windows=False) == folder


def test_drive_letter() -> None:
    """On Windows the slash before a drive is no part of the path."""
    assert folder_of_url("file:///C:/x", windows=True) == "C:/x"
    assert folder_of_url("file:///Cx/y", windows=True) == "/Cx/y"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("local://data", "three slashes"),
        ("file://server/share", "three slashes: file:///server/share"),
        ("http://x/y", "scheme"),
        ("nonsense", "scheme"),
        ("local:", "no folder"),
        ("local://", "no folder"),
        ("local:a%00b", "no folder"),
        ("local:///a?b", "%3F"),
        ("local:///a#b", "%23"),
        ("local:///%FF", "UTF-8"),
    ],
)
def test_refused(url: str, says: str) -> None:
    """What names no local folder is refused with the reason."""
    with pytest.raises(ValueError, match=says):
        folder_of_url(url)


def test_from_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL gives a backend on its folder, and options reach the class."""
    backend, root_path = AsyncLocalBackend.from_url(f"file://{tmp_path}/a%20b", fsync="never")
    assert root_path == ""
    assert backend.unwrap(Path) == tmp_path / "a b"
    assert (tmp_path / "a b").is_dir()
    monkeypatch.chdir(tmp_path)
    assert AsyncLocalBackend.from_url("local:rel")[0].native_path("") == str(tmp_path / "rel")
    with pytest.raises(ValueError, match="fsync"):
        AsyncLocalBackend.from_url("local:rel", fsync="sometimes")

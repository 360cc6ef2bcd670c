"""URLs of local folders."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_local._url import folder_of_url


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
        ("file://server/share", "three slashes: 'file:///server/share'"),
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


@pytest.mark.parametrize(
    "url",
    [
        "file://secret@host/x",
        "file://me:secret@host/x?y=secret",
        "file://me:a?secret@host/x",
        "file://me:a/secret@host/x",
        "file://me:secret@localhost/x",
        "local:///x?account_key=secret",
        "local:///x?y=secret",
        "local:x#secret",
        "local:?secret",
        "http://me:secret@host/x?k=secret",
        "secret",
    ],
)
def test_errors_show_no_credentials(url: str) -> None:
    """User-info, queries and what is no URL at all may be secrets meant for another backend."""
    with pytest.raises(ValueError, match="URL") as caught:
        folder_of_url(url)
    assert "secret" not in str(caught.value)


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


def test_home_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading ~ is the home folder, as in a shell; ./~ is a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    for root, folder in (
        ("~", home),
        ("~/data", home / "data"),
        (Path("~/data"), home / "data"),
        ("./~", tmp_path / "~"),
        ("x/~", tmp_path / "x/~"),
    ):
        for cls in (AsyncLocalBackend, LocalBackend):
            backend = cls(root)
            assert backend.unwrap(Path) == folder
            assert backend.native_path("~/f") == f"{folder}/~/f"
            assert pickle.loads(pickle.dumps(backend)).unwrap(Path) == folder
    assert LocalBackend.from_url("local:~/data")[0].unwrap(Path) == home / "data"
    assert LocalBackend.from_url("file:./~")[0].unwrap(Path) == tmp_path / "~"
    assert sorted(os.listdir(tmp_path)) == ["home", "x", "~"]

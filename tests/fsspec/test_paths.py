"""What paths and URLs mean, and which store they lead to."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from remote_store import RemotePath
from remote_store.aio import AsyncStore
from remote_store_fsspec import RemoteStoreFileSystem
from remote_store_memory import AsyncMemoryBackend


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a/b", "a/b"),
        ("/a//./b/", "a/b"),
        ("remote-store:///a/b", "a/b"),
        ("remote-store://photos/a/b", "a/b"),
        ("remote-store://photos", ""),
        ("remote-store::a", "a"),
        (RemotePath("a/b"), "a/b"),
        ("", ""),
    ],
)
def test_a_path_with_or_without_the_protocol(path: str, key: str) -> None:
    """The name of a store is no part of a path in it."""
    assert RemoteStoreFileSystem._strip_protocol(path) == f"/{key}"
    assert RemoteStoreFileSystem._strip_protocol([path]) == [f"/{key}"]


def test_a_path_of_another_store_is_refused(memory: RemoteStoreFileSystem) -> None:
    """It would be another file."""
    for call in (memory.cat_file, memory.ls, memory.rm, memory.open):
        with pytest.raises(ValueError, match="'photos'"):
            call("remote-store://photos/a")
    assert memory.unstrip_protocol("a/b") == "remote-store:///a/b"


CONFIG = """
[backends.disk]
type = "local"
options = { root = "${FOLDER}" }

[backends.other]
type = "azure"
options = { container = "x", account_key = "${UNSET}" }

[stores.photos]
backend = "disk"
root_path = "2026"

[stores.other]
backend = "other"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the store ``photos``."""
    monkeypatch.setenv("FOLDER", str(tmp_path / "photos"))
    file = tmp_path / "stores.toml"
    file.write_text(CONFIG)
    return file


def test_a_url_names_a_store_of_the_configuration(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By option or by the environment; what other stores need does not matter."""
    with fsspec.open("remote-store://photos/june/a.txt", "wb", config=str(config)) as file:
        file.write(b"1")
    assert (tmp_path / "photos/2026/june/a.txt").read_bytes() == b"1"

    monkeypatch.setenv("REMOTE_STORE_CONFIG", str(config))
    fs, path = fsspec.url_to_fs("remote-store://photos/june")
    assert fs.ls(path, detail=False) == ["/june/a.txt"]
    assert fs.unstrip_protocol("june/a.txt") == "remote-store://photos/june/a.txt"
    assert fs.cat(["remote-store://photos/june/a.txt"]) == {"/june/a.txt": b"1"}


def test_a_store_without_a_configuration_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both ways to name the file."""
    monkeypatch.delenv("REMOTE_STORE_CONFIG", raising=False)
    with pytest.raises(ValueError, match=r"config=.*REMOTE_STORE_CONFIG"):
        RemoteStoreFileSystem(store="photos").ls("")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"store": "memory:", "config": "a.toml"}, ValueError),
        ({"store": "a", "account_key": "hunter2"}, ValueError),
        ({"store": AsyncStore(AsyncMemoryBackend()), "config": "a.toml"}, ValueError),
        ({"store": 3}, TypeError),
        ({}, TypeError),
    ],
)
def test_arguments_that_do_not_belong_together(
    arguments: dict[str, object], error: type[Exception]
) -> None:
    """They are refused before anything is opened, and without their values."""
    with pytest.raises(error) as raised:
        fsspec.filesystem("remote-store", **arguments)
    assert "hunter2" not in str(raised.value)

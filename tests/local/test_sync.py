"""What only the sync local backend has, beside files and races."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.operations import NOT_IN_PROCESS

from remote_store import (
    AlreadyExists,
    Backend,
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    RemoteStoreError,
    Store,
)
from remote_store_local import LocalBackend


def test_identity(local: LocalBackend, root: Path) -> None:
    """The backend declares the sync set, and pickles as its configuration."""
    assert local.name == "local"
    assert local.capabilities == LocalBackend.CAPABILITIES
    assert set(local.capabilities) == set(Capability) - NOT_IN_PROCESS
    assert (LocalBackend.CONTRACT, LocalBackend.close_is_terminal) == ("1.1", False)
    assert Backend in LocalBackend.__mro__
    assert repr(local) == f"LocalBackend({str(root)!r}, fsync='atomic')"
    assert local.unwrap(Path) == root
    with pytest.raises(CapabilityNotSupported):
        local.unwrap(dict)
    plan = local.resolve("a//b")
    assert (plan.kind, plan.backend, plan.key) == ("local", "local", "a//b")
    assert plan.native_path == local.native_path("a/b") == str(root / "a/b")
    assert local.to_key(plan.native_path) == "a/b"
    strict = LocalBackend(root, fsync="always", create_root=False)
    for again in (pickle.loads(pickle.dumps(strict)), copy.deepcopy(strict)):
        assert type(again) is LocalBackend
        assert again._root == str(root)
        assert again._options == {"fsync": "always", "create_root": False}
    local.check_health()
    local.close()
    local.close()
    local.write("f", b"1")
    with pytest.raises(InvalidPath) as caught:
        local.read("/a")
    assert (caught.value.path, caught.value.backend) == ("/a", "local")


def test_roots(root: Path) -> None:
    """A root is made on demand; a missing one, a file and wrong options are refused."""
    backend, below = LocalBackend.from_url((root / "new").as_uri(), fsync="never")
    assert (type(backend), below, (root / "new").is_dir()) == (LocalBackend, "", True)
    with pytest.raises(NotFound) as caught:
        LocalBackend(root / "gone", create_root=False)
    assert caught.value.backend == "local"
    (root / "file").touch()
    with pytest.raises(InvalidPath):
        LocalBackend(root / "file")
    with pytest.raises(ValueError, match="fsync"):
        LocalBackend(root, fsync="maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty"):
        LocalBackend("")


def test_links_by_keys_not_in_normal_form(local: LocalBackend, root: Path) -> None:
    """Dropped segments change nothing for links: they are followed, kept and deleted as such."""
    local.write("d/f", b"1", metadata={"k": "v"})
    (root / "d/link").symlink_to("f")
    (root / "d/sub").symlink_to(".")
    local.copy("d//link", "./d/./link")  # onto itself
    local.write("d//link", b"2", overwrite=True)
    assert ((root / "d/link").is_symlink(), local.read_bytes("d/f")) == (True, b"2")
    local.delete("./d//link")
    local.delete_folder("d//sub/", recursive=True)
    assert sorted(os.listdir(root / "d")) == ["f"]
    local.copy("d/f", "e//./f")
    assert str(local.get_file_info("e//f").path) == "e/f"
    with pytest.raises(AlreadyExists):
        local.move("d//f", "e//f")
    assert [str(f.path) for f in local.list_files("e/")] == ["e/f"]


def test_listings_are_lazy(local: LocalBackend, root: Path) -> None:
    """Nothing is looked at before the first ``next``; a closed listing holds nothing open."""
    listings: list[Callable[[str], Any]] = [
        local.list_files,
        local.list_folders,
        local.iter_children,
        local.glob,
    ]
    for list_ in listings:
        items = list_("../x")
        with pytest.raises(InvalidPath):
            next(items)
    late = local.glob("d/*")
    for n in range(10):
        local.write(f"d/{n}", b"")
    before = len(os.listdir("/proc/self/fd"))
    assert next(late).path.parts[0] == "d"
    assert len(os.listdir("/proc/self/fd")) > before
    late.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert {str(f.path) for f in local.glob("**/[12]")} == {"d/1", "d/2"}
    assert len(list(local.list_files("", recursive=True, max_depth=0))) == 0
    assert len(list(local.iter_children(""))) == 1
    assert local.get_folder_info("").file_count == 10
    assert local.sweep() == 0


def test_errors_while_listing(local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own errors pass a listing as they are, the system's are translated."""
    ours = NotFound("of ours", path="x", backend="y")
    for error in (ours, OSError(errno.EIO, "disk")):

        def fail(*_: Any, error: Exception = error, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(os, "scandir", fail)
        with pytest.raises(RemoteStoreError) as caught:
            list(local.list_files(""))
        told = caught.value
        assert (told if error is ours else told.__cause__) is error


def test_store(local: LocalBackend) -> None:
    """A store works over it, generators as content included."""
    with Store(local, "base") as store:
        store.write("a", (part for part in (b"x", b"y")))
        with store.open_atomic("b") as file:
            file.write(b"z")
        assert sorted(str(f.path) for f in store.list_files("")) == ["a", "b"]
        with store.read("b") as stream:
            assert store.read_bytes("a") + stream.read() == b"xyz"

"""The emulator from its wheel, in an environment without anything else of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.storage.filedatalake import FileSystemClient

if TYPE_CHECKING:
    from tests.packaging.conftest import Environment

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_session_of_the_plain_client(
    dist: Path, shelf: Path, new_environment: Callable[[], Environment]
) -> None:
    """Create, append, flush, rename, list with paging and delete."""
    environment = new_environment()
    places = ("--no-index", "--find-links", dist, "--find-links", shelf)
    environment.pip("install", "--quiet", *places, "remote-store-hns-emulator")
    command = (environment.python, "-I", "-m", "hns_emulator", "--port", "0", "--page-cap", "2")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            *_, address = (server.stdout.readline().strip() for _ in range(4))
            _session(address)
        finally:
            server.terminate()
    assert server.returncode == 0


def _session(address: str) -> None:
    with FileSystemClient.from_connection_string(address, "data") as files:
        files.create_file_system()
        for name in ("a/1.txt", "a/2.txt", "b/3.txt"):
            file = files.get_file_client(name)
            file.create_file()
            file.append_data(b"hello ", 0)
            file.append_data(name.encode(), 6)
            file.flush_data(6 + len(name))
        files.get_file_client("b/3.txt").rename_file("data/a/3.txt")
        pages = list(files.get_paths("a").by_page())
        names = [[path.name for path in page] for page in pages]
        assert [name for page in names for name in page] == ["a/1.txt", "a/2.txt", "a/3.txt"]
        assert len(names) > 1
        content = files.get_file_client("a/3.txt").download_file().readall()
        assert content == b"hello b/3.txt"
        files.get_directory_client("a").delete_directory()
        assert [path.name for path in files.get_paths()] == ["b"]

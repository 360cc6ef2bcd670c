"""Backends on a fresh folder, with each way of opening folders and of exclusive renaming."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_store._threads.thread_pool import Job, ThreadPool
from remote_store_local import AsyncLocalBackend, LocalBackend, _files
from remote_store_local._fs import renameat2

Make = Callable[..., AsyncLocalBackend]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that the backend is confined to, with a neighbour outside."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture(params=["walk", "path"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force one way of opening folders."""
    monkeypatch.setattr(_files, "best_method", lambda: request.param)
    return str(request.param)


@pytest.fixture
def link_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that no file system renames without replacing."""

    def refuse(*_: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(renameat2, "renameat2", refuse)


@pytest.fixture
def backend(root: Path) -> AsyncLocalBackend:
    """A backend on this machine's own file system."""
    return AsyncLocalBackend(root)


@pytest.fixture
def local(root: Path) -> LocalBackend:
    """A sync backend on this machine's own file system."""
    return LocalBackend(root)


def litter(root: Path) -> list[str]:
    """Return every temporary file below *root*."""
    return [name for _, _, names in os.walk(root) for name in names if name.startswith(".~tmp.")]


def count_hops(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Return a list that grows with every job that goes to a thread."""
    jobs: list[Job] = []
    put = ThreadPool.put

    def counting(crew: ThreadPool, job: Job) -> bool:
        jobs.append(job)
        return put(crew, job)

    monkeypatch.setattr(ThreadPool, "put", counting)
    return jobs

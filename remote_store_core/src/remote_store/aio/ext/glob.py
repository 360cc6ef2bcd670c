"""Glob on every store that lists."""

from remote_store._store.async_glob_files import glob_files

__all__ = ["glob_files"]

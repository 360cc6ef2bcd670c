"""Glob on every sync store that lists."""

from remote_store._store.glob_files import glob_files

__all__ = ["glob_files"]

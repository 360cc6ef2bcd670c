"""Additions that work on every sync store."""

from remote_store.ext import glob as glob

__all__: list[str] = []

"""Additions that work on every store."""

from remote_store.aio.ext import glob as glob

"""
The two models that every hot operation returns, built fast.

The constructor of a frozen class stores each field through
``object.__setattr__``. A subclass without that guard stores them as ordinary
attributes and then becomes the real class: the result is the same object in
every respect, at less than a third of the cost, which is otherwise more than
all the rest of such an operation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from remote_store import FileInfo, RemotePath, WriteResult

__all__ = ["file_info", "write_result"]


class _FileInfoDraft(FileInfo):
    __slots__ = ()
    __setattr__ = object.__setattr__
    # Both or none: the interpreter keeps them in one slot of the type.
    __delattr__ = object.__delattr__

    def __init__(
        self,
        path: RemotePath,
        name: str,
        size: int,
        modified_at: datetime,
        etag: str,
        metadata: dict[str, str] | None,
    ) -> None:
        this: Any = self
        this.path = path
        this.name = name
        this.size = size
        this.modified_at = modified_at
        this.digest = None
        this.etag = etag
        this.content_type = None
        this.metadata = metadata
        this.extra = {}
        this.__class__ = FileInfo


class _WriteResultDraft(WriteResult):
    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__

    def __init__(
        self,
        path: RemotePath,
        size: int,
        etag: str,
        last_modified: datetime,
        metadata: dict[str, str] | None,
    ) -> None:
        this: Any = self
        this.path = path
        this.size = size
        this.source = "native"
        this.digest = None
        this.etag = etag
        this.version_id = None
        this.last_modified = last_modified
        this.metadata = metadata
        this.__class__ = WriteResult


file_info = _FileInfoDraft
write_result = _WriteResultDraft

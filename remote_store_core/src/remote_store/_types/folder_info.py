"""What lies below a folder, added up."""

from __future__ import annotations

from datetime import datetime

from attrs import Factory, field, frozen

from remote_store._types.path import RemotePath

__all__ = ["FolderInfo"]


@frozen
class FolderInfo:
    """
    What lies below a folder. Equality and hash look at `path` only.

    Args:
        path: Path of the folder; `RemotePath.ROOT` for the root of a store.
        file_count: Files below it, at every depth that was asked for.
        total_size: Their bytes.
        modified_at: Latest known time of any counted file, or None.
        extra: Anything else that the backend knows.
    """

    path: RemotePath
    file_count: int = field(eq=False)
    total_size: int = field(eq=False)
    modified_at: datetime | None = field(default=None, eq=False)
    extra: dict[str, object] = field(default=Factory(dict), eq=False)

    @property
    def name(self) -> str:
        """Last segment of the path."""
        return self.path.name

"""Making folders."""

from __future__ import annotations

from remote_store_local._errors import mapped
from remote_store_local._files import LocalFiles
from remote_store_local._fs.destination import make_folder, remove_created
from remote_store_local._fs.fsync import fsync_names

__all__ = ["create_folder"]


@mapped
def create_folder(files: LocalFiles, key: str) -> None:
    """Make a folder and those above it; all of them or, where one is refused, none."""
    if not files.key(key):
        files.root.open_folder("").close()
        return
    normal = files.target_key(key)
    created: list[str] = []
    try:
        make_folder(files.root, normal, created)
        if files.fsync == "always":
            with fsync_names(files.root, normal, (), created):
                pass
    except BaseException:
        remove_created(files.root, created)
        raise

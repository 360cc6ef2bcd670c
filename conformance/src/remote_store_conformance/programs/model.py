"""
What a store must answer, by the contract alone.

An oracle of its own: it shares no code with the core or any backend.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import define, field

from remote_store import AlreadyExists, DirectoryNotEmpty, InvalidPath, NotFound

__all__ = ["Answer", "Model", "Refusal"]

#: An error that a call must raise.
Refusal: TypeAlias = type[Exception]

#: What a call must do: return this value, or raise this error.
Answer: TypeAlias = object


def above(path: str) -> list[str]:
    """Return the folders above a path, without the root."""
    names = path.split("/")
    return ["/".join(names[:n]) for n in range(1, len(names))]


_DONE: Final = None


@define
class Model:
    """
    The files of a store.

    Args:
        real_folders: Folders exist by themselves.
        shared_names: A file and a folder may share a name.
        files: Content by path.
        folders: Folders that exist, where they are real.
    """

    real_folders: bool
    shared_names: bool
    files: dict[str, bytes] = field(factory=dict)
    folders: set[str] = field(factory=set)

    def copy(self) -> Model:
        """Return a copy that goes its own way."""
        return Model(self.real_folders, self.shared_names, dict(self.files), set(self.folders))

    def is_folder(self, path: str) -> bool:
        """Return True if a folder is there."""
        if self.real_folders:
            return path in self.folders
        return any(file.startswith(f"{path}/") for file in self.files)

    def below(self, path: str) -> set[str]:
        """Return the files below a folder."""
        return {file for file in self.files if file.startswith(f"{path}/")}

    def no_target(self, path: str, overwrite: bool) -> Refusal | None:
        """Return why no file may be put at a path."""
        in_the_way = self.is_folder(path) or any(folder in self.files for folder in above(path))
        if in_the_way and not self.shared_names:
            return InvalidPath
        if path in self.files and not overwrite:
            return AlreadyExists
        return None

    def no_source(self, path: str) -> Refusal | None:
        """Return why there is no file to take from a path."""
        if path in self.files:
            return None
        return InvalidPath if self.is_folder(path) else NotFound

    def put(self, path: str, content: bytes) -> None:
        """Put a file at a path that may take one."""
        self.files[path] = content
        self.folders.update(above(path))

    def write(self, path: str, content: bytes, *, overwrite: bool) -> Answer:
        """Write a file; the answer is its size."""
        refusal = self.no_target(path, overwrite)
        if refusal is not None:
            return refusal
        self.put(path, content)
        return len(content)

    def read(self, path: str) -> Answer:
        """Read a file; the answer is its content."""
        return self.no_source(path) or self.files[path]

    def size(self, path: str) -> Answer:
        """Look at a file; the answer is its size."""
        return self.no_source(path) or len(self.files[path])

    def delete(self, path: str, *, missing_ok: bool) -> Answer:
        """Delete a file."""
        refusal = self.no_source(path)
        if refusal is NotFound and missing_ok:
            return _DONE
        if refusal is None:
            del self.files[path]
        return refusal

    def delete_folder(self, path: str, *, recursive: bool, missing_ok: bool) -> Answer:
        """Delete a folder."""
        if not self.is_folder(path):
            if path in self.files:
                return InvalidPath
            return _DONE if missing_ok else NotFound
        inner = {folder for folder in self.folders if folder.startswith(f"{path}/")}
        files = self.below(path)
        if (files or (inner and self.real_folders)) and not recursive:
            return DirectoryNotEmpty
        for file in files:
            del self.files[file]
        self.folders -= inner | {path}
        return _DONE

    def create_folder(self, path: str) -> Answer:
        """Make a folder."""
        if path in self.files or any(folder in self.files for folder in above(path)):
            return InvalidPath
        self.folders.update([*above(path), path])
        return _DONE

    def transfer(self, src: str, dst: str, *, overwrite: bool, keep: bool) -> Answer:
        """Move or copy a file."""
        refusal = self.no_source(src)
        if refusal is not None or src == dst:
            return refusal
        refusal = self.no_target(dst, overwrite)
        if refusal is not None:
            return refusal
        self.put(dst, self.files[src])
        if not keep:
            del self.files[src]
        return _DONE

    def list(self, path: str) -> frozenset[str]:
        """List the files below a path, at every depth."""
        return frozenset(self.below(path) if path else self.files)

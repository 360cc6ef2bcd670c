"""What the Data Lake endpoint does to the tree, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from hns_emulator._errors import ServiceError, UnverifiedError
from hns_emulator._state.account import AccountState
from hns_emulator._state.conditions import Conditions
from hns_emulator._state.tree import Filesystem, Node, Path, find, under_file

__all__ = [
    "Renaming",
    "append",
    "append_and_flush",
    "check_rename",
    "create",
    "delete",
    "flush",
    "rename",
]


def create(
    account: AccountState,
    fs: Filesystem,
    path: Path,
    *,
    is_directory: bool,
    metadata: dict[str, str],
    content_type: str,
    conditions: Conditions,
) -> Node:
    """
    Create a file or directory with its parents; a file over a file truncates it.

    Raises:
        ServiceError: PathConflict below a file or over the other kind,
            PathAlreadyExists for `If-None-Match: *`, ConditionNotMet.
    """
    if under_file(fs, path):
        raise ServiceError(code="PathConflict")
    old = find(fs, path)
    if old is None:
        conditions.require_absent(None)
    else:
        conditions.require(old, "ConditionNotMet", "PathAlreadyExists")
        if old.is_directory != is_directory:
            raise ServiceError(code="PathConflict")
    parent = account.make_parents(fs, path)
    ticks = account.clock.tick()
    node = Node(is_directory, ticks, ticks, metadata, content_type)
    if old is not None and is_directory:
        node.created = old.created
        node.children = old.children
    account.link(parent, path[-1], node)
    return node


def append(fs: Filesystem, path: Path, position: int, data: bytes) -> Node:
    """
    Keep *data* for a later flush; the same position (bytes) replaces, any order goes.

    Raises:
        ServiceError: PathNotFound; InvalidFlushOperation if the Blob endpoint wrote the file.
        UnverifiedError: Onto a directory, below a file, below what is committed, or nothing at all.
    """
    node = _writable(fs, path, "append")
    if position < len(node.content):
        raise UnverifiedError(operation="append below the committed length")
    if not data:
        raise UnverifiedError(operation="append of nothing")
    node.pieces[position] = data
    return node


def flush(
    account: AccountState, fs: Filesystem, path: Path, position: int, conditions: Conditions
) -> Node:
    """
    Commit what was appended, in one step; *position* is the whole length (bytes) after it.

    Raises:
        ServiceError: PathNotFound, a condition, InvalidFlushOperation if the Blob
            endpoint wrote the file, InvalidFlushPosition for gaps, overlaps
            or another length.
        UnverifiedError: On a directory, or below a file.
    """
    node = _writable(fs, path, "flush")
    conditions.require(node, "ConditionNotMet", "PathAlreadyExists")
    end = len(node.content)
    for start in sorted(node.pieces):
        if start != end:
            raise ServiceError(code="InvalidFlushPosition")
        end += len(node.pieces[start])
    if end != position:
        raise ServiceError(code="InvalidFlushPosition")
    if not node.pieces:
        return node
    node.content = b"".join([node.content, *(node.pieces[start] for start in sorted(node.pieces))])
    node.pieces = {}
    node.md5 = None
    node.copied = {}
    node.changed = account.clock.tick()
    return node


def append_and_flush(
    account: AccountState, fs: Filesystem, path: Path, position: int, data: bytes
) -> Node:
    """
    Append and flush up to the end of *data* in one step; a refused flush keeps nothing of it.

    Raises:
        ServiceError: As `append` and `flush`.
        UnverifiedError: As `append`.
    """
    before = dict(_writable(fs, path, "append").pieces)
    node = append(fs, path, position, data)
    try:
        return flush(account, fs, path, position + len(data), Conditions("", ""))
    except ServiceError:
        node.pieces = before
        raise


def _writable(fs: Filesystem, path: Path, action: str) -> Node:
    if under_file(fs, path):
        raise UnverifiedError(operation=f"{action} below a file")
    node = find(fs, path)
    if node is None:
        raise ServiceError(code="PathNotFound")
    if node.is_directory:
        raise UnverifiedError(operation=f"{action} to a directory")
    if node.by_blob:
        raise ServiceError(code="InvalidFlushOperation")
    return node


@dataclass(frozen=True, slots=True)
class Renaming:
    """What a rename asks for; *posix* is its mode."""

    source_fs: Filesystem
    source: Path
    fs: Filesystem
    path: Path
    posix: bool
    source_conditions: Conditions
    conditions: Conditions


def rename(account: AccountState, asked: Renaming) -> Node:
    """
    Move a node to another name, over a file or an empty directory.

    It keeps ETag, times, metadata and what is appended and not flushed.

    Raises:
        ServiceError: See `check_rename`.
        UnverifiedError: See `check_rename`.
    """
    node = check_rename(asked)
    parent = account.make_parents(asked.fs, asked.path)
    account.unlink(asked.source_fs, asked.source)
    account.unlink(asked.fs, asked.path)
    account.link(parent, asked.path[-1], node)
    return node


def check_rename(asked: Renaming) -> Node:
    """
    Decide whether a rename is possible, in the order in which the service decides.

    Returns:
        The source.

    Raises:
        ServiceError: SourcePathNotFound, SourceConditionNotMet,
            RenameDestinationParentPathNotFound, InvalidRenameSourcePath,
            PathAlreadyExists, ConditionNotMet; InvalidSourceOrDestinationResourceType
            also below a file.
        UnverifiedError: From below a file, onto itself, onto a directory that is not empty,
            in posix mode onto any, or with blocks staged below the source.
    """
    if under_file(asked.source_fs, asked.source):
        raise UnverifiedError(operation="rename of what is below a file")
    node = find(asked.source_fs, asked.source)
    if node is None:
        raise ServiceError(code="SourcePathNotFound")
    asked.source_conditions.require(node, "SourceConditionNotMet")
    if under_file(asked.fs, asked.path):
        raise ServiceError(code="InvalidSourceOrDestinationResourceType")
    if find(asked.fs, asked.path[:-1]) is None:
        raise ServiceError(code="RenameDestinationParentPathNotFound")
    _refuse_itself(asked, node)
    old = find(asked.fs, asked.path)
    if old is None:
        asked.conditions.require_absent(None)
    else:
        _require_replaceable(asked, node, old)
    return node


def _refuse_itself(asked: Renaming, node: Node) -> None:
    below = asked.path[: len(asked.source)] == asked.source
    if asked.fs is asked.source_fs and below:
        if node.is_directory:
            raise ServiceError(code="InvalidRenameSourcePath")
        raise UnverifiedError(operation="rename of a file onto itself")
    staged = asked.source_fs.staged
    if any(path[: len(asked.source)] == asked.source for path in staged):
        raise UnverifiedError(operation="rename of a path with uncommitted blocks")


def _require_replaceable(asked: Renaming, node: Node, old: Node) -> None:
    asked.conditions.require(old, "ConditionNotMet", "PathAlreadyExists")
    if old.is_directory != node.is_directory:
        raise ServiceError(code="InvalidSourceOrDestinationResourceType")
    if old.is_directory and (old.children or asked.posix):
        operation = "rename of a directory onto one that is not empty"
        raise UnverifiedError(
            operation=f"{operation}, or in posix mode" if asked.posix else operation
        )


def delete(
    account: AccountState, fs: Filesystem, path: Path, recursive: str | None, conditions: Conditions
) -> None:
    """
    Remove a file, or a directory with all that is below it.

    *recursive* is "true", "false", or None if the request does not say.

    Raises:
        ServiceError: PathConflict below a file, PathNotFound, ConditionNotMet,
            DirectoryNotEmpty.
        UnverifiedError: For a directory without *recursive*.
    """
    if under_file(fs, path):
        raise ServiceError(code="PathConflict")
    node = find(fs, path)
    if node is None:
        raise ServiceError(code="PathNotFound")
    conditions.require(node, "ConditionNotMet")
    if node.is_directory and recursive is None:
        raise UnverifiedError(operation="delete of a directory without recursive")
    if node.children and recursive == "false":
        raise ServiceError(code="DirectoryNotEmpty")
    account.unlink(fs, path)

"""What the Data Lake endpoint does to the tree, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from hns_emulator._errors import ServiceError, Unverified
from hns_emulator._state.account import Account
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
    account: Account,
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
        if "create-requires-parents" in account.defects and find(fs, path[:-1]) is None:
            raise ServiceError(code="PathNotFound")
    else:
        _require_overwritable(account, old, conditions)
        if old.is_directory != is_directory:
            raise ServiceError(code="PathConflict")
    parent = account.make_parents(fs, path)
    ticks = account.clock.tick()
    if "parents-share-etag" in account.defects:
        parent.changed = ticks
    node = Node(is_directory, ticks, ticks, metadata, content_type)
    if old is not None and is_directory:
        node.created = old.created
    if old is not None and is_directory and "create-drops-children" not in account.defects:
        node.children = old.children
    if old is not None and "create-keeps-content" in account.defects:
        node.content = old.content
    account.link(parent, path[-1], node)
    return node


def _require_overwritable(account: Account, old: Node, conditions: Conditions) -> None:
    if conditions.exclusive and "create-ignores-if-none-match" in account.defects:
        return
    late = "create-exists-412" in account.defects
    conditions.require(old, "ConditionNotMet", "ConditionNotMet" if late else "PathAlreadyExists")


def append(account: Account, fs: Filesystem, path: Path, position: int, data: bytes) -> Node:
    """
    Keep *data* for a later flush; the same position (bytes) replaces, any order goes.

    Raises:
        ServiceError: PathNotFound; InvalidFlushOperation if the Blob endpoint wrote the file.
        Unverified: Onto a directory, below a file, below what is committed, or nothing at all.
    """
    node = _writable(fs, path, "append")
    if position < len(node.content):
        raise Unverified(operation="append below the committed length")
    if not data:
        raise Unverified(operation="append of nothing")
    if "append-in-order-only" in account.defects and position != len(node.content) + sum(
        map(len, node.pieces.values())
    ):
        raise ServiceError(code="InvalidFlushPosition")
    node.pieces[position] = data
    if "append-changes-etag" in account.defects:
        node.changed = account.clock.tick()
    return node


def flush(
    account: Account, fs: Filesystem, path: Path, position: int, conditions: Conditions
) -> Node:
    """
    Commit what was appended, in one step; *position* is the whole length (bytes) after it.

    Raises:
        ServiceError: PathNotFound, a condition, InvalidFlushOperation if the Blob
            endpoint wrote the file, InvalidFlushPosition for gaps, overlaps
            or another length.
        Unverified: On a directory, or below a file.
    """
    node = _writable(fs, path, "flush")
    conditions.require(node, "ConditionNotMet", "PathAlreadyExists")
    end = len(node.content)
    for start in sorted(node.pieces):
        if start != end and "flush-ignores-position" not in account.defects:
            raise ServiceError(code="InvalidFlushPosition")
        end += len(node.pieces[start])
    if end != position and "flush-ignores-position" not in account.defects:
        raise ServiceError(code="InvalidFlushPosition")
    if not node.pieces and "flush-of-nothing-new-etag" not in account.defects:
        return node
    node.content = b"".join([node.content, *(node.pieces[start] for start in sorted(node.pieces))])
    node.pieces = {}
    node.md5 = None
    node.copied = {}
    if "flush-keeps-etag" not in account.defects:
        node.changed = account.clock.tick()
    return node


def append_and_flush(
    account: Account, fs: Filesystem, path: Path, position: int, data: bytes
) -> Node:
    """
    Append and flush up to the end of *data* in one step; a refused flush keeps nothing of it.

    Raises:
        ServiceError: As `append` and `flush`.
        Unverified: As `append`.
    """
    before = dict(_writable(fs, path, "append").pieces)
    node = append(account, fs, path, position, data)
    try:
        unconditional = Conditions("", "", account.defects)
        return flush(account, fs, path, position + len(data), unconditional)
    except ServiceError:
        node.pieces = before
        raise


def _writable(fs: Filesystem, path: Path, action: str) -> Node:
    if under_file(fs, path):
        raise Unverified(operation=f"{action} below a file")
    node = find(fs, path)
    if node is None:
        raise ServiceError(code="PathNotFound")
    if node.is_directory:
        raise Unverified(operation=f"{action} to a directory")
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


def rename(account: Account, asked: Renaming) -> Node:
    """
    Move a node to another name, over a file or an empty directory.

    It keeps ETag, times, metadata and what is appended and not flushed.

    Raises:
        ServiceError: See `check_rename`.
        Unverified: See `check_rename`.
    """
    node = check_rename(account, asked)
    parent = account.make_parents(asked.fs, asked.path)
    if "rename-keeps-source" in account.defects:
        node = _copied(node)
    else:
        account.unlink(asked.source_fs, asked.source)
    account.unlink(asked.fs, asked.path)
    account.link(parent, asked.path[-1], node)
    if "rename-new-etag" in account.defects:
        node.changed = account.clock.tick()
    if "rename-new-creation-time" in account.defects:
        node.created = account.clock.tick()
    if "rename-drops-metadata" in account.defects:
        node.metadata = {}
    return node


def check_rename(account: Account, asked: Renaming) -> Node:
    """
    Decide whether a rename is possible, in the order in which the service decides.

    Returns:
        The source.

    Raises:
        ServiceError: SourcePathNotFound, SourceConditionNotMet,
            RenameDestinationParentPathNotFound, InvalidRenameSourcePath,
            PathAlreadyExists, ConditionNotMet; InvalidSourceOrDestinationResourceType
            also below a file.
        Unverified: From below a file, onto itself, onto a directory that is not empty,
            in posix mode onto any, or with blocks staged below the source.
    """
    if under_file(asked.source_fs, asked.source):
        raise Unverified(operation="rename of what is below a file")
    node = find(asked.source_fs, asked.source)
    if node is None:
        code = "PathNotFound" if "rename-source-404" in account.defects else "SourcePathNotFound"
        raise ServiceError(code=code)
    asked.source_conditions.require(node, "SourceConditionNotMet")
    if under_file(asked.fs, asked.path):
        raise ServiceError(code="InvalidSourceOrDestinationResourceType")
    if find(asked.fs, asked.path[:-1]) is None and "rename-makes-parents" not in account.defects:
        raise ServiceError(code="RenameDestinationParentPathNotFound")
    _refuse_itself(asked, node)
    old = find(asked.fs, asked.path)
    if old is None:
        asked.conditions.require_absent(None)
    else:
        _require_replaceable(account, asked, node, old)
    return node


def _refuse_itself(asked: Renaming, node: Node) -> None:
    below = asked.path[: len(asked.source)] == asked.source
    if asked.fs is asked.source_fs and below:
        if node.is_directory:
            raise ServiceError(code="InvalidRenameSourcePath")
        raise Unverified(operation="rename of a file onto itself")
    staged = asked.source_fs.staged
    if any(path[: len(asked.source)] == asked.source for path in staged):
        raise Unverified(operation="rename of a path with uncommitted blocks")


def _require_replaceable(account: Account, asked: Renaming, node: Node, old: Node) -> None:
    if not (asked.conditions.exclusive and "rename-ignores-if-none-match" in account.defects):
        asked.conditions.require(old, "ConditionNotMet", "PathAlreadyExists")
    if old.is_directory != node.is_directory:
        raise ServiceError(code="InvalidSourceOrDestinationResourceType")
    if old.is_directory and (old.children or asked.posix):
        operation = "rename of a directory onto one that is not empty"
        raise Unverified(operation=f"{operation}, or in posix mode" if asked.posix else operation)


def _copied(node: Node) -> Node:
    copy = Node(node.is_directory, node.created, node.changed, dict(node.metadata))
    copy.content = node.content
    copy.children = {name: _copied(child) for name, child in node.children.items()}
    return copy


def delete(
    account: Account, fs: Filesystem, path: Path, recursive: str | None, conditions: Conditions
) -> None:
    """
    Remove a file, or a directory with all that is below it.

    *recursive* is "true", "false", or None if it was not told.

    Raises:
        ServiceError: PathConflict below a file, PathNotFound, ConditionNotMet,
            DirectoryNotEmpty.
        Unverified: For a directory without *recursive*.
    """
    if under_file(fs, path):
        raise ServiceError(code="PathConflict")
    node = find(fs, path)
    if node is None:
        if "delete-missing-200" in account.defects:
            return
        raise ServiceError(code="PathNotFound")
    conditions.require(node, "ConditionNotMet")
    if node.is_directory and recursive is None:
        raise Unverified(operation="delete of a directory without recursive")
    if node.children and recursive == "false" and "delete-ignores-children" not in account.defects:
        raise ServiceError(code="DirectoryNotEmpty")
    account.unlink(fs, path)
    if "delete-keeps-children" in account.defects and node.children:
        fs.root.children.update(node.children)

"""What the Blob endpoint does to the same tree, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass, field, replace

from hns_emulator._errors import ServiceError, UnverifiedError
from hns_emulator._state.account import AccountState
from hns_emulator._state.clock import http_date
from hns_emulator._state.conditions import Conditions
from hns_emulator._state.tree import Filesystem, Node, Path, find, under_file

__all__ = [
    "Copying",
    "FileContent",
    "changeable",
    "commit_blocks",
    "copy_blob",
    "delete_blob",
    "md5_of",
    "put_blob",
    "set_metadata",
    "stage",
]


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file is to hold."""

    data: bytes
    content_type: str | None
    metadata: dict[str, str]
    md5: str | None = None
    blocks: dict[str, bytes] = field(default_factory=dict)
    http: dict[str, str] = field(default_factory=dict)


def md5_of(data: bytes) -> str:
    """Return the MD5 of *data* in base64."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def put_blob(
    account: AccountState, fs: Filesystem, path: Path, content: FileContent, conditions: Conditions
) -> Node:
    """
    Write a file as a whole, with its parents, over a file or where nothing is.

    Raises:
        ServiceError: BlobNotFound below a file, ResourceTypeMismatch over a directory,
            BlobAlreadyExists for `If-None-Match: *`, ConditionNotMet.
        UnverifiedError: Exclusively where only uncommitted blocks are.
    """
    if path in fs.staged and conditions.exclusive and find(fs, path) is None:
        raise UnverifiedError(operation="exclusive Put Blob over uncommitted blocks")
    _require_writable(fs, path, conditions, "ConditionNotMet")
    return _write(account, fs, path, content)


def _require_writable(fs: Filesystem, path: Path, conditions: Conditions, failed: str) -> None:
    old = find(fs, path)
    _require_file_place(fs, path, old, "BlobNotFound")
    if old is None:
        conditions.require_absent(failed)
    else:
        conditions.require(old, failed, "BlobAlreadyExists")


def _write(account: AccountState, fs: Filesystem, path: Path, content: FileContent) -> Node:
    parent = account.make_parents(fs, path)
    ticks = account.clock.tick()
    old = parent.children.get(path[-1])
    created = ticks if old is None else old.created
    node = Node(False, created, ticks, content.metadata, content.content_type, content.data)
    node.by_blob = True
    node.md5 = content.md5
    node.blocks = content.blocks
    node.http = content.http
    account.link(parent, path[-1], node)
    fs.staged.pop(path, None)
    return node


def _require_file_place(fs: Filesystem, path: Path, old: Node | None, below: str) -> None:
    """Refuse a path where no file can be; *below* is the code for one below a file."""
    if under_file(fs, path):
        raise ServiceError(code=below)
    if old is not None and old.is_directory:
        raise ServiceError(code="ResourceTypeMismatch")


def stage(fs: Filesystem, path: Path, block: str, data: bytes) -> None:
    """
    Keep a block for a later commit.

    Raises:
        ServiceError: InvalidBlobOrBlock if other uncommitted ids have another length;
            OperationNotAllowedInCurrentState below a file, ResourceTypeMismatch
            over a directory.
    """
    code = "OperationNotAllowedInCurrentState"
    _require_file_place(fs, path, find(fs, path), code)
    staged = fs.staged.get(path, {})
    if any(len(other) != len(block) for other in staged):
        raise ServiceError(code="InvalidBlobOrBlock")
    fs.staged.setdefault(path, {})[block] = data


def commit_blocks(
    account: AccountState,
    fs: Filesystem,
    path: Path,
    wanted: list[tuple[str, str]],
    content: FileContent,
    conditions: Conditions,
) -> Node:
    """
    Make a file of blocks.

    *wanted* says for each where to look ("Latest", "Uncommitted" or
    "Committed") and its id; *content* is everything but the data.

    Raises:
        ServiceError: InvalidBlockList for a block that is not there; as `put_blob`.
        UnverifiedError: Below a file.
    """
    if under_file(fs, path):
        raise UnverifiedError(operation="Put Block List below a file")
    _require_writable(fs, path, conditions, "ConditionNotMet")
    old = find(fs, path)
    committed = old.blocks if old is not None else {}
    staged = fs.staged.get(path, {})
    places = {
        "Latest": {**committed, **staged},
        "Uncommitted": staged,
        "Committed": committed,
    }
    blocks: list[tuple[str, bytes]] = []
    for place, block in wanted:
        if block not in places[place]:
            raise ServiceError(code="InvalidBlockList")
        blocks.append((block, places[place][block]))
    data = b"".join(data for _, data in blocks)
    whole = replace(content, data=data, blocks=dict(blocks))
    return _write(account, fs, path, whole)


def set_metadata(
    account: AccountState,
    fs: Filesystem,
    path: Path,
    metadata: dict[str, str],
    conditions: Conditions,
) -> Node:
    """
    Replace a file's metadata.

    Raises:
        ServiceError: BlobNotFound, ConditionNotMet.
        UnverifiedError: On a directory.
    """
    node = changeable(fs, path, "Set Metadata", conditions)
    node.metadata = metadata
    node.changed = account.clock.tick()
    return node


def changeable(fs: Filesystem, path: Path, operation: str, conditions: Conditions) -> Node:
    """
    Return the file that an operation is to change.

    Raises:
        ServiceError: BlobNotFound, ConditionNotMet.
        UnverifiedError: It is a directory.
    """
    node = find(fs, path)
    if node is None:
        raise ServiceError(code="BlobNotFound")
    if node.is_directory:
        raise UnverifiedError(operation=f"{operation} of a directory")
    conditions.require(node, "ConditionNotMet")
    return node


@dataclass(frozen=True, slots=True)
class Copying:
    """What a copy asks for; *metadata* is None for the source's."""

    source_fs: Filesystem
    source: Path
    source_url: str
    fs: Filesystem
    path: Path
    metadata: dict[str, str] | None
    source_conditions: Conditions
    conditions: Conditions


def copy_blob(account: AccountState, asked: Copying) -> Node:
    """
    Copy a file at once.

    Raises:
        ServiceError: BlobNotFound, SourceConditionNotMet, BlobAlreadyExists for
            `If-None-Match: *`, TargetConditionNotMet; as `put_blob`.
        UnverifiedError: From a directory, or onto itself.
    """
    node = find(asked.source_fs, asked.source)
    if node is None:
        raise ServiceError(code="BlobNotFound")
    if node.is_directory:
        raise UnverifiedError(operation="copy of a directory")
    asked.source_conditions.require(node, "SourceConditionNotMet")
    if (asked.source_fs, asked.source) == (asked.fs, asked.path):
        raise UnverifiedError(operation="copy of a file onto itself")
    metadata = dict(node.metadata) if asked.metadata is None else asked.metadata
    content = FileContent(node.content, node.content_type, metadata, node.md5, http=dict(node.http))
    _require_writable(asked.fs, asked.path, asked.conditions, "TargetConditionNotMet")
    made = _write(account, asked.fs, asked.path, content)
    length = len(made.content)
    made.copied = {
        "x-ms-copy-id": str(uuid.uuid4()),
        "x-ms-copy-status": "success",
        "x-ms-copy-source": asked.source_url,
        "x-ms-copy-progress": f"{length}/{length}",
        "x-ms-copy-completion-time": http_date(made.changed),
    }
    return made


def delete_blob(
    account: AccountState,
    fs: Filesystem,
    path: Path,
    conditions: Conditions,
    *,
    with_snapshots: bool,
) -> None:
    """
    Remove a file or an empty directory.

    Raises:
        ServiceError: BlobNotFound, ConditionNotMet, DirectoryIsNotEmpty,
            OperationNotAllowedInCurrentState below a file,
            OperationNotSupportedOnDirectory for a directory with its snapshots.
    """
    if under_file(fs, path):
        raise ServiceError(code="OperationNotAllowedInCurrentState")
    node = find(fs, path)
    if node is None:
        raise ServiceError(code="BlobNotFound")
    conditions.require(node, "ConditionNotMet")
    if node.is_directory and with_snapshots:
        raise ServiceError(code="OperationNotSupportedOnDirectory")
    if node.children:
        raise ServiceError(code="DirectoryIsNotEmpty")
    account.unlink(fs, path)

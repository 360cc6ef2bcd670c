"""What plans are made of, and what an execution reports. All of it is frozen and pickles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen

from remote_store import UNKNOWN_TIME, FileInfo

if TYPE_CHECKING:
    from remote_store import ContentDigest, ContentHeaders

__all__ = [
    "Action",
    "Compare",
    "Failure",
    "Kind",
    "Links",
    "Order",
    "Totals",
    "TransferReport",
    "Version",
    "new_action",
    "new_version",
    "same_version",
    "version_of",
]

#: What an action does to its path in the target.
Kind: TypeAlias = Literal["copy", "replace", "skip", "delete", "conflict"]
#: How two files are compared.
Compare: TypeAlias = Literal["etag", "time", "size", "content"]
#: What becomes of links to folders in the source.
Links: TypeAlias = Literal["report", "follow", "skip"]
#: Which files come first.
Order: TypeAlias = Literal["size", "name"]

# The guard of a frozen class makes attrs store each field through object.__setattr__.
# Plans give out three of the objects below for each file: those are made of a subclass
# without the guard, and then become what they are.
_new = object.__new__


@frozen
class Version:
    """
    What was seen of one version of a file.

    Args:
        size: Bytes.
        modified_at: The store's own time, aware; None where it is unknown.
        etag: Version token; None where the look did not give one.
        digest: Digest that the service keeps; None where it told none.
        metadata: User metadata; None where there is none, or none was fetched.
        headers: Content headers; likewise.
    """

    size: int
    modified_at: datetime | None = None
    etag: str | None = None
    digest: ContentDigest | None = None
    metadata: Mapping[str, str] | None = None
    headers: ContentHeaders | None = None


class _OpenVersion(Version):
    __slots__ = ()
    __setattr__ = object.__setattr__
    # Both or none: the interpreter keeps them in one slot of the type.
    __delattr__ = object.__delattr__


def version_of(info: FileInfo) -> Version:
    """Return what a listing or a question told of a file."""
    time = None if info.modified_at == UNKNOWN_TIME else info.modified_at
    return Version(info.size, time, info.etag, info.digest, info.metadata or None, info.headers)


def new_version(
    size: int,
    modified_at: datetime | None,
    etag: str | None,
    digest: ContentDigest | None,
    metadata: Mapping[str, str] | None,
) -> Version:
    """Return a version without headers in a third of the time of `Version`."""
    this: Any = _new(_OpenVersion)
    this.size = size
    this.modified_at = modified_at
    this.etag = etag
    this.digest = digest
    this.metadata = metadata
    this.headers = None
    this.__class__ = Version
    version: Version = this
    return version


def same_version(one: Version, other: Version) -> bool:
    """Return True if two looks saw one version: by ETag where both have it, else size and time."""
    if one.etag is not None and other.etag is not None:
        return one.etag == other.etag
    return (one.size, one.modified_at) == (other.size, other.modified_at)


@frozen
class Action:
    """
    What is to be done about one path.

    Args:
        kind: ``"copy"``: a new file; ``"replace"``: one that differs;
            ``"skip"``: it is equal; ``"delete"``: the source has no such
            file; ``"conflict"``: nothing is done, and *reason* says why.
        path: Relative to both sides of the plan.
        size: Bytes to move, 0 where none are.
        reason: Why, for a reader.
        source: The source's version that the plan saw; None without one.
        target: The target's version that the plan saw; None without one.
    """

    kind: Kind
    path: str
    size: int
    reason: str
    source: Version | None = None
    target: Version | None = None


class _OpenAction(Action):
    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


def new_action(
    kind: Kind,
    path: str,
    size: int,
    reason: str,
    source: Version | None = None,
    target: Version | None = None,
) -> Action:
    """Return an action in a third of the time of `Action`."""
    this: Any = _new(_OpenAction)
    this.kind = kind
    this.path = path
    this.size = size
    this.reason = reason
    this.source = source
    this.target = target
    this.__class__ = Action
    action: Action = this
    return action


@frozen
class Totals:
    """
    The sums of a plan.

    Args:
        copy: New files.
        replace: Files that differ.
        skip: Files that are equal.
        delete: Files that the source does not have.
        conflict: Paths about which nothing is done.
        size: Bytes to move.
    """

    copy: int = 0
    replace: int = 0
    skip: int = 0
    delete: int = 0
    conflict: int = 0
    size: int = 0

    @property
    def files(self) -> int:
        """Number of actions of all kinds."""
        return self.copy + self.replace + self.skip + self.delete + self.conflict


@frozen
class Failure:
    """
    What could not be done.

    Args:
        path: Relative path; of a folder for ``"list"``.
        kind: What was tried: the kind of an action, ``"list"`` with the side
            that could not be listed in *reason*, or ``"compare"``.
        reason: Why, for a reader; the message of *error*.
        error: Name of the exception's class.
        status: HTTP status with which a service refused; None without one.
    """

    path: str
    kind: Kind | Literal["list", "compare"]
    reason: str
    error: str
    status: int | None = None


@frozen
class TransferReport:
    """
    What an execution did.

    Args:
        copied: New files that arrived.
        replaced: Files that were replaced.
        skipped: Files that were equal.
        deleted: Files that were deleted.
        size: Bytes that arrived.
        seconds: How long it took.
        failures: What could not be done or listed, conflicts included.
        retried: Attempts that a changing source, or a store that did not
            answer, made vain.
        deletes_withheld: Files that should have been deleted and were kept,
            because something failed, could not be listed, or was left out.
        links_left_out: Links to folders, or out of the source, that were not followed.
        names_left_out: Whether a listing met names that no path can have.
        metadata_left_out: Files whose user metadata the target cannot keep.
        times_left_out: Files whose modification time could not be restored.
    """

    copied: int = 0
    replaced: int = 0
    skipped: int = 0
    deleted: int = 0
    size: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    retried: int = 0
    deletes_withheld: int = 0
    links_left_out: int = 0
    names_left_out: bool = False
    metadata_left_out: int = 0
    times_left_out: int = 0

    @property
    def ok(self) -> bool:
        """True if nothing failed and nothing was withheld."""
        return not self.failures and not self.deletes_withheld

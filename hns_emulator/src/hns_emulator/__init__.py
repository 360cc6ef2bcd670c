"""
A strict emulator of ADLS Gen2 accounts with a hierarchical namespace, on loopback.

It serves the Data Lake and the Blob endpoint of one account over one tree in
memory, verifies SharedKey signatures, and is meant for tests of clients. It is
no product of the service's vendor, and it is only as true as its sources, so
here is what each part rests on.

**Recorded** from real accounts, and answered to the byte (headers, reason
phrases, bodies, lengths): account information; create container, also where one
is; create file and directory, implicit parents, `If-None-Match: *`, conditions;
append in any order, append with flush, flush; rename of files and directories,
onto files and onto an empty directory, across filesystems, source missing,
conditions on both ends; delete on the Data Lake endpoint, recursively or not,
missing, with conditions, in a missing filesystem; HEAD and ranged GET of files
and directories, 404, 416; List Paths with its entries and pages; List Blobs in
its two shapes; Put Blob, Put Block and Put Block List with their checksums, Copy
Blob (always at once), the creation time that these keep; a flush of nothing;
what is below a file: Put Blob, Copy Blob, Put Block, Delete Blob, create, delete,
rename and List Paths.

**Reported** by users of real accounts (text or code quoted): a missing parent of
a rename's destination; List Paths of a missing directory; Delete Blob of a
directory that is not empty, or with its snapshots; the refusal of snapshots;
empty segments and trailing dots of names, 61 segments.

**Documented, not recorded**: PathConflict over the other kind,
InvalidFlushPosition, InvalidFlushOperation, InvalidRenameSourcePath,
InvalidSourceOrDestinationResourceType over the other kind, PathAlreadyExists for
a rename and a flush with `If-None-Match: *`; 304 for conditional reads; 401 and
403; the namespace flag of HEAD on a filesystem and the access control of its
root; a rename without mode, which is posix; HEAD and GET of the Data Lake
endpoint; stored headers (Cache-Control and its like); the list of containers and
their metadata; batches of deletions; the interplay of both endpoints' writes, Set
Metadata; x-ms-content-type on a flush; non-characters in the XML of listings.

**Own choices**, where a client should not look: a file created anew over another
gets a new creation time; List Blobs comes in the order of List Paths; the code
of a 409 for writing a blob over a directory, which nobody recorded.

**Refused with 501 EmulatorUnverified**, and counted in `unverified`, because
nobody recorded what happens: rename of a directory onto one that is not empty,
in posix mode onto any, of a file onto itself, with new properties, from a
missing filesystem, of uncommitted blocks, of what is below a file; append below
the committed length, of nothing, to a directory; flush of a directory; append,
flush and Put Block List below a file; retainUncommittedData=true; delete
of a directory without `recursive`, or with `If-None-Match: *`; listing a file,
beginFrom; reading a directory by the Data Lake endpoint; conditions on what does not exist
(but If-Match on the Blob endpoint) or on ETag and time at once; metadata beyond
ASCII, or set on a directory; an exclusive Put Blob over uncommitted blocks;
copies of directories, onto themselves, from elsewhere; leases, ACLs, expiry,
undelete, setProperties, tags, access tiers, public access, SAS and tokens.

**Not served**: 501 that names it, and counted in `refused`: every operation,
query, value and header that the closed tables do not name, and Data Lake requests
on the Blob host or the reverse. What is malformed is 400, and counted as well.

A suite asserts in its end that both counters are empty: then no test has passed
because of a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hns_emulator._loopback import loopback_connector, loopback_session
    from hns_emulator._server import HnsEmulator, Seen

__all__ = ["HnsEmulator", "Seen", "loopback_connector", "loopback_session"]


def __getattr__(name: str) -> Any:
    """Import aiohttp late: pytest imports this package in every run."""
    if name in {"HnsEmulator", "Seen"}:
        from hns_emulator import _server

        return getattr(_server, name)
    if name in {"loopback_connector", "loopback_session"}:
        from hns_emulator import _loopback

        return getattr(_loopback, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)

"""
The deliberate defects of the emulator, each a patch to the function in which a rule lives.

They exist to test tests: while one of them is in force, some check of the
emulator or of a client must fail. A defect that no check notices is a hole.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.emulator.defect import Defect

from hns_emulator._auth import verify
from hns_emulator._endpoints import blob, common, containers, dfs, messages, tables
from hns_emulator._service import AccountService
from hns_emulator._state import blobs, listing, paths, tree
from hns_emulator._state.account import AccountState
from hns_emulator._state.clock import Clock
from hns_emulator._state.conditions import Conditions, parse_conditions

__all__ = ["DEFECTS"]

_PAUSE = 0.2  # seconds; long enough for rivals to arrive on a busy machine


async def rename_in_two_steps(
    account: AccountState, request: messages.ReceivedRequest
) -> messages.Answer:
    """Rename so that for a moment nothing is at either name."""
    asked = dfs._renaming(account, request)
    node = paths.check_rename(asked)
    account.unlink(asked.source_fs, asked.source)
    account.unlink(asked.fs, asked.path)
    await asyncio.sleep(_PAUSE)
    account.link(account.make_parents(asked.fs, asked.path), asked.path[-1], node)
    return messages.Answer(201, common.stamps(node))


async def rename_checked_before(
    account: AccountState, request: messages.ReceivedRequest
) -> messages.Answer:
    """Rename some time after the condition was checked."""
    asked = dfs._renaming(account, request)
    paths.check_rename(asked)
    await asyncio.sleep(_PAUSE)
    unchecked = replace(asked, conditions=Conditions("", ""))
    return messages.Answer(201, common.stamps(paths.rename(account, unchecked)))


def copied(node: tree.Node) -> tree.Node:
    """Return another node with the same content, and copies of what is below it."""
    copy = tree.Node(node.is_directory, node.created, node.changed, dict(node.metadata))
    copy.content = node.content
    copy.children = {name: copied(child) for name, child in node.children.items()}
    return copy


def with_pieces(node: tree.Node) -> tree.Node:
    """Return a node whose content has what was appended and not flushed."""
    pieces = [node.pieces[start] for start in sorted(node.pieces)]
    return replace(node, content=b"".join([node.content, *pieces]))


_HERE = f"from {__name__} import "
_LOCKED = "    with self.lock:"
_TICK = "account.clock.tick()"
_EXISTS = '"ConditionNotMet", "PathAlreadyExists")'
_TAKEN = 'conditions.require(old, failed, "BlobAlreadyExists")'
_WALK = "found = walk(node, recursive=recursive, after=after, base=base)"


def _late(rename: str) -> str:
    """Call a rename of this module, without the lock that makes one step of an operation."""
    return (
        '    if operation.name == "rename":\n'
        f"        {_HERE}{rename}\n"
        f"        return await {rename}(account, request)\n{_LOCKED}"
    )


def _then(statement: str, more: str) -> tuple[str, str]:
    """Do more after a statement."""
    return f"    {statement}\n", f"    {statement}\n    {more}\n"


_ALL = (
    # authentication
    Defect(
        "unsigned-accepted", "A request without Authorization is carried out.",
        verify, 'raise ServiceError(code="NoAuthenticationInformation")', "return",
    ),
    Defect(
        "signature-ignored", "A wrong signature is accepted.",
        verify, "if not (valid and name == account):", "if False:",
    ),
    Defect(
        "date-ignored", "An x-ms-date of any age is accepted.",
        verify, "if date is None or abs(time.time() - date) > _SKEW:", "if False:",
    ),
    # strictness
    Defect(
        "unknown-accepted", "Unknown queries and headers are ignored.",
        tables.hold_to_tables, "_refuse_unknown(operation, request)", "pass",
    ),
    Defect(
        "hosts-confused", "A DFS request on the Blob host is carried out, and the reverse.",
        tables.select,
        "        for operation in OPERATIONS\n"
        "        if (operation.kind, operation.method, operation.level)\n"
        "        == (request.kind, request.method, level)\n",
        "        for operation in sorted(OPERATIONS, key=lambda o: o.kind != request.kind)\n"
        "        if (operation.method, operation.level) == (request.method, level)\n",
    ),
    # time
    Defect(
        "etag-not-unique", "Changes within a second have the same ETag.",
        Clock.tick, "self._last = max(self._last + 1, now)", "self._last = now - now % _PER_SECOND",
    ),
    # create
    Defect(
        "create-ignores-if-none-match", "If-None-Match: * does not protect an existing path.",
        paths.create, "conditions.require(old", "conditions.exclusive or conditions.require(old",
    ),
    Defect(
        "create-exists-412", "Create with If-None-Match: * on a path answers 412, not 409.",
        paths.create, _EXISTS, '"ConditionNotMet", "ConditionNotMet")',
    ),
    Defect(
        "create-keeps-content", "Creating a file over a file keeps the old bytes.",
        paths.create, *_then("node = Node(is_directory, ticks, ticks, metadata, content_type)",
                             "node.content = old.content if old is not None else b''"),
    ),
    Defect(
        "create-drops-children", "Creating a directory over a directory empties it.",
        paths.create, "node.children = old.children", "pass",
    ),
    Defect(
        "create-requires-parents", "Create answers 404 where a parent is missing.",
        paths.create, "        conditions.require_absent(None)\n",
        "        conditions.require_absent(None)\n"
        "        if find(fs, path[:-1]) is None:\n"
        '            raise ServiceError(code="PathNotFound")\n',
    ),
    Defect(
        "parents-share-etag", "Implicit parents get the ETag of the created path.",
        paths.create, *_then(f"ticks = {_TICK}", "parent.changed = ticks"),
    ),
    Defect(
        "parents-restamped", "A directory gets a new ETag when a child is created in it.",
        AccountState.link,
        *_then("parent.children[name] = node", "parent.changed = self.clock.tick()"),
    ),
    # append and flush
    Defect(
        "append-changes-etag", "An append changes the ETag.",
        dfs.append, "paths.append(fs, request.path, position, request.body)",
        f"paths.append(fs, request.path, position, request.body).changed = {_TICK}",
    ),
    Defect(
        "append-visible", "Appended bytes are readable before the flush.",
        common.readable, "return node",
        f"{_HERE}with_pieces; return with_pieces(node)",
    ),
    Defect(
        "append-in-order-only", "Appends must come in the order of their positions.",
        paths.append, "    node.pieces[position] = data\n",
        "    if position != len(node.content) + sum(map(len, node.pieces.values())):\n"
        '        raise ServiceError(code="InvalidFlushPosition")\n'
        "    node.pieces[position] = data\n",
    ),
    Defect(
        "flush-keeps-etag", "A flush leaves the ETag as it was.",
        paths.flush, f"node.changed = {_TICK}", "pass",
    ),
    Defect(
        "flush-of-nothing-new-etag", "A flush without appended data gives a new ETag.",
        paths.flush, "if not node.pieces:", "if False:",
    ),
    Defect(
        "flush-ignores-position", "A flush joins whatever there is, gaps included.",
        paths.flush,
        "        if start != end:\n"
        '            raise ServiceError(code="InvalidFlushPosition")\n'
        "        end += len(node.pieces[start])\n"
        "    if end != position:",
        "        pass\n    if False:",
    ),
    Defect(
        "flush-encrypted-true", "A flush says that it was encrypted.",
        dfs.flush, 'ENCRYPTED: "false"', 'ENCRYPTED: "true"',
    ),
    # rename
    Defect(
        "rename-new-etag", "A rename gives a new ETag.",
        paths.rename, "    return node", f"    node.changed = {_TICK}\n    return node",
    ),
    Defect(
        "rename-new-creation-time", "A rename gives a new creation time.",
        paths.rename, "    return node", f"    node.created = {_TICK}\n    return node",
    ),
    Defect(
        "rename-drops-metadata", "A rename loses the metadata.",
        paths.rename, "    return node", "    node.metadata = {}\n    return node",
    ),
    Defect(
        "rename-keeps-source", "A rename is a copy: the source stays.",
        paths.rename, "account.unlink(asked.source_fs, asked.source)",
        f"{_HERE}copied; node = copied(node)",
    ),
    Defect(
        "rename-in-two-steps", "For a moment neither the source nor the destination is there.",
        AccountService._carry_out, _LOCKED, _late("rename_in_two_steps"),
    ),
    Defect(
        "rename-makes-parents", "A rename creates missing parents of the destination.",
        paths.check_rename, "if find(asked.fs, asked.path[:-1]) is None:", "if False:",
    ),
    Defect(
        "rename-ignores-if-none-match", "If-None-Match: * does not protect the destination.",
        paths._require_replaceable, "asked.conditions.require(",
        "asked.conditions.exclusive or asked.conditions.require(",
    ),
    Defect(
        "rename-check-then-act", "If-None-Match: * is checked some time before the rename.",
        AccountService._carry_out, _LOCKED, _late("rename_checked_before"),
    ),
    Defect(
        "rename-source-404", "A missing source answers PathNotFound.",
        paths.check_rename, 'code="SourcePathNotFound"', 'code="PathNotFound"',
    ),
    # delete
    Defect(
        "delete-missing-200", "Deleting what is missing answers 200.",
        paths.delete, 'raise ServiceError(code="PathNotFound")', "return",
    ),
    Defect(
        "delete-ignores-children", "recursive=false removes a directory with children.",
        paths.delete, 'if node.children and recursive == "false":', "if False:",
    ),
    Defect(
        "delete-keeps-children", "A recursive delete removes the directory's name only.",
        paths.delete, *_then("account.unlink(fs, path)", "fs.root.children.update(node.children)"),
    ),
    # conditions
    Defect(
        "etag-conditions-ignored", "If-Match and If-None-Match: etag always hold.",
        Conditions.holds, 'return same == (self.name == "if-match")', "return not self.exclusive",
    ),
    Defect(
        "time-conditions-ignored", "Time conditions always hold.",
        Conditions.holds, "if not self.name:", "if True:",
    ),
    Defect(
        "source-conditions-ignored", "Conditions on a source always hold.",
        parse_conditions, "if not given:", "if not given or source:",
    ),
    # list
    Defect(
        "list-hides-directories", "Listings leave directories out.",
        listing.list_paths, *_then(_WALK, "found = (e for e in found if not e[1].is_directory)"),
    ),
    Defect(
        "list-unsorted", "Listings come in order of creation.",
        tree.walk, 'first = after[0] if after else ""\n    for name in sorted(node.children):',
        'first = ""\n    for name in node.children:',
    ),
    Defect(
        "list-quotes-etags", "ETags in listings are quoted.",
        dfs._entry, '"etag": etag(node.changed)', '''"etag": f'"{etag(node.changed)}"' ''',
    ),
    Defect(
        "list-no-newline", "The listing's body has no newline at its end.",
        dfs.list_, r' + "\n"', "",
    ),
    Defect(
        "list-ignores-recursive", "recursive=false lists everything.",
        listing.list_paths, "walk(node, recursive=recursive", "walk(node, recursive=True",
    ),
    Defect(
        "page-repeats", "A page starts with the last entry of the one before.",
        listing._cut, "last = kept[-1][0]",
        "last = kept[-2 if size > 1 else -1][0]",  # pages of one would never end
    ),
    Defect(
        "page-loses", "A page starts one entry too late.",
        listing._cut, "last = kept[-1][0]", "last = entries[size][0]",
    ),
    Defect(
        "page-cap-ignored", "A page takes all that is left.",
        listing.page_size, "if account.page_cap is not None:", "if False:",
    ),
    Defect(
        "continuation-unbound", "A continuation works for any directory.",
        listing._resume, "if bound != scope:", "if False:",
    ),
    # blob
    Defect(
        "hns-flag-missing", "Account information does not tell about the namespace.",
        containers.account_information, '"x-ms-is-hns-enabled": "true",', "",
    ),
    Defect(
        "directory-unmarked", "A directory has no hdi_isfolder.",
        common.visible_metadata, "if node.is_directory:", "if False:",
    ),
    Defect(
        "range-of-nothing-206", "A range of something empty answers 206.",
        common.ranged, "if start >= total:", "if start >= total and total:",
    ),
    Defect(
        "blob-exists-412", "An exclusive Put Blob on a file answers 412, not 409.",
        blobs._require_writable, '"BlobAlreadyExists"', '"ConditionNotMet"',
    ),
    Defect(
        "put-blob-ignores-if-none-match", "An exclusive Put Blob replaces a file.",
        blobs._require_writable, _TAKEN, f"conditions.exclusive or {_TAKEN}",
    ),
    Defect(
        "put-blob-without-md5", "Put Blob stores no Content-MD5.",
        blob.put_blob, "request.metadata, md5, http=http", "request.metadata, None, http=http",
    ),
    Defect(
        "below-file-told", "Put Blob and Copy Blob below a file answer 409, not BlobNotFound.",
        blobs._require_file_place, "code=below", 'code="ResourceTypeMismatch"',
    ),
    Defect(
        "blob-new-creation-time", "Writing a blob over a file gives a new creation time.",
        blobs._write, "created = ticks if old is None else old.created", "created = ticks",
    ),
    Defect(
        "put-blob-replaces-directory", "Put Blob over a directory replaces it.",
        blobs._require_file_place, "if old is not None and old.is_directory:", "if False:",
    ),
    Defect(
        "copy-drops-metadata", "Copy Blob loses the metadata.",
        blobs.copy_blob, "metadata, node.md5, http", "{}, node.md5, http",
    ),
    Defect(
        "blob-delete-ignores-children", "Delete Blob removes a directory with children.",
        blobs.delete_blob, "if node.children:", "if False:",
    ),
    # bytes on the wire
    Defect(
        "error-xml-without-bom", "XML errors have no byte order mark.",
        messages.error_answer, "BOM + text.encode()", "text.encode()",
    ),
    Defect(
        "error-json-spaced", "JSON errors have blanks after their separators.",
        messages.error_answer, 'separators=(",", ":")', 'separators=(", ", ": ")',
    ),
    Defect(
        "error-without-code", "Errors have no x-ms-error-code.",
        messages.error_answer, '"x-ms-error-code": error.code,', "",
    ),
    Defect(
        "head-404-without-chunked", "A HEAD of what is missing says Content-Length: 0.",
        messages.error_answer, 'error.text, method == "HEAD")', "error.text, False)",
    ),
    Defect(
        "reason-generic", "The reason phrase is HTTP's own, not the service's text.",
        messages.finish, "if answer.reason is None:", "if True:",
    ),
)  # fmt: skip

DEFECTS = {defect.name: defect for defect in _ALL}
"""All of them, by their names."""

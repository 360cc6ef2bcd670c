"""
Deliberate defects: each breaks one rule where that rule lives.

They exist to test tests: with one of them switched on, some check of the
emulator or of a client must fail. A defect that nobody notices is a hole.
"""

from __future__ import annotations

__all__ = ["DEFECTS", "DESCRIPTIONS"]

DESCRIPTIONS: dict[str, str] = {
    # authentication
    "unsigned-accepted": "A request without Authorization is carried out.",
    "signature-ignored": "A wrong signature is accepted.",
    "date-ignored": "An x-ms-date of any age is accepted.",
    # strictness
    "unknown-accepted": "Unknown queries and headers are ignored.",
    "hosts-confused": "A DFS request on the Blob host is carried out, and the reverse.",
    # time
    "etag-not-unique": "Changes within a second have the same ETag.",
    # create
    "create-ignores-if-none-match": "If-None-Match: * does not protect an existing path.",
    "create-exists-412": "Create with If-None-Match: * on a path answers 412, not 409.",
    "create-keeps-content": "Creating a file over a file keeps the old bytes.",
    "create-drops-children": "Creating a directory over a directory empties it.",
    "create-requires-parents": "Create answers 404 where a parent is missing.",
    "parents-share-etag": "Implicit parents get the ETag of the created path.",
    "parents-restamped": "A directory gets a new ETag when a child is created in it.",
    # append and flush
    "append-changes-etag": "An append changes the ETag.",
    "append-visible": "Appended bytes are readable before the flush.",
    "append-in-order-only": "Appends must come in the order of their positions.",
    "flush-keeps-etag": "A flush leaves the ETag as it was.",
    "flush-of-nothing-new-etag": "A flush without appended data gives a new ETag.",
    "flush-ignores-position": "A flush joins whatever there is, gaps included.",
    "flush-encrypted-true": "A flush says that it was encrypted.",
    # rename
    "rename-new-etag": "A rename gives a new ETag.",
    "rename-new-creation-time": "A rename gives a new creation time.",
    "rename-drops-metadata": "A rename loses the metadata.",
    "rename-keeps-source": "A rename is a copy: the source stays.",
    "rename-in-two-steps": "For a moment neither the source nor the destination is there.",
    "rename-makes-parents": "A rename creates missing parents of the destination.",
    "rename-ignores-if-none-match": "If-None-Match: * does not protect the destination.",
    "rename-check-then-act": "If-None-Match: * is checked some time before the rename.",
    "rename-source-404": "A missing source answers PathNotFound.",
    # delete
    "delete-missing-200": "Deleting what is missing answers 200.",
    "delete-ignores-children": "recursive=false removes a directory with children.",
    "delete-keeps-children": "A recursive delete removes the directory's name only.",
    # conditions
    "etag-conditions-ignored": "If-Match and If-None-Match: etag always hold.",
    "time-conditions-ignored": "Time conditions always hold.",
    "source-conditions-ignored": "Conditions on a source always hold.",
    # list
    "list-hides-directories": "Listings leave directories out.",
    "list-unsorted": "Listings come in order of creation.",
    "list-quotes-etags": "ETags in listings are quoted.",
    "list-no-newline": "The listing's body has no newline at its end.",
    "list-ignores-recursive": "recursive=false lists everything.",
    "page-repeats": "A page starts with the last entry of the one before.",
    "page-loses": "A page starts one entry too late.",
    "page-cap-ignored": "A page takes all that is left.",
    "continuation-unbound": "A continuation works for any directory.",
    # blob
    "hns-flag-missing": "Account information does not tell about the namespace.",
    "directory-unmarked": "A directory has no hdi_isfolder.",
    "range-of-nothing-206": "A range of something empty answers 206.",
    "blob-exists-412": "An exclusive Put Blob on a file answers 412, not 409.",
    "put-blob-ignores-if-none-match": "An exclusive Put Blob replaces a file.",
    "put-blob-without-md5": "Put Blob stores no Content-MD5.",
    "below-file-told": "Put Blob and Copy Blob below a file answer 409, not BlobNotFound.",
    "blob-new-creation-time": "Writing a blob over a file gives a new creation time.",
    "put-blob-replaces-directory": "Put Blob over a directory replaces it.",
    "copy-drops-metadata": "Copy Blob loses the metadata.",
    "blob-delete-ignores-children": "Delete Blob removes a directory with children.",
    # bytes on the wire
    "error-xml-without-bom": "XML errors have no byte order mark.",
    "error-json-spaced": "JSON errors have blanks after their separators.",
    "error-without-code": "Errors have no x-ms-error-code.",
    "head-404-without-chunked": "A HEAD of what is missing says Content-Length: 0.",
    "reason-generic": "The reason phrase is HTTP's own, not the service's text.",
}
"""What each defect does, by its name."""

DEFECTS: tuple[str, ...] = tuple(DESCRIPTIONS)
"""The names that `HnsEmulator(defects=...)` takes."""
